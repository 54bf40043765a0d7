"""``python -m mnist_tracking.training``."""

import sys

from mnist_tracking.training.main import main

sys.exit(main())
