"""What is called while trials train: observers, and the progress display."""

from collections.abc import Mapping
from typing import Protocol

from mnist_tracking._values.records import Scalar
from mnist_tracking._values.text import short_repr
from mnist_tracking.errors import ConfigError
from mnist_tracking.reading.trial import Trial

__all__ = ["TrialObserver"]

_METHODS = ("started", "logged", "ended")


class TrialObserver(Protocol):
    """Follows trials while they train. Called from the threads that run them; its methods must not raise."""

    def started(self, trial_name: str, job_name: str, hyperparameters: Mapping[str, Scalar]) -> None:
        """Called once a trial's job was started."""

    def logged(self, trial_name: str, line: str) -> None:
        """Called with each line that a trial's job logs."""

    def ended(self, trial: Trial) -> None:
        """Called with a trial once its training has ended, whatever its status."""


class Silent:
    """An observer that does nothing."""

    def started(self, trial_name: str, job_name: str, hyperparameters: Mapping[str, Scalar]) -> None: ...

    def logged(self, trial_name: str, line: str) -> None: ...

    def ended(self, trial: Trial) -> None: ...


def check_observer(observer: object) -> None:
    """Check that an argument has the methods of a `TrialObserver`, or is None; ConfigError otherwise."""
    missing = [name for name in _METHODS if not callable(getattr(observer, name, None))]
    if observer is not None and missing:
        raise ConfigError(f"observer={short_repr(observer)} has no {', '.join(missing)}(); expected a TrialObserver.")
