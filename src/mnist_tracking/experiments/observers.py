"""What is called while trials train: observers, and the progress display."""

from collections.abc import Mapping
from typing import Protocol

from mnist_tracking._values.records import MetricPoint, ParameterValue
from mnist_tracking._values.text import short_repr
from mnist_tracking.errors import ConfigError
from mnist_tracking.reading.trial import Trial

__all__ = ["TrialObserver"]

_METHODS = ("started", "logged", "ended")


class TrialObserver(Protocol):
    """
    Follows trials while they train. Called from the threads that run them; its methods must not raise.

    An observer may also have these methods:

    - ``status_changed(trial_name, status)``, called with the secondary status of a trial's job whenever that changes:
      ``"Starting"``, ``"Downloading"``, ``"Training"``, ``"Uploading"`` and so on;
    - ``reported(trial_name, point)``, called with each value of a metric, a `mnist_tracking.types.MetricPoint`, as soon
      as it is read from the log;
    - ``pruned(trial_name, reason)``, called when a sweep stops a trial that is not promising; ``ended`` follows;
    - ``found(trial)``, called with each trial of a sweep that has ended before, or in another program.
    """

    def started(self, trial_name: str, job_name: str, hyperparameters: Mapping[str, ParameterValue]) -> None:
        """Called once a trial's job was started."""

    def logged(self, trial_name: str, line: str) -> None:
        """Called with each line that a trial's job logs."""

    def ended(self, trial: Trial) -> None:
        """Called with a trial once its training has ended, whatever its status."""


class Observers:
    """
    Passes events on to several observers.

    Args:
        observers: The observers; None is left out.
    """

    def __init__(self, *observers: TrialObserver | None) -> None:
        self._observers = [observer for observer in observers if observer is not None]

    def started(self, trial_name: str, job_name: str, hyperparameters: Mapping[str, ParameterValue]) -> None:
        for observer in self._observers:
            observer.started(trial_name, job_name, hyperparameters)

    def status_changed(self, trial_name: str, status: str) -> None:
        self._report("status_changed", trial_name, status)

    def reported(self, trial_name: str, point: MetricPoint) -> None:
        self._report("reported", trial_name, point)

    def pruned(self, trial_name: str, reason: str) -> None:
        self._report("pruned", trial_name, reason)

    def found(self, trial: Trial) -> None:
        self._report("found", trial)

    def logged(self, trial_name: str, line: str) -> None:
        for observer in self._observers:
            observer.logged(trial_name, line)

    def ended(self, trial: Trial) -> None:
        for observer in self._observers:
            observer.ended(trial)

    def _report(self, method: str, *news: object) -> None:
        """Call an optional method of the observers that have it."""
        for observer in self._observers:
            report = getattr(observer, method, None)
            if report is not None:
                report(*news)


def check_observer(observer: object) -> None:
    """Check that an argument has the methods of a `TrialObserver`, or is None; ConfigError otherwise."""
    missing = [name for name in _METHODS if not callable(getattr(observer, name, None))]
    if observer is not None and missing:
        raise ConfigError(f"observer={short_repr(observer)} has no {', '.join(missing)}(); expected a TrialObserver.")
