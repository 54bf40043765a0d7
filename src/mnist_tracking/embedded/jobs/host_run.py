"""One host of a job while its script runs: what is started there, and what it prints and writes."""

from collections.abc import Callable
from typing import Any

from mnist_tracking.embedded.jobs.component_updates import Updates
from mnist_tracking.embedded.jobs.entry_point import command
from mnist_tracking.embedded.jobs.environment import variables
from mnist_tracking.embedded.jobs.metric_values import FileMetrics
from mnist_tracking.embedded.jobs.placement import Placement


class HostRun:
    """
    One host of a job that runs.

    Args:
        placement: The host.
        stream: The name of its log stream.
        warn: Called with the reason when an update of the trial component is rejected.
        connect: Returns a client of SageMaker.

    Attributes:
        placement: As given.
        stream: As given.
        files: The metric files of the script.
        updates: What it says of its trial component.
    """

    def __init__(
        self, placement: Placement, stream: str, *, warn: Callable[[str], object], connect: Callable[[], Any]
    ) -> None:
        self.placement, self.stream = placement, stream
        self.files = FileMetrics(placement.layout.metrics)
        self.updates = Updates(placement.layout.updates, warn=warn, connect=connect)

    def process(self, python: str) -> dict[str, Any]:
        """
        Return what is run by that interpreter, in which folder and with which variables.

        Raises:
            JobError: If it cannot be run.
        """
        placement = self.placement
        return {"argv": command(placement, python), "cwd": placement.layout.code, "env": variables(placement)}
