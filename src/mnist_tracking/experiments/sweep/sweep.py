"""HyperparameterSweep: trains a trial for every point of a space, several at once, and ranks them."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from mnist_tracking._aws.experiments import trial_arns
from mnist_tracking._values.checks import check_count
from mnist_tracking._values.names import attempt_name, check_name, digest_of
from mnist_tracking._values.recordable import comparable
from mnist_tracking._values.records import ParameterValue
from mnist_tracking._values.text import short_repr
from mnist_tracking.errors import ConfigError, MnistTrackingError
from mnist_tracking.experiments.observers import TrialObserver, check_observer
from mnist_tracking.experiments.progress import reporting
from mnist_tracking.experiments.runner import ExperimentRunner, check_room
from mnist_tracking.experiments.submission import SubmittedTrial
from mnist_tracking.experiments.sweep.checking import expand_grid
from mnist_tracking.experiments.sweep.point import PointTraining
from mnist_tracking.experiments.sweep.running import Running
from mnist_tracking.experiments.sweep.scheduler import Scheduler
from mnist_tracking.experiments.sweep.space import Space
from mnist_tracking.reading.leaderboard import Leaderboard, including
from mnist_tracking.reading.trial import Trial, is_trained

__all__ = ["HyperparameterSweep"]


class HyperparameterSweep:
    """
    Trains one trial for every combination of a grid.

    The grid is counted before it is built, and every point is checked before the first trial starts. Failed trials are
    kept, with their reason, and do not stop the others.

    **Waiting.** While the account's quota of running jobs is exhausted, no more jobs are started. The same applies
    during throttling, and during outages of the service or the network, for up to ``Timing.outage_s`` for each trial. A
    job that fails for lack of capacity, or because of an internal error of SageMaker, is repeated up to twice, as
    another trial.

    **Several programs.** Programs that run a sweep of the same *name* in the same experiment, also on other machines,
    train each point once between them. Each waits for all points, and returns the same leaderboard.

    Args:
        runner: The experiment, with its job.
        space: Lists of values and ranges by parameter, points, or a `Space`.
        max_parallel: The number of trials that may train at once.
        name: Identifies the sweep in its experiment, up to 100 characters. Its trials are called ``<name>-<digest>``,
            after a digest of all their hyperparameters, so that `run` continues a sweep of that name, of any program.
            Without one, each call of `run` is a sweep of its own, whose trials have generated names.

    Raises:
        ConfigError: If the space is wrong or has more points than an experiment can have trials, the job rejects one of
            them, which the message names, *max_parallel* is less than 1, or SageMaker would reject *name*.

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
        space: Space | Mapping[str, Any] | Sequence[Mapping[str, ParameterValue]],
        *,
        max_parallel: int = 1,
        name: str | None = None,
    ) -> None:
        if not hasattr(runner, "job"):
            raise ConfigError(f"runner={short_repr(runner)}; expected an ExperimentRunner with a job.")
        if runner.job is None:
            raise ConfigError("The runner has no job to sweep. Pass job=JobSpec(...) or job=mnist_job() to it.")
        check_count("max_parallel", max_parallel)
        self.runner = runner
        self.name = None if name is None else check_name("sweep", name)
        self._job = runner.job
        self.space = Space.of(space)
        self.points = expand_grid(self.space, runner.job, at_most=runner.workspace.settings.trial_quota)
        self.max_parallel = max_parallel

    def __len__(self) -> int:
        return len(self.points)

    def run(
        self, *, observer: TrialObserver | None = None, resume: bool = False, progress: bool | None = None
    ) -> Leaderboard:
        """
        Train every point, and rank all trials of the experiment.

        On Ctrl-C, no more trials start, and the jobs that this call has started are stopped; those of other programs
        keep running. After any other error, such as expired credentials, no more trials start either, and the running
        jobs are waited for as far as possible. They keep running in any case, and a later call attaches to them.

        Args:
            observer: Called as the trials progress.
            resume: Continue an earlier call, of any program: a point that a job of this experiment has trained with the
                same hyperparameters is not trained again, and one that a job is training is waited for. A point counts
                as trained if its job has completed or reached its time limit. In a sweep with a name, this retrains the
                points that have failed or were stopped; other points are never retrained. Whether the script and the
                data are still the same is not checked.
            progress: Whether to show the progress on standard error. By default it is shown on a terminal and in a
                notebook, unless there is an *observer*.

        Raises:
            ConfigError: If the job lacks a required input, or the experiment has no room for so many trials. Nothing
                was started.
            MnistTrackingError: If anything but a failed trial stopped the sweep.
        """
        check_observer(observer)
        self._job.inputs_with(self.runner.data_uri)
        trainings = self._trainings(resume=resume)
        todo, names = [training.point for training in trainings], list(self.points[0])
        workspace = self.runner.workspace
        try:
            with reporting(self._job, todo, names=names, observer=observer, progress=progress) as report:
                running = Running(report, workspace)
                scheduler = Scheduler(workspace, max_parallel=self.max_parallel, on_interrupt=running.stop)
                tasks = [partial(training.train, self.runner, scheduler, running) for training in trainings]
                are_done = scheduler.run([partial(task, is_deferrable=True) for task in tasks])
                scheduler.run([task for task, is_done in zip(tasks, are_done, strict=True) if not is_done])
                return including(scheduler.outliving(self._board), running.ended_trials)
        except MnistTrackingError as error:
            again = "run(resume=True)" if self.name is None else "run()"
            error.add_note(f"Call {again} on this sweep to train the remaining points; running jobs are not affected.")
            raise

    def _trainings(self, *, resume: bool) -> list[PointTraining]:
        """Return what is left to train; ConfigError if the experiment has no room for it."""
        existing = {name.lower() for name in trial_arns(self.runner.workspace, self.runner.name)}
        if self.name is None:
            trainings = list(self._unnamed(self._trained() if resume else []))
        else:
            trainings = list(self._named(self.name, existing, resume=resume))
        new = [each for each in trainings if not each.submitted and (each.trial_name or "").lower() not in existing]
        check_room(self.runner, trials=len(existing), more=len(new))
        return trainings

    def _named(self, sweep: str, existing: set[str], *, resume: bool) -> Iterator[PointTraining]:
        """Yield the points that no attempt has trained yet, each with its last attempt, or with a new one."""
        trials = {trial.name.lower(): trial for trial in self._board()} if existing else {}
        for point in self.points:
            merged = self._job.merged(point)
            slot, attempt = digest_of(self.runner.name, merged), 1
            while attempt_name(sweep, slot, attempt + 1).lower() in existing:
                attempt += 1
            trial = trials.get(attempt_name(sweep, slot, attempt).lower())
            is_open = trial is None or trial.status in ("InProgress", "Stopping")
            if trial is not None and not is_open:
                if not resume or is_trained(trial):
                    continue
                attempt += 1
            yield PointTraining(point=point, hyperparameters=merged, sweep=sweep, slot=slot, attempt=attempt)

    def _unnamed(self, earlier: Sequence[Trial]) -> Iterator[PointTraining]:
        """Yield the points that no earlier trial has trained; with the job that is training it, if any."""
        trained = [(_comparable(trial.hyperparameters), trial) for trial in earlier]
        for point in self.points:
            merged = self._job.merged(point)
            same = [trial for hyperparameters, trial in trained if hyperparameters == _comparable(merged)]
            if not any(is_trained(trial) for trial in same):
                submitted = next((self._submitted(trial) for trial in same if trial.status == "InProgress"), None)
                yield PointTraining(point=point, hyperparameters=merged, submitted=submitted)

    def _trained(self) -> list[Trial]:
        return [trial for trial in self._board() if trial.job_name]

    def _submitted(self, trial: Trial) -> SubmittedTrial:
        return SubmittedTrial(self.runner.workspace, trial.name, trial.experiment, trial.job_name)

    def _board(self) -> Leaderboard:
        return Leaderboard.load(self.runner.workspace, self.runner.name, objective=self._job.objective)


def _comparable(hyperparameters: Mapping[str, ParameterValue]) -> dict[str, tuple[bool, object]]:
    return {name: comparable(value) for name, value in hyperparameters.items()}
