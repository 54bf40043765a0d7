"""The public class: a space, a runner, and a leaderboard at the end."""

from collections.abc import Iterable, Mapping, Sized

from mnist_tracking._aws.account import Account
from mnist_tracking._aws.experiments import trials_of
from mnist_tracking._aws.jobs import stop_job
from mnist_tracking._values.checks import check_count
from mnist_tracking._values.records import Scalar
from mnist_tracking._values.text import short_repr
from mnist_tracking.errors import ConfigError, MnistTrackingError
from mnist_tracking.experiments.observers import TrialObserver, check_observer
from mnist_tracking.experiments.runner import ExperimentRunner
from mnist_tracking.experiments.submission import SubmittedTrial, follow
from mnist_tracking.experiments.sweep.scheduler import run_all
from mnist_tracking.experiments.sweep.space import expand_grid
from mnist_tracking.reading.leaderboard import Leaderboard
from mnist_tracking.reading.trial import Trial

__all__ = ["HyperparameterSweep"]

_TAKEN_UP = ("Completed", "InProgress")


class HyperparameterSweep:
    """
    Trains one trial for every combination of a grid.

    Every hyperparameter is checked before the first trial starts. Trials that fail are kept, with their reason, and do
    not stop the others. While the account's quota of running jobs is full, launching waits.

    Args:
        runner: The experiment, with its job.
        space: Values by hyperparameter; a list of one value is fine.
        max_parallel: How many trials may train at once.
        trial_quota: How many trials the account allows in one experiment; AWS raises its default of 300 on request.

    Raises:
        ConfigError: If the grid is empty, a hyperparameter is wrong, or *max_parallel* is less than 1.

    Example:
        >>> from pathlib import Path
        >>> _ = Path("train.py").write_text("import sys; print('score=' + sys.argv[-1])")
        >>> job = JobSpec("train.py", metrics={"score": "score=(.*)"}, objective="score")
        >>> with Workspace.embedded() as workspace:
        ...     runner = ExperimentRunner(workspace, "depths", job=job)
        ...     leaderboard = HyperparameterSweep(runner, {"depth": [2, 5]}).run()
        >>> [trial.hyperparameters["depth"] for trial in leaderboard]
        [5, 2]
    """

    def __init__(
        self,
        runner: ExperimentRunner,
        space: Mapping[str, Iterable[Scalar]],
        *,
        max_parallel: int = 1,
        trial_quota: int = 300,
    ) -> None:
        if not hasattr(runner, "job"):
            raise ConfigError(f"runner={short_repr(runner)}; an ExperimentRunner with a job is needed.")
        if runner.job is None:
            raise ConfigError("The runner has no job to sweep. Pass job=JobSpec(...) or job=mnist_job() to it.")
        check_count("max_parallel", max_parallel)
        check_count("trial_quota", trial_quota)
        self.runner = runner
        self.points = expand_grid(space)
        self.max_parallel = max_parallel
        self.trial_quota = trial_quota
        for point in self.points:
            runner.job.merged(point)

    def __len__(self) -> int:
        return len(self.points)

    def run(self, *, observer: TrialObserver | None = None, resume: bool = False) -> Leaderboard:
        """
        Train every point and compare all trials of the experiment.

        Interrupted from the keyboard, it launches nothing more and asks the running jobs to stop. Ended by any other
        error, it launches nothing more, and waits for the running jobs as far as it can; they go on in any case.

        Args:
            observer: Told how the trials go.
            resume: Carry on where an earlier call, of any program, was ended: a point that a job of this experiment
                has trained with these very hyperparameters is not trained again, and one that a job is training is
                waited for. That the script and the data are still the same is not checked.

        Raises:
            ConfigError: If the job lacks an input that it needs, or the experiment has no room for so many trials. None
                was started.
            MnistTrackingError: What stopped the sweep, if anything but a failing trial did.
        """
        check_observer(observer)
        if self.runner.job:
            self.runner.job.inputs_with(self.runner.data_uri)
        running = _Running(observer, self.runner.workspace)
        earlier = self._earlier() if resume else []
        self._check_room([point for point in self.points if self._match(point, earlier) is None])
        try:
            run_all(
                lambda point: self._train(point, earlier, running),
                self.points,
                max_parallel=self.max_parallel,
                pause_s=self.runner.workspace.timing.poll_s,
                on_interrupt=running.stop,
            )
        except MnistTrackingError as error:
            error.add_note("run(resume=True) of this sweep carries on with what is left.")
            raise
        return self._board()

    def _check_room(self, points: Sized) -> None:
        there = len(trials_of(self.runner.workspace, self.runner.name))
        if there + len(points) > self.trial_quota:
            raise ConfigError(
                f"The sweep has {len(points)} points to train, and the experiment {self.runner.name!r} {there} trials; "
                f"an experiment may have {self.trial_quota}. Part the sweep, or say trial_quota= if yours is more."
            )

    def _board(self) -> Leaderboard:
        job = self.runner.job
        return Leaderboard.load(self.runner.workspace, self.runner.name, objective=job.objective if job else None)

    def _earlier(self) -> list[Trial]:
        """Return the trials that need no training any more, those that are done first."""
        trials = [trial for trial in self._board() if trial.job_name and trial.status in _TAKEN_UP]
        return sorted(trials, key=lambda trial: _TAKEN_UP.index(trial.status))

    def _merged(self, point: Mapping[str, Scalar]) -> Mapping[str, Scalar]:
        return self.runner.job.merged(point) if self.runner.job else point

    def _match(self, point: Mapping[str, Scalar], earlier: Iterable[Trial]) -> Trial | None:
        """Return the earlier trial that has trained a point, or is about to."""
        merged = self._merged(point)
        return next((trial for trial in earlier if trial.hyperparameters == merged), None)

    def _train(self, point: Mapping[str, Scalar], earlier: Iterable[Trial], running: "_Running") -> None:
        trial = self._match(point, earlier)
        if trial is None:
            self.runner.run(point, observer=running)
        elif trial.status == "InProgress":
            submitted = SubmittedTrial(self.runner.workspace, trial.name, trial.experiment, trial.job_name)
            follow(submitted, self._merged(point), running)


class _Running:
    """Passes on what it is told, and knows which jobs are running."""

    def __init__(self, observer: TrialObserver | None, account: Account) -> None:
        self._observer = observer
        self._account = account
        self._jobs: dict[str, str] = {}
        self._is_stopping = False

    def started(self, trial_name: str, job_name: str, hyperparameters: Mapping[str, Scalar]) -> None:
        self._jobs[trial_name] = job_name
        if self._is_stopping:  # the interrupt came while this job was being started
            stop_job(self._account, job_name)
        if self._observer:
            self._observer.started(trial_name, job_name, hyperparameters)

    def logged(self, trial_name: str, line: str) -> None:
        if self._observer:
            self._observer.logged(trial_name, line)

    def ended(self, trial: Trial) -> None:
        self._jobs.pop(trial.name, None)
        if self._observer:
            self._observer.ended(trial)

    def stop(self) -> None:
        self._is_stopping = True
        for job_name in list(self._jobs.values()):
            stop_job(self._account, job_name)
