"""
The entry point of a training job and of an endpoint: everything it does lies in ``mnist_tracking.training``.

In a job that package lies beside this file. On an endpoint it lies in ``lib/``, which the serving toolkit
does not put on the path. What was sent goes first, so that it is what runs, even where another version is
installed.
"""

import sys
from pathlib import Path

_LIB = Path(__file__).resolve().parent / "lib"
if _LIB.is_dir():
    sys.path.insert(0, str(_LIB))

from mnist_tracking.training.main import main  # noqa: E402 - the path comes first
from mnist_tracking.training.serving import input_fn, model_fn, output_fn, predict_fn  # noqa: E402

__all__ = ["input_fn", "main", "model_fn", "output_fn", "predict_fn"]

if __name__ == "__main__":
    sys.exit(main())
