"""One host of a job while its script runs: what is started there, and what it prints and writes."""

from collections.abc import Callable
from typing import Any

from mnist_tracking.embedded.jobs import distribution
from mnist_tracking.embedded.jobs.environment import arguments, variables
from mnist_tracking.embedded.jobs.metrics import FileMetrics
from mnist_tracking.embedded.jobs.placement import Placement
from mnist_tracking.embedded.jobs.updates import Updates
from mnist_tracking.embedded.store import Store

_SHELL = ["/bin/sh", "-e"]


class HostRun:
    """
    One host of a job that runs.

    Args:
        placement: The host.
        stream: The name of its log stream.
        store: Its state.
        warn: Told what is refused of what the script says of its trial component.

    Attributes:
        placement: As given.
        stream: As given.
        files: The metric files of the script.
        updates: What it says of its trial component.
    """

    def __init__(self, placement: Placement, stream: str, *, store: Store, warn: Callable[[str], object]) -> None:
        self.placement, self.stream = placement, stream
        self.files = FileMetrics(placement.layout.metrics)
        self.updates = Updates(placement.layout.updates, store=store, warn=warn)

    def command(self, python: str) -> list[str]:
        """Return what is run, by that interpreter."""
        placement = self.placement
        launcher = _SHELL if placement.program.endswith(".sh") else [python]
        if placement.host.name in placement.distribution_hosts:
            hosts, name = placement.distribution_hosts, placement.host.name
            launcher = distribution.torchrun(python, hosts, name, placement.port)
        return [*launcher, placement.program, *arguments(placement.hyperparameters)]

    def process(self) -> dict[str, Any]:
        """Return in which folder and with which variables it is run."""
        return {"cwd": self.placement.layout.code, "env": variables(self.placement)}
