"""HyperparameterSweep: trains a trial for every point of a space, several at once, and ranks them."""

from collections.abc import Iterable, Mapping, Sized

from mnist_tracking._aws.account import Account
from mnist_tracking._aws.experiments import trial_arns
from mnist_tracking._aws.jobs import stop_job
from mnist_tracking._values.checks import check_count
from mnist_tracking._values.records import Scalar
from mnist_tracking._values.text import short_repr
from mnist_tracking.errors import ConfigError, MnistTrackingError
from mnist_tracking.experiments.observers import Observers, TrialObserver, check_observer
from mnist_tracking.experiments.progress import reporting
from mnist_tracking.experiments.runner import ExperimentRunner
from mnist_tracking.experiments.submission import SubmittedTrial, follow
from mnist_tracking.experiments.sweep.scheduler import run_all
from mnist_tracking.experiments.sweep.space import TRIAL_QUOTA, expand_grid
from mnist_tracking.reading.leaderboard import Leaderboard, including
from mnist_tracking.reading.trial import Trial

__all__ = ["HyperparameterSweep"]

_REUSED = ("Completed", "InProgress")


class HyperparameterSweep:
    """
    Trains one trial for every combination of a grid.

    The grid is counted before it is built, and every point is checked before the first trial starts. Failed trials are
    kept, with their reason, and do not stop the others. While the account's quota of running jobs is exhausted,
    launching waits.

    Args:
        runner: The experiment, with its job.
        space: Lists of values by hyperparameter; a list of one value is fine.
        max_parallel: The number of trials that may train at once.
        trial_quota: The number of trials that the account allows in one experiment; AWS raises its default of 300 on
            request.

    Raises:
        ConfigError: If the grid is empty or has more than *trial_quota* points, the job rejects one of them, which the
            message names, or *max_parallel* is less than 1.

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
        trial_quota: int = TRIAL_QUOTA,
    ) -> None:
        if not hasattr(runner, "job"):
            raise ConfigError(f"runner={short_repr(runner)}; expected an ExperimentRunner with a job.")
        if runner.job is None:
            raise ConfigError("The runner has no job to sweep. Pass job=JobSpec(...) or job=mnist_job() to it.")
        check_count("max_parallel", max_parallel)
        check_count("trial_quota", trial_quota)
        self.runner = runner
        self._job = runner.job
        self.points = expand_grid(space, runner.job, at_most=trial_quota)
        self.max_parallel = max_parallel
        self.trial_quota = trial_quota

    def __len__(self) -> int:
        return len(self.points)

    def run(
        self, *, observer: TrialObserver | None = None, resume: bool = False, progress: bool | None = None
    ) -> Leaderboard:
        """
        Train every point, and rank all trials of the experiment.

        Ctrl-C launches nothing more and requests the running jobs to stop. Any other error launches nothing more and
        waits for the running jobs as far as possible; they keep running in any case.

        Args:
            observer: Called as the trials progress.
            resume: Continue an earlier call, of any program: a point that a job of this experiment has trained with the
                same hyperparameters is not trained again, and one that a job is training is waited for. Whether the
                script and the data are still the same is not checked.
            progress: Whether to show the progress on standard error. By default it is shown on a terminal and in a
                notebook, unless there is an *observer*.

        Raises:
            ConfigError: If the job lacks a required input, or the experiment has no room for so many trials. Nothing
                was started.
            MnistTrackingError: If anything but a failed trial stopped the sweep.
        """
        check_observer(observer)
        self._job.inputs_with(self.runner.data_uri)
        earlier = self._earlier() if resume else []
        self._check_room([point for point in self.points if self._match(point, earlier) is None])
        names = list(self.points[0])
        try:
            with reporting(self._job, self.points, names=names, observer=observer, progress=progress) as report:
                running = _Running(report, self.runner.workspace)
                run_all(
                    lambda point: self._train(point, earlier, running),
                    self.points,
                    max_parallel=self.max_parallel,
                    pause_s=self.runner.workspace.timing.poll_s,
                    on_interrupt=running.stop,
                )
        except MnistTrackingError as error:
            error.add_note("Call run(resume=True) on this sweep to train the remaining points.")
            raise
        return including(self._board(), running.ended_trials)

    def _check_room(self, points: Sized) -> None:
        there = len(trial_arns(self.runner.workspace, self.runner.name))
        if there + len(points) > self.trial_quota:
            raise ConfigError(
                f"The sweep has {len(points)} points to train, and the experiment {self.runner.name!r} has {there} "
                f"trials; an experiment may have {self.trial_quota}. Split the sweep, or pass trial_quota= if yours is "
                "higher."
            )

    def _board(self) -> Leaderboard:
        return Leaderboard.load(self.runner.workspace, self.runner.name, objective=self._job.objective)

    def _earlier(self) -> list[Trial]:
        """Return the trials that need no more training, completed ones first."""
        trials = [trial for trial in self._board() if trial.job_name and trial.status in _REUSED]
        return sorted(trials, key=lambda trial: _REUSED.index(trial.status))

    def _merged(self, point: Mapping[str, Scalar]) -> Mapping[str, Scalar]:
        return self._job.merged(point)

    def _match(self, point: Mapping[str, Scalar], earlier: Iterable[Trial]) -> Trial | None:
        """Return the earlier trial that has trained a point, or is training it."""
        merged = self._merged(point)
        return next((trial for trial in earlier if trial.hyperparameters == merged), None)

    def _train(self, point: Mapping[str, Scalar], earlier: Iterable[Trial], running: "_Running") -> None:
        trial = self._match(point, earlier)
        if trial is None:
            self.runner.run(point, observer=running, progress=False)
        elif trial.status == "InProgress":
            submitted = SubmittedTrial(self.runner.workspace, trial.name, trial.experiment, trial.job_name)
            follow(submitted, self._merged(point), running)


class _Running(Observers):
    """Passes events on, and knows which jobs are running, and which trials have ended."""

    def __init__(self, observer: TrialObserver, account: Account) -> None:
        super().__init__(observer)
        self._account = account
        self._jobs: dict[str, str] = {}
        self.ended_trials: list[Trial] = []
        self._is_stopping = False

    def started(self, trial_name: str, job_name: str, hyperparameters: Mapping[str, Scalar]) -> None:
        self._jobs[trial_name] = job_name
        if self._is_stopping:  # the interrupt came while this job was being started
            stop_job(self._account, job_name)
        super().started(trial_name, job_name, hyperparameters)

    def ended(self, trial: Trial) -> None:
        self._jobs.pop(trial.name, None)
        self.ended_trials.append(trial)
        super().ended(trial)

    def stop(self) -> None:
        self._is_stopping = True
        for job_name in list(self._jobs.values()):
            stop_job(self._account, job_name)
