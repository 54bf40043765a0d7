"""
The entry point of training jobs and endpoints; the code is in ``mnist_tracking.training``.

In a training job that package is next to this file. On an endpoint it is in ``lib/``, which the serving toolkit does
not add to the path. It is added in front, so that the packed version runs even if another one is installed.
"""

import sys
from pathlib import Path

_LIB = Path(__file__).resolve().parent / "lib"
if _LIB.is_dir():
    sys.path.insert(0, str(_LIB))

from mnist_tracking.training.main import main  # noqa: E402 - after the path is set
from mnist_tracking.training.serving import input_fn, model_fn, output_fn, predict_fn  # noqa: E402

__all__ = ["input_fn", "main", "model_fn", "output_fn", "predict_fn"]

if __name__ == "__main__":
    sys.exit(main())
