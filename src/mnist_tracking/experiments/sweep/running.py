"""The trials of a sweep that are running: what is reported of them, and how to stop them."""

from collections import Counter
from collections.abc import Mapping

from mnist_tracking._aws.account import Account
from mnist_tracking._aws.jobs import stop_job
from mnist_tracking._values.markers import INTERRUPTED
from mnist_tracking._values.records import MetricPoint, ParameterValue
from mnist_tracking.errors import MnistTrackingError
from mnist_tracking.experiments.observers import Observers, TrialObserver
from mnist_tracking.reading.trial import Trial


class Running(Observers):
    """
    Passes events on, and stores the jobs that this sweep has started.

    If a trial is followed again, after an outage, the events that were passed on before are left out.

    Attributes:
        ended_trials: The trials that have ended.
    """

    def __init__(self, observer: TrialObserver, account: Account) -> None:
        super().__init__(observer)
        self.ended_trials: list[Trial] = []
        self._account = account
        self._jobs: dict[str, str] = {}
        self._is_stopping = False
        self._passed: dict[str, Counter[str]] = {}
        self._repeated: dict[str, Counter[str]] = {}
        self._known: set[str] = set()

    def launching(self, trial_name: str, job_name: str) -> None:
        """Called before a job is started."""
        self._jobs[trial_name] = job_name

    def has_launched(self, trial_name: str) -> bool:
        """Whether this sweep has started the job of a trial that is running."""
        return trial_name in self._jobs

    def started(self, trial_name: str, job_name: str, hyperparameters: Mapping[str, ParameterValue]) -> None:
        if self._is_stopping and self.has_launched(trial_name):  # the interrupt came while this job was being started
            stop_job(self._account, job_name, INTERRUPTED)
        is_again = trial_name in self._passed
        self._repeated[trial_name] = self._passed.setdefault(trial_name, Counter()).copy()
        self._known.add(trial_name)
        if not is_again:
            super().started(trial_name, job_name, hyperparameters)

    def logged(self, trial_name: str, line: str) -> None:
        if self._is_new(trial_name, "line"):
            super().logged(trial_name, line)

    def reported(self, trial_name: str, point: MetricPoint) -> None:
        if self._is_new(trial_name, "point"):
            super().reported(trial_name, point)

    def _is_new(self, trial_name: str, kind: str) -> bool:
        """Whether an event of that kind was not passed on before."""
        if self._repeated[trial_name][kind]:
            self._repeated[trial_name][kind] -= 1
            return False
        self._passed[trial_name][kind] += 1
        return True

    def found(self, trial: Trial) -> None:
        if trial.name not in self._known:
            self._known.add(trial.name)
            super().found(trial)

    def ended(self, trial: Trial) -> None:
        self._jobs.pop(trial.name, None)
        for kept in (self._passed, self._repeated):
            kept.pop(trial.name, None)
        self.ended_trials.append(trial)
        super().ended(trial)

    def stop(self) -> None:
        """
        Stop the jobs that this sweep has started.

        Raises:
            MnistTrackingError: If some could not be stopped; the others were.
        """
        self._is_stopping = True
        errors = []
        for job_name in list(self._jobs.values()):
            try:
                stop_job(self._account, job_name, INTERRUPTED)
            except MnistTrackingError as error:
                errors.append(error)
        if errors:
            raise errors[0]
