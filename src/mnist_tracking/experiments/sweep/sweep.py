"""HyperparameterSweep: trains trials for the points of a space, several at once, and ranks them."""

import os
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any, Self

import attrs

from mnist_tracking._aws.account import Account
from mnist_tracking._aws.experiments import require_experiment
from mnist_tracking._aws.jobs import describe_job
from mnist_tracking._values.checks import check_count
from mnist_tracking._values.names import attempts_of, check_name, unique_name
from mnist_tracking._values.records import ParameterValue
from mnist_tracking._values.specs import JobSpec, Objective
from mnist_tracking._values.text import nearest, plural, short_repr
from mnist_tracking.errors import AlreadyExistsError, ConfigError, MnistTrackingError, NotFoundError
from mnist_tracking.experiments.observers import Observers, TrialObserver, check_observer
from mnist_tracking.experiments.progress import Showing, reporting
from mnist_tracking.experiments.runner import ExperimentRunner
from mnist_tracking.experiments.sweep.agenda import Agenda
from mnist_tracking.experiments.sweep.point import Driver, belongs_to, has_ended, point_of, values_of
from mnist_tracking.experiments.sweep.recipe import Recipe
from mnist_tracking.experiments.sweep.record import read_sweep, record_sweep, sweep_names, update_sweep
from mnist_tracking.experiments.sweep.rules import Limits, StopRules
from mnist_tracking.experiments.sweep.running import Running
from mnist_tracking.experiments.sweep.scheduler import Scheduler
from mnist_tracking.experiments.sweep.space import Rule, Space
from mnist_tracking.experiments.sweep.spec import SweepSpec
from mnist_tracking.experiments.sweep.strategies import SweepTrial, name_of
from mnist_tracking.experiments.sweep.strategies.make import PRUNERS, STRATEGIES, AnyPruner, AnyStrategy
from mnist_tracking.experiments.sweep.watching import watch_trials
from mnist_tracking.reading.leaderboard import Leaderboard, including
from mnist_tracking.reading.scores import score
from mnist_tracking.reading.trial import Trial, status_of

__all__ = ["HyperparameterSweep"]

_THREADS = "OMP_NUM_THREADS"
_MOST_LISTED = 1_000  # points of a grid, whose progress is shown before they are trained


class HyperparameterSweep:
    """
    Trains trials for the points of a space, which a strategy chooses, several at once.

    The strategy ``"grid"`` trains every point. The others choose the next point by what the trials so far have shown,
    until *max_trials* or a rule ends the sweep. A pruner stops trials that are not promising, by the values that they
    log. Failed trials are kept, with their reason, and do not stop the others.

    **The experiment is the only state.** It stores the definition of the sweep and the point of each trial, so any
    program can continue the sweep, on any machine: by another sweep of the same *name*, or by `load`.

    **Several programs** that run a sweep of the same name train each trial once between them. Each waits for all
    trials, and returns the same leaderboard.

    **Waiting.** While the account's quota of running jobs is exhausted, no more jobs are started. The same applies
    during throttling, and during outages of the service or the network, for up to ``Timing.outage_s`` for each trial.

    Args:
        runner: The experiment, with its job.
        space: A mapping of parameters to lists of values and ranges, a list of points, or a `Space`.
        strategy: What chooses the points: ``"grid"``, ``"random"``, ``"qmc"``, ``"tpe"``, ``"gp"``, ``"cmaes"``, a
            sampler of Optuna, or an object with the three methods of `mnist_tracking.types.Strategy`.
        pruner: What stops trials early: ``"median"``, ``"asha"``, ``"hyperband"``, ``"patience"``, such a name with
            options, a pruner of Optuna, or None.
        max_trials: The number of trials, all repeats included; further attempts at a trial do not count. Required for
            strategies that never end, unless *stop* ends them.
        max_parallel: The number of trials that this program trains at once.
        repeats: The number of trials of each configuration, which differ in their seed. The strategy sees the mean of
            their objective. If the first one is pruned, the others are not trained.
        repeat_by: The hyperparameter of the seed. The first repeat has the job's own value of it, by default *seed*.
        retries: How often a trial is retried, as another trial, if its job fails for lack of instances, waits too long
            for spot instances, or fails because of an internal error of SageMaker. It continues from the checkpoints of
            the earlier attempt, if the job has a ``checkpoint_s3_uri``. A job whose script failed is never retried.
        stop: When the sweep ends early.
        objective: What makes one trial better than another; by default the job's objective.
        seed: Makes the strategy's choices reproducible, with ``max_parallel=1``.
        points_first: Points to try first.
        where: Returns whether to keep a point; see `Space`.
        warm_start: Names of earlier experiments. The strategy takes into account their trials whose parameters are in
            the space.
        name: Identifies the sweep in its experiment, up to 100 characters; generated by default. Its trials are called
            ``<name>-<number>``, which must be unique in the account, or in a grid ``<name>-<digest>`` after a digest of
            all their hyperparameters.

    Raises:
        ConfigError: If the space is wrong or has more points than an experiment can have trials, the job rejects one of
            them, which the message names, the strategy or the pruner does not suit the space or the job, or another
            argument is not allowed.
        MissingDependencyError: If the strategy or the pruner needs a package that is not installed.

    Attributes:
        runner: The experiment, with its job.
        name: The name of the sweep.
        stopped_by: Which rule of *stop* has ended the last `run`, and why; empty if none did.

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

    def __init__(  # noqa: PLR0913 - what one may want to say of a sweep
        self,
        runner: ExperimentRunner,
        space: Space | Mapping[str, Any] | Sequence[Mapping[str, ParameterValue]],
        *,
        strategy: AnyStrategy = "grid",
        pruner: AnyPruner = None,
        max_trials: int | None = None,
        max_parallel: int = 1,
        repeats: int = 1,
        repeat_by: str = "seed",
        retries: int = 2,
        stop: StopRules | None = None,
        objective: Objective | str | None = None,
        seed: int = 0,
        points_first: Sequence[Mapping[str, ParameterValue]] = (),
        where: Rule | None = None,
        warm_start: str | Sequence[str] = (),
        name: str | None = None,
    ) -> None:
        job = _job_of(runner)
        spec = SweepSpec(
            space=Space.of(space, where=where, first=points_first),
            strategy=strategy,
            pruner=pruner,
            objective=job.objective if objective is None else Objective.of(objective),
            max_trials=max_trials,
            repeats=repeats,
            repeat_by=repeat_by,
            seed=seed,
            warm_start=_names(warm_start),
        )
        self._define(runner, spec, name, max_parallel=max_parallel, retries=retries, stop=stop)
        self._check(job)

    def _define(
        self,
        runner: ExperimentRunner,
        spec: SweepSpec,
        name: str | None,
        *,
        max_parallel: int,
        retries: int,
        stop: StopRules | None,
    ) -> None:
        check_count("max_parallel", max_parallel)
        if isinstance(retries, bool) or not isinstance(retries, int) or retries < 0:
            raise ConfigError(f"retries={short_repr(retries)}; expected an integer >= 0.")
        if not isinstance(stop, StopRules | None):
            raise ConfigError(f"stop={short_repr(stop)}; expected StopRules, such as StopRules(max_time=3600).")
        self.runner = runner
        self.name = unique_name(runner.name, "sweep") if name is None else check_name("sweep", name)
        self.max_parallel = max_parallel
        self.stopped_by = ""
        self._is_private = name is None
        self._spec, self._retries, self._stop = spec, retries, stop or StopRules()

    def _check(self, job: JobSpec) -> None:
        """Check the sweep against its job, before anything is sent."""
        self._spec.check(job, self._stop, trial_quota=self.runner.workspace.settings.trial_quota)
        self._limits(job)

    @classmethod
    def from_file(cls, runner: ExperimentRunner, path: str | os.PathLike[str], **options: Any) -> Self:
        """
        Return the sweep that a file describes, in the shape of Weights & Biases' sweep configuration.

        Args:
            runner: The experiment, with its job, which has the script and the metric of the file.
            path: A YAML or JSON file.
            **options: Keywords of `HyperparameterSweep`, which override the file.

        Raises:
            ConfigError: If the file cannot be read, a key is unknown, wrong or not supported, which the message names
                with its line, or the sweep is not allowed.

        Example:
            >>> from pathlib import Path
            >>> _ = Path("train.py").write_text("import sys; print('score=' + sys.argv[-1])")
            >>> _ = Path("sweep.yaml").write_text("parameters: {depth: {values: [2, 5]}}")
            >>> job = JobSpec("train.py", metrics={"score": "score=(.*)"}, objective="score")
            >>> with Workspace.embedded() as workspace:
            ...     runner = ExperimentRunner(workspace, "depths", job=job)
            ...     sweep = HyperparameterSweep.from_file(runner, "sweep.yaml", max_parallel=2)
            >>> len(sweep), sweep.max_parallel
            (2, 2)
        """
        recipe = Recipe.read(path)
        return cls(runner, recipe.space, **{**recipe.keywords(_job_of(runner)), **options})

    @classmethod
    def load(  # noqa: PLR0913 - as for the class
        cls,
        workspace: Account,
        experiment: str,
        name: str,
        *,
        job: JobSpec | None = None,
        strategy: "AnyStrategy | None" = None,
        pruner: AnyPruner = None,
        where: Rule | None = None,
        max_trials: int | None = None,
        max_parallel: int = 1,
        retries: int = 2,
        stop: StopRules | None = None,
    ) -> Self:
        """
        Load a sweep from its experiment, in any program.

        Args:
            workspace: Where the experiment is.
            experiment: The experiment's name.
            name: The name of the sweep.
            job: What each trial trains; needed to `run` it. `board` and `watch` need none.
            strategy: The strategy, if that is an object rather than a name.
            pruner: The pruner, if that is an object rather than a name.
            where: The rule of the space, if it has one.
            max_trials: Another number of trials; by default as recorded.
            max_parallel: As for `HyperparameterSweep`.
            retries: As for `HyperparameterSweep`.
            stop: As for `HyperparameterSweep`.

        Raises:
            NotFoundError: If there is no such experiment, or no sweep of that name in it.
            ConfigError: If an argument is not allowed, or differs from what is recorded.

        Example:
            >>> from pathlib import Path
            >>> _ = Path("train.py").write_text("import sys; print('score=' + sys.argv[-1])")
            >>> job = JobSpec("train.py", metrics={"score": "score=(.*)"}, objective="score")
            >>> with Workspace.embedded() as workspace:
            ...     runner = ExperimentRunner(workspace, "depths", job=job)
            ...     _ = HyperparameterSweep(runner, {"depth": [2, 5, 7]}, max_trials=1, name="night").run()
            ...     night = HyperparameterSweep.load(workspace, "depths", "night", job=job, max_trials=3)
            ...     len(night), len(night.board), len(night.run())
            (3, 1, 3)
        """
        found = require_experiment(workspace, experiment)
        stored = read_sweep(workspace, found, check_name("sweep", name))
        if stored is None:
            raise NotFoundError("sweep", name, nearest(name, sweep_names(workspace, found)))
        if job is not None:
            _check_stored("strategy", stored, strategy, STRATEGIES)
            _check_stored("pruner", stored, pruner, (*PRUNERS, "none"))
        spec = SweepSpec.from_json(stored, strategy=strategy, pruner=pruner, where=where)
        spec = attrs.evolve(spec, max_trials=spec.max_trials if max_trials is None else max_trials)
        sweep = cls.__new__(cls)
        runner = ExperimentRunner(workspace, found, job=job)
        sweep._define(runner, spec, name, max_parallel=max_parallel, retries=retries, stop=stop)
        if job is not None:
            sweep._check(job)
        return sweep

    def __len__(self) -> int:
        """Return the number of trials, before the rule of the space."""
        if self._spec.size is None:
            raise ConfigError("The number of trials is not limited: pass max_trials=.")
        return self._spec.size

    def __repr__(self) -> str:
        count = "" if self._spec.size is None else f", {plural(self._spec.size, 'trial')}"
        return f"<HyperparameterSweep {self.name!r} of {self.runner.name!r}: {name_of(self._spec.strategy)}{count}>"

    @property
    def space(self) -> Space:
        """What the sweep searches."""
        return self._spec.space

    @property
    def board(self) -> Leaderboard:
        """The trials of the sweep as they are now, whichever programs train them."""
        board = self._read_board()
        return attrs.evolve(board, trials=tuple(filter(self._has, board)))

    def _has(self, trial: Trial) -> bool:
        """Whether a trial of the experiment is one of the sweep."""
        return bool(attempts_of(self.name, [trial.name])) and belongs_to(trial, self.name, self._spec)

    def watch(self, *, observer: TrialObserver | None = None, progress: Showing = None) -> Leaderboard:
        """
        Follow the trials that other programs train, without starting any, and return those of the sweep.

        It returns once the sweep has all of its trials, or no trial was running for ``Timing.settled_within_s``.

        Args:
            observer: Called as the trials progress, also for those that have ended before.
            progress: As for `run`.
        """
        check_observer(observer)
        size, names = self._spec.size, self.space.varied
        with reporting(
            self._job_to_show(), [], names=names, observer=observer, progress=progress, total=size, sweep=self.name
        ) as report:
            return watch_trials(
                self.runner.workspace,
                lambda: self.board,
                report,
                is_complete=lambda board: size is not None and len(set(self._slots(board))) >= size,
            )

    def _job_to_show(self) -> JobSpec:
        """Return the job; that of a sweep that was loaded without one, as far as the progress shows it."""
        if self.runner.job is not None:
            return self.runner.job
        trial, objective = next(iter(self.board), None), self._spec.objective
        limit = {} if trial is None else describe_job(self.runner.workspace, trial.job_name)["StoppingCondition"]
        return JobSpec(
            __file__,
            metrics=[objective.metric] if objective else [],
            objective=objective,
            max_run_s=limit.get("MaxRuntimeInSeconds", 86_400),
        )

    def _slots(self, board: Leaderboard) -> Iterator[str]:
        """Yield the slots of trials that have ended."""
        yield from attempts_of(self.name, [trial.name for trial in board if has_ended(trial)])

    def run(
        self, *, observer: TrialObserver | None = None, resume: bool = False, progress: Showing = None
    ) -> Leaderboard:
        """
        Train what the sweep has left to train, and rank all trials of the experiment.

        On Ctrl-C, no more trials start, and the jobs that this call has started are stopped; those of other programs
        keep running. After any other error, such as expired credentials, no more trials start either, and the running
        jobs are waited for as far as possible. They keep running in any case, and a later call attaches to them.

        Args:
            observer: Called as the trials progress.
            resume: Also train again what has failed or was stopped, as another trial; what was pruned is not. A trial
                counts as trained if its job has completed or reached its time limit. In a grid whose name was
                generated, all trials of the experiment count that have the same hyperparameters. Whether the script and
                the data are still the same is not checked.
            progress: Whether to show the progress on standard error; ``"plain"`` shows lines instead of a table, for
                example for a screen reader. By default it is shown on a terminal and in a notebook, unless there is an
                *observer*.

        Raises:
            ConfigError: If the job lacks a required input, the experiment has no room for so many trials, or it has
                another sweep of that name. No trial was started.
            AlreadyExistsError: If a trial that does not belong to the sweep, such as one of another experiment, has the
                name of one of its trials.
            MnistTrackingError: If anything but a failed trial stopped the sweep.
        """
        check_observer(observer)
        job = self._require_job()
        self._spec.check_inputs(job, self.runner.data_uri)
        names = self.space.varied
        is_listed = self._spec.is_grid and self._spec.repeats == 1
        points = list(islice(self._spec.grid(), _MOST_LISTED)) if is_listed else []
        with reporting(
            attrs.evolve(job, objective=self._spec.objective),
            points,
            names=names,
            observer=observer,
            progress=progress,
            total=self._spec.size,
            max_parallel=self.max_parallel,
            sweep=self.name,
        ) as report:
            return self._run(job, report, resume=resume)

    def _run(self, job: JobSpec, report: Observers, *, resume: bool) -> Leaderboard:
        workspace, spec = self.runner.workspace, self._spec
        running, limits, history = Running(report, workspace), self._limits(job), list(self._history())
        most = self.max_parallel if spec.size is None else min(self.max_parallel, spec.size)
        scheduler = Scheduler(workspace, max_parallel=most, on_interrupt=running.stop)
        driver = Driver(
            runner=self.runner,
            job=_sharing(job, workspace, most),
            spec=spec,
            sweep=self.name,
            is_private=self._is_private,
            retries=self._retries,
            scheduler=scheduler,
            running=running,
        )
        agenda = Agenda(driver, partial(spec.strategy_for, job), limits, resume=resume)
        try:
            agenda.start(history)
            if not self._is_private or agenda.has_more():
                self._record()
            scheduler.run(agenda.take)
            return including(scheduler.outliving(self._read_board), running.ended_trials)
        except (AlreadyExistsError, ConfigError):  # another call would raise it again
            raise
        except MnistTrackingError as error:
            error.add_note(
                f"Call run() on this sweep, or on another one with name={self.name!r}, to train what is left; running "
                "jobs are not affected."
            )
            raise
        finally:
            self.stopped_by = limits.reason

    def _require_job(self) -> JobSpec:
        if self.runner.job is None:
            raise ConfigError("This sweep was loaded without a job. Pass job= to HyperparameterSweep.load().")
        return self.runner.job

    def _limits(self, job: JobSpec) -> Limits:
        workspace, spec = self.runner.workspace, self._spec
        goal = spec.objective.goal if spec.objective else "maximize"
        return Limits(self._stop, goal, workspace.clock, spec.most_usd(job, workspace.prices))

    def _history(self) -> Iterator[SweepTrial]:
        """Read the trials of the experiments that the strategy starts with."""
        number, objective = 0, self._spec.objective
        for experiment in self._spec.warm_start:
            for trial in Leaderboard.load(self.runner.workspace, experiment, objective=objective):
                point = point_of(trial, self._spec.space)
                if point is not None and objective is not None and has_ended(trial):
                    number -= 1
                    value = score(trial, objective)
                    values = values_of(trial, objective)
                    yield SweepTrial(number, point, status_of(trial), value=value, values=values)

    def _record(self) -> None:
        """Record what the sweep is, unless that is recorded already."""
        workspace, experiment = self.runner.workspace, self.runner.name
        definition = self._spec.to_json()
        if record_sweep(workspace, experiment, self.name, definition, self.runner._tags):
            return
        stored = read_sweep(workspace, experiment, self.name) or {}
        self._spec.check_continues(self.name, stored)
        if stored != definition:
            update_sweep(workspace, experiment, self.name, definition)

    def _read_board(self) -> Leaderboard:
        return Leaderboard.load(self.runner.workspace, self.runner.name, objective=self._spec.objective)


def _sharing(job: JobSpec, account: Account, jobs: int) -> JobSpec:
    """Return a job that uses its share of the processors, if so many jobs at once share those of this machine."""
    if account.shared_cpus is None or jobs == 1:
        return job
    share = max(1, account.shared_cpus // jobs // job.instance_count)
    return attrs.evolve(job, environment={_THREADS: str(share), **job.environment})


def _job_of(runner: ExperimentRunner) -> JobSpec:
    if not hasattr(runner, "job"):
        raise ConfigError(f"runner={short_repr(runner)}; expected an ExperimentRunner with a job.")
    if runner.job is None:
        raise ConfigError("The runner has no job to sweep. Pass job=JobSpec(...) or job=mnist_job() to it.")
    return runner.job


def _check_stored(what: str, stored: Mapping[str, Any], given: object, known: Sequence[str]) -> None:
    """Check that a strategy or a pruner is stored by its name, or is given again; ConfigError otherwise."""
    name = stored[what]
    if given is None and isinstance(name, str) and name not in known:
        raise ConfigError(f"The {what} of the sweep is a {name}, an object, which is not stored. Pass {what}= again.")


def _names(experiments: str | Sequence[str]) -> tuple[str, ...]:
    """Return the names of experiments, given one or several."""
    names = (experiments,) if isinstance(experiments, str) else experiments
    if not isinstance(names, Sequence) or not all(isinstance(name, str) and name for name in names):
        raise ConfigError(f"warm_start={short_repr(experiments)}; expected the names of experiments.")
    return tuple(names)
