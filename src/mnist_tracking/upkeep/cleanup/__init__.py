"""Clean up an experiment: plan what is deleted and what is kept, then execute the plan."""

from mnist_tracking.upkeep.cleanup.plan import CleanupPlan, make_plan
from mnist_tracking.upkeep.cleanup.records import CleanupReport, PlannedDeletion

__all__ = ["CleanupPlan", "CleanupReport", "PlannedDeletion", "make_plan"]
