"""How the trials of a sweep go, a line for each event, on standard error."""

import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

from mnist_tracking._values.records import Scalar
from mnist_tracking._values.specs import Objective
from mnist_tracking.cli.page import Seconds, shown
from mnist_tracking.reading.trial import Trial

__all__ = ["SweepProgress"]


class SweepProgress:
    """
    A `TrialObserver` that tells when trials start and end.

    Args:
        names: The hyperparameters that are swept.
        count: How many trials there will be.
        objective: The metric that is told at the end of each.
    """

    def __init__(self, names: Sequence[str], count: int, objective: Objective | None) -> None:
        self._names = names
        self._count = count
        self._objective = objective
        self._places: dict[str, str] = {}
        self._ended: set[str] = set()
        self._lock = threading.Lock()
        self.failed = 0

    def started(self, trial_name: str, job_name: str, hyperparameters: Mapping[str, Scalar]) -> None:
        """Tell that a trial trains."""
        del job_name
        point = ", ".join(f"{name}={shown(hyperparameters.get(name))}" for name in self._names)
        with self._lock:
            self._places[trial_name] = place = f"{len(self._places) + 1:{len(str(self._count))}}/{self._count} {point}"
        click.echo(f"{place}: training as trial {trial_name}", err=True)

    def logged(self, trial_name: str, line: str) -> None:
        """Leave the log where it is: ``mnist-tracking logs`` shows it."""

    def ended(self, trial: Trial) -> None:
        """Tell how a trial ended."""
        with self._lock:
            self._ended.add(trial.name)
            self.failed += trial.status != "Completed"
        told = [f"{trial.status} in {Seconds(trial.duration_s)}", *self._score(trial)]
        if trial.failure_reason:
            told.append(" ".join(trial.failure_reason.split()))
        click.echo(f"{self._places[trial.name]}: {', '.join(told)}", err=True)

    def _score(self, trial: Trial) -> list[str]:
        metric = trial.metrics.get(self._objective.metric) if self._objective else None
        return (
            [f"{metric.name} {shown(metric.statistic(self._objective.statistic))}"]
            if metric and self._objective
            else []
        )

    def left(self) -> str:
        """Say what is left after an interrupt."""
        running = sorted(set(self._places) - self._ended)
        return f"Asked to stop: {', '.join(running)}." if running else "No job is running."


if TYPE_CHECKING:
    from mnist_tracking.experiments.observers import TrialObserver

    _observer: TrialObserver = SweepProgress([], 0, None)
