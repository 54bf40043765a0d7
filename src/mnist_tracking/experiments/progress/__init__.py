"""The progress of trials while they train: a live table where it can be redrawn, lines elsewhere."""

from mnist_tracking.experiments.progress.display import Progress as Progress
from mnist_tracking.experiments.progress.display import Showing as Showing
from mnist_tracking.experiments.progress.display import check_progress as check_progress
from mnist_tracking.experiments.progress.display import reporting as reporting
from mnist_tracking.experiments.progress.standing import Planned as Planned

__all__ = ["Planned", "Progress", "Showing", "check_progress", "reporting"]
