"""What an execution has done so far."""

from collections.abc import Callable

from mnist_tracking.errors import MnistTrackingError
from mnist_tracking.upkeep.cleanup.plan import CleanupPlan, PlannedDeletion
from mnist_tracking.upkeep.cleanup.report import CleanupReport

__all__ = ["Ledger"]


class Ledger:
    """
    Takes note of what becomes of each thing, and tells how far it is. For one thread.

    Args:
        plan: What is executed.
        on_progress: Told how many things are done, and how many there are.
    """

    def __init__(self, plan: CleanupPlan, on_progress: Callable[[int, int], None] | None) -> None:
        self.failed: list[tuple[str, str, MnistTrackingError]] = []
        self._deleted: list[tuple[str, str]] = []
        self._kept = [(item.kind, item.name, item.reason) for item in plan.staying]
        self._objects = self._size_bytes = 0
        self._open = {(item.kind, item.name) for item in plan.items if item.deletable or item.is_running}
        self._total = len(self._open)
        self._on_progress = on_progress

    def deleted(self, item: PlannedDeletion) -> None:
        """Note that something is gone."""
        self._deleted.append((item.kind, item.name))
        self.settled(item)

    def deleted_objects(self, count: int, size_bytes: int) -> None:
        """Note that objects are gone."""
        self._objects += count
        self._size_bytes += size_bytes

    def kept(self, item: PlannedDeletion, reason: str) -> None:
        """Note that something stays after all."""
        self._kept.append((item.kind, item.name, reason))
        self.settled(item)

    def not_deleted(self, item: PlannedDeletion, error: MnistTrackingError) -> None:
        """Note that something could not be deleted."""
        self.failed.append((item.kind, item.name, error))
        self.settled(item)

    def settled(self, item: PlannedDeletion) -> None:
        """Note that there is nothing more to do for something."""
        if (item.kind, item.name) in self._open:
            self._open.remove((item.kind, item.name))
            if self._on_progress is not None:
                self._on_progress(self._total - len(self._open), self._total)

    def report(self) -> CleanupReport:
        """Return what was done."""
        return CleanupReport(
            tuple(self._deleted), tuple(self._kept), self._objects, self._size_bytes, tuple(self.failed)
        )
