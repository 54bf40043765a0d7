"""Agenda: what a sweep has left to train, taken by one thread at a time."""

import itertools
import math
import secrets
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial

from mnist_tracking._aws.experiments import trial_arns
from mnist_tracking._values.names import attempt_name, attempts_of
from mnist_tracking._values.recordable import comparable_items
from mnist_tracking._values.records import MetricPoint
from mnist_tracking.errors import ConfigError
from mnist_tracking.experiments.runner import check_room
from mnist_tracking.experiments.submission import SubmittedTrial
from mnist_tracking.experiments.sweep.checking import check_point
from mnist_tracking.experiments.sweep.configuration import Configuration, Found
from mnist_tracking.experiments.sweep.point import (
    Driver,
    PointTraining,
    belongs_to,
    is_fault_of_infrastructure,
    of_job,
    point_of,
    values_of,
)
from mnist_tracking.experiments.sweep.rules import Limits
from mnist_tracking.experiments.sweep.space import Point
from mnist_tracking.experiments.sweep.strategies.protocol import Strategy, SweepTrial
from mnist_tracking.reading.leaderboard import Leaderboard
from mnist_tracking.reading.trial import Trial, is_trained


class Agenda:
    """
    What a sweep has left to train, given out one trial at a time. A `Listener` of those that train.

    The experiment is the only state: `look` reads it, and everything that this program does not train itself comes from
    there. A slot belongs to the program that creates its trial, since SageMaker accepts each name once. When that shows
    that another program is there, the experiment is read again.

    Repeats of a configuration are started once its first trial has shown that they are worth it: once that has ended
    without being pruned, or at once if the sweep has no pruner.

    **Thread safety.** Safe to share between threads.

    Args:
        driver: What the trials are trained with.
        make_strategy: Makes what chooses the points, with a seed; with None, the seed of the sweep.
        limits: When the sweep ends early.
        resume: Whether to train again what has failed or was stopped.
    """

    def __init__(
        self, driver: Driver, make_strategy: Callable[[int | None], Strategy], limits: Limits, *, resume: bool
    ) -> None:
        self._driver, self._spec, self._limits, self._resume = driver, driver.spec, limits, resume
        self._make_strategy = make_strategy
        self._strategy = make_strategy(None)
        self._history: tuple[SweepTrial, ...] = ()
        self._is_alone = True
        self._lock = threading.RLock()
        self._ready: deque[PointTraining] = deque()
        self._left_for_later: deque[PointTraining] = deque()
        self._found: dict[str, Found] = {}
        self._ours: dict[int, Configuration] = {}  # those that are not complete
        self._others: dict[int, Configuration] = {}
        self._taken: set[int] = set()
        self._foreign: set[int] = set()  # whose names are those of trials that do not belong to the sweep
        self._told: dict[int, SweepTrial] = {}
        self._discarded: list[Point] = []
        self._training = 0
        self._earlier: list[Trial] = []
        self._is_up_to_date = False

    def start(self, history: Iterable[SweepTrial]) -> None:
        """
        Read what the experiment has of the sweep, and tell the strategy.

        Args:
            history: Trials of earlier experiments.

        Raises:
            ConfigError: If the experiment has no room for the trials, or there is nothing to resume.
        """
        self._history = tuple(history)
        names = self._look()
        if self._resume and self._driver.is_private and not self._found:
            if not self._spec.is_grid:
                raise ConfigError("resume=True continues a sweep by its name. Pass name= to HyperparameterSweep.")
            self._earlier = [trial for trial in self._board() if trial.job_name]
        self._check_room(len(names))
        for trial in self._history:
            self._strategy.tell(trial)
        if any(found.is_open for found in self._found.values()):
            self._part()
        self._tell_others()

    def _check_room(self, trials: int) -> None:
        """Check that the experiment, which has that many trials, has room for those of the sweep."""
        runner, size = self._driver.runner, self._spec.size
        if size is not None and (trials + size > (runner.workspace.settings.trial_quota or math.inf)):
            size = len(list(self._missing())) if self._spec.is_grid else max(size - len(self._found), 0)
        check_room(runner, trials=trials, more=1 if size is None else size)

    def _missing(self) -> Iterator[PointTraining]:
        """Yield the trials of a grid that the experiment does not have."""
        for number, point in enumerate(self._spec.grid()):
            for repeat in range(self._spec.repeats):
                training = PointTraining(number=number, repeat=repeat, point=point)
                if training.slot(self._driver) not in self._found and self._equal(training) is None:
                    yield training

    def _look(self) -> list[str]:
        """Read what the experiment has of the sweep, and return the names of all its trials."""
        names = list(trial_arns(self._driver.runner.workspace, self._driver.runner.name))
        attempts = attempts_of(self._driver.sweep, names)
        by_name = {trial.name.lower(): trial for trial in self._board()} if attempts else {}
        for slot, attempt in attempts.items():
            every = [by_name.get(self._name(slot, number)) for number in range(attempt, 0, -1)]
            earlier = next(filter(None, every), None)
            if earlier is not None and not belongs_to(earlier, self._driver.sweep, self._spec):
                self._leave_out(_number(slot) // self._spec.repeats)
                continue
            self._found[slot] = Found(attempt, every[0], earlier)
            self._limits.spend({trial.name: trial.cost for trial in every if trial and not self._is_training(trial)})
        if not self._spec.is_grid:
            self._find_others()
        return names

    def _leave_out(self, number: int) -> None:
        """Leave out a number that a trial has in its name which does not belong to the sweep."""
        self._foreign.add(number)
        self._taken.discard(number)
        self._others.pop(number, None)

    def _is_training(self, trial: Trial) -> bool:
        """Whether a trial is one of those that this program trains now."""
        return self._driver.running.has_launched(trial.name)

    def _board(self) -> Leaderboard:
        runner = self._driver.runner
        return Leaderboard.load(runner.workspace, runner.name, objective=self._spec.objective)

    def _name(self, slot: str, attempt: int) -> str:
        return attempt_name(self._driver.sweep, slot, attempt).lower()

    def _find_others(self) -> None:
        """Find the configurations that other programs, or an earlier run, have begun."""
        slots = {int(slot): found for slot, found in self._found.items() if slot == str(_number(slot))}
        repeats = self._spec.repeats
        for number in sorted({slot // repeats for slot in slots} - (self._taken - self._others.keys())):
            of_it = {repeat: slots[slot] for repeat in range(repeats) if (slot := number * repeats + repeat) in slots}
            started = next((found.earlier for found in of_it.values() if found.earlier), None)
            point = None if started is None else point_of(started, self._spec.space)
            other = Configuration(number, point or {})
            other.is_begun = point is not None
            other.trials = {repeat: f.trial for repeat, f in of_it.items() if f.trial and not f.is_open}
            other.values = values_of(other.trials[0], self._spec.objective) if 0 in other.trials else {}
            other.left = 0 if other.is_pruned else repeats - len(other.trials)
            self._others[number] = other
            self._taken.add(number)

    def _tell_others(self) -> None:
        for _, other in sorted(self._others.items()):
            if other.is_begun:
                self._tell(other)
            if not other.left:
                self._limits.learn(other.seen(self._spec.objective))
            for trial in filter(self._is_final, other.trials.values()):
                self._driver.running.found(trial)

    def _part(self) -> None:
        """
        Choose other points than another program, which may have the same seed, from now on.

        Neither shows the other one its points before the job of their trial has started.
        """
        if not self._is_alone or hasattr(self._spec.strategy, "ask"):  # the user's own strategy decides for itself
            return
        self._is_alone = False
        self._strategy = self._make_strategy(secrets.randbits(31))
        for trial in (*self._history, *self._told.values()):
            self._strategy.tell(trial)

    def _tell(self, configuration: Configuration) -> None:
        seen = configuration.seen(self._spec.objective)
        if self._told.get(seen.number) != seen:
            self._told[seen.number] = seen
            self._strategy.tell(seen)

    def has_more(self) -> bool:
        """Whether anything is left to train."""
        with self._lock:
            if training := self._next():
                self._ready.appendleft(training)
            return bool(self._ready)

    def take(self) -> Callable[[], object] | None:
        """Return the training of the next trial; None if nothing is left: for now, while others train, or for good."""
        with self._lock:
            training = self._next()
            if training is None:
                return None
            self._training += 1
            return partial(self._train, training)

    def _next(self) -> PointTraining | None:
        limits = self._limits
        if limits.is_over() or not limits.affords(self._training):
            return None
        if not self._ready:
            self._add_new()
        if not self._ready and not self._is_up_to_date and (self._others or self._left_for_later):
            self._add_others()
        if limits.is_over():
            return None
        if self._ready:
            return self._ready.popleft()
        if self._left_for_later:
            training = self._left_for_later.popleft()
            training.is_awaited = True
            return training
        return None

    def _add_new(self) -> None:
        """Ask the strategy for points, until one has a trial that is ready to be trained, or nothing is left."""
        most = self._spec.max_configurations
        while not self._ready and not self._limits.is_over() and (most is None or len(self._taken) < most):
            point = self._strategy.ask() or self._unused()
            if point is None:
                return
            if not self._spec.is_grid:
                check_point(self._driver.job, dict(point))
            number = next(n for n in itertools.count() if n not in self._taken and n not in self._foreign)
            configuration = Configuration(number, dict(point))
            self._take_on(configuration, is_fixed=self._spec.is_grid)

    def _add_others(self) -> None:
        """Look again, and take on the configurations of other programs that are not complete."""
        self._look_again()
        self._is_up_to_date = True
        for training in self._left_for_later:
            training.submitted = training.submitted or self._handle(self._found.get(training.slot(self._driver)))
        for number, other in sorted(self._others.items()):
            is_complete = not other.left and all(map(self._is_final, other.trials.values()))
            point = other.point if is_complete or other.is_begun else self._strategy.ask() or self._unused()
            if not is_complete and point is not None:
                del self._others[number]
                configuration = Configuration(number, dict(point), is_begun=other.is_begun)
                self._take_on(configuration, is_fixed=other.is_begun)
        self._add_new()

    def _look_again(self) -> None:
        self._driver.scheduler.outliving(self._look)
        self._tell_others()

    def _unused(self) -> Point | None:
        """Return a point that was proposed for a slot that another program took, if no trial has it yet."""
        while self._is_up_to_date and self._discarded:
            point = self._discarded.pop()
            if all(comparable_items(trial.point) != comparable_items(point) for trial in self._told.values()):
                return point
        return None

    def _take_on(self, configuration: Configuration, *, is_fixed: bool) -> None:
        """Add the trials of a configuration that have not ended."""
        configuration.is_begun = configuration.is_begun or is_fixed
        self._ours[configuration.number] = configuration
        self._taken.add(configuration.number)
        for repeat in range(self._spec.repeats):
            training = PointTraining(
                number=configuration.number,
                repeat=repeat,
                point=configuration.point,
                is_fixed=is_fixed or repeat > 0,
            )
            self._place(configuration, training)
        configuration.left = self._spec.repeats - len(configuration.trials)
        self._release(configuration)
        self._settle(configuration)
        if not configuration.left:
            self._limits.learn(configuration.seen(self._spec.objective))

    def _place(self, configuration: Configuration, training: PointTraining) -> None:
        """Put a trial where it belongs by what the experiment has of it."""
        found = self._found.get(training.slot(self._driver)) or self._equal(training)
        if found is None:
            configuration.waiting.append(training)
            return
        training.attempt = found.attempt
        if found.is_open:
            training.submitted = self._handle(found)
            self._left_for_later.append(training)
        elif found.trial is not None and self._is_final(found.trial, found.attempt):
            configuration.trials[training.repeat] = found.trial
            if not training.repeat:
                configuration.values = values_of(found.trial, self._spec.objective)
            self._driver.running.found(found.trial)
        else:
            training.attempt += 1
            configuration.waiting.append(training)

    def _equal(self, training: PointTraining) -> Found | None:
        """Return what the experiment has of a trial with the same hyperparameters, if that counts."""
        if not self._earlier:
            return None
        wanted = comparable_items(self._spec.applied(self._driver.job, training.point, training.repeat)[1])
        same = [trial for trial in self._earlier if comparable_items(trial.hyperparameters) == wanted]
        if varied := comparable_items(of_job(training.point)):  # of the job itself
            same = [trial for trial in same if varied <= comparable_items(trial.configuration)]
        best = next(filter(is_trained, same), next((t for t in same if t.status == "InProgress"), None))
        return None if best is None else Found(1, best, best)

    def _handle(self, found: Found | None) -> SubmittedTrial | None:
        """Return a handle to the job of a slot, if it has one."""
        trial = None if found is None else found.trial
        if trial is None:
            return None
        return SubmittedTrial(self._driver.runner.workspace, trial.name, trial.experiment, trial.job_name)

    def _is_final(self, trial: Trial, attempt: int = 1) -> bool:
        """Whether a trial that has ended is not to be trained again."""
        if is_fault_of_infrastructure(trial, trial.failure_reason) and attempt <= self._driver.retries:
            return False
        return not self._resume or trial.is_pruned or is_trained(trial)

    def _release(self, configuration: Configuration) -> None:
        """Let those repeats start that may."""
        if configuration.is_pruned:
            configuration.left -= len(configuration.waiting)
            configuration.waiting.clear()
        elif configuration.waiting and configuration.waiting[0].repeat == 0:
            self._ready.append(configuration.waiting.popleft())
        if 0 in configuration.trials or (configuration.is_begun and not self._may_prune):
            self._ready.extend(configuration.waiting)
            configuration.waiting.clear()

    def _settle(self, configuration: Configuration) -> None:
        """Tell the strategy of a configuration, and forget it if it is complete."""
        self._tell(configuration)
        if not configuration.left:
            del self._ours[configuration.number]

    def _train(self, training: PointTraining) -> None:
        trial = training.train(self._driver, self)
        with self._lock:
            self._training -= 1
            self._limits.spend(training.costs)
            configuration = self._ours[training.number]
            if trial is None:
                self._leave(configuration, training)
                return
            configuration.trials[training.repeat] = trial
            configuration.left -= 1
            self._release(configuration)
            self._settle(configuration)
            if not configuration.left:
                self._limits.ended(configuration.seen(self._spec.objective), trial.failure_reason)

    def _leave(self, configuration: Configuration, training: PointTraining) -> None:
        """Leave a trial that another program has created for later; a configuration that is not ours, altogether."""
        self._is_up_to_date = False
        if training.is_fixed:
            self._left_for_later.append(training)
            return
        del self._ours[configuration.number]
        self._others[configuration.number] = Configuration(configuration.number, {}, left=self._spec.repeats)
        self._discarded.append(configuration.point)
        self._part()
        self._look_again()

    def began(self, training: PointTraining) -> None:
        """Take into account that a trial is known to have a job, with the point of that job."""
        with self._lock:
            configuration = self._ours[training.number]
            if training.repeat == 0 and not configuration.is_begun:
                configuration.is_begun, configuration.point = True, training.point
                for repeat in configuration.waiting:
                    repeat.point = training.point
                self._release(configuration)
                self._driver.scheduler.announce()
            self._tell(configuration)

    def reported(self, training: PointTraining, point: MetricPoint) -> str:
        """Return why to stop a trial that has reported a value; an empty string to let it train."""
        objective = self._spec.objective
        if objective is None or point.metric != objective.metric or training.repeat or not self._may_prune:
            return ""
        configuration = self._ours[training.number]  # without the lock: a point that is being chosen delays no pruning
        if point.step in configuration.values:
            return ""
        is_hopeless = self._strategy.report(configuration.seen(objective), point.step, point.value)
        configuration.values[point.step] = point.value
        return f"pruned at step {point.step} by {self._spec.pruned_by}" if is_hopeless else ""

    def expired(self) -> str:
        """Return why to stop a trial since the time of the sweep is over; an empty string before."""
        reason = self._limits.out_of_time()
        return f"stopped by the sweep, {reason}" if reason else ""

    @property
    def _may_prune(self) -> bool:
        return bool(self._spec.pruned_by)


def _number(slot: str) -> int:
    return int(slot) if slot.isdecimal() else -1
