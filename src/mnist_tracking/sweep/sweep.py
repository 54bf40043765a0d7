"""The public class: a space, a runner, and a leaderboard at the end."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from mnist_tracking._sagemaker.training import stop_job
from mnist_tracking.errors import ConfigError
from mnist_tracking.leaderboard import Leaderboard
from mnist_tracking.records import Scalar, TrialResult
from mnist_tracking.sweep.scheduler import run_all
from mnist_tracking.sweep.space import expand_grid

if TYPE_CHECKING:
    from mnist_tracking.runner import ExperimentRunner, TrialObserver
    from mnist_tracking.workspace import Workspace

__all__ = ["HyperparameterSweep"]


class HyperparameterSweep:
    """
    Trains one trial for every combination of a grid.

    Every hyperparameter is checked before the first trial starts. Trials that fail are kept, with their reason, and do
    not stop the others. While the account's quota of running jobs is full, launching waits.

    Args:
        runner: The experiment, with its job.
        space: Values by hyperparameter; a list of one value is fine.
        max_parallel: How many trials may train at once.

    Raises:
        ConfigError: If the grid is empty, a hyperparameter is wrong, or *max_parallel* is less than 1.
    """

    def __init__(
        self, runner: "ExperimentRunner", space: Mapping[str, Iterable[Scalar]], *, max_parallel: int = 1
    ) -> None:
        if runner.job is None:
            raise ConfigError("The runner has no job to sweep. Pass job=JobSpec(...) or job=mnist_job() to it.")
        if isinstance(max_parallel, bool) or not isinstance(max_parallel, int) or max_parallel < 1:
            raise ConfigError(f"max_parallel={max_parallel!r}; a whole number from 1 is needed.")
        self.runner = runner
        self.points = expand_grid(space)
        self.max_parallel = max_parallel
        for point in self.points:
            runner.job.merged(point)

    def __len__(self) -> int:
        return len(self.points)

    def run(self, *, observer: "TrialObserver | None" = None) -> Leaderboard:
        """
        Train every point and compare all trials of the experiment.

        Interrupted from the keyboard, it launches nothing more and asks the running jobs to stop.

        Raises:
            MnistTrackingError: What stopped the sweep, if anything but a failing trial did.
        """
        running = _Running(observer, self.runner.workspace)
        run_all(
            lambda point: self.runner.run(point, observer=running),
            self.points,
            max_parallel=self.max_parallel,
            pause_s=self.runner.workspace.poll_s,
            on_interrupt=running.stop,
        )
        job = self.runner.job
        return Leaderboard.load(self.runner.workspace, self.runner.name, objective=job.objective if job else None)


class _Running:
    """Passes on what it is told, and knows which jobs are running."""

    def __init__(self, observer: "TrialObserver | None", workspace: "Workspace") -> None:
        self._observer = observer
        self._workspace = workspace
        self._jobs: dict[str, str] = {}
        self._is_stopping = False

    def started(self, trial_name: str, job_name: str, hyperparameters: Mapping[str, Scalar]) -> None:
        self._jobs[trial_name] = job_name
        if self._is_stopping:  # the interrupt came while this job was being started
            stop_job(self._workspace, job_name)
        if self._observer:
            self._observer.started(trial_name, job_name, hyperparameters)

    def logged(self, trial_name: str, line: str) -> None:
        if self._observer:
            self._observer.logged(trial_name, line)

    def ended(self, trial: TrialResult) -> None:
        self._jobs.pop(trial.trial_name, None)
        if self._observer:
            self._observer.ended(trial)

    def stop(self) -> None:
        self._is_stopping = True
        for job_name in list(self._jobs.values()):
            stop_job(self._workspace, job_name)
