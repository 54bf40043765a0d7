"""Clean up: list what is there, decide what goes, delete that and nothing else."""

from mnist_tracking.upkeep.cleanup.plan import CleanupPlan, PlannedDeletion
from mnist_tracking.upkeep.cleanup.planning import make_plan
from mnist_tracking.upkeep.cleanup.report import CleanupReport

__all__ = ["CleanupPlan", "CleanupReport", "PlannedDeletion", "make_plan"]
