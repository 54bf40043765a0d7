"""Standing: how trials stand while they train, in a memory that does not grow with what they log."""

import math
import re
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence

import attrs

from mnist_tracking._values.epochs import Place
from mnist_tracking._values.records import ParameterValue
from mnist_tracking._values.sparkline import Curve
from mnist_tracking._values.specs import JobSpec, Objective
from mnist_tracking._values.text import duration, number, value_text
from mnist_tracking.reading.scores import score
from mnist_tracking.reading.trial import Trial, status_of

__all__ = ["ENDS", "Planned", "Row", "Standing", "known_epochs", "roughly", "status_word"]

ENDS = ("completed", "pruned", "stopped", "failed")
_KEPT = 100
"""How many of the trials that have ended are kept to be shown."""
_LEAST_COST = 0.01  # US dollars; less is not shown
_SHORTER = {"LaunchingMLInstances": "launching", "PreparingTrainingStack": "preparing"}


@attrs.frozen
class Planned:
    """
    What is known of trials before they start.

    Attributes:
        points: The hyperparameters of the trials to come, as far as they are known.
        names: The hyperparameters that label the trials; without any, their names do.
        total: How many trials are to come in all, if more than *points*.
        max_parallel: How many may train at once.
        sweep: The name of their sweep; theirs begin with it.
    """

    points: Sequence[Mapping[str, ParameterValue]] = ()
    names: Sequence[str] = ()
    total: int | None = None
    max_parallel: int = 1
    sweep: str = ""


@attrs.define(eq=False)
class Row:
    """
    A trial as it is shown.

    Attributes:
        point: The hyperparameters that it is labelled with.
        number: Its number in the order of the starts, from 1; 0 if it has not started.
        trial: Its name, without that of its sweep.
        status: What it is doing, in a word.
        begun: When it started, by the clock of its standing.
        ended: When it ended.
        epoch: The epoch that it has reached; 0 if it has printed none.
        share: How much of that epoch is done, from 0 to 1.
        epochs: How many epochs it trains; 0 if that is not known.
        curve: The shape of the metric that is followed.
        last: The last value of each metric: a number, or what it ends with that is not finite.
        value: Its value for the objective so far.
        tail: The last values of the metric that is followed, as many as the objective needs.
        count: How many values of that metric there were.
    """

    point: Mapping[str, ParameterValue]
    number: int = 0
    trial: str = ""
    status: str = "waiting"
    begun: float | None = None
    ended: float | None = None
    epoch: int = 0
    share: float = 0.0
    epochs: int = 0
    curve: Curve = attrs.field(factory=Curve)
    last: dict[str, float | str] = attrs.field(factory=dict)
    value: float | None = None
    tail: deque[float] = attrs.field(factory=lambda: deque(maxlen=1))
    count: int = 0
    _place: Place = attrs.field(factory=Place)

    @property
    def values(self) -> str:
        """The hyperparameters that it is labelled with, as text."""
        return ", ".join(f"{name}={value_text(value)}" for name, value in self.point.items())

    def seconds(self, now: float) -> float:
        """How long it has been training."""
        return 0.0 if self.begun is None else (now if self.ended is None else self.ended) - self.begun

    def read(self, line: str) -> None:
        """Read the epoch from a line of the log; one that only mentions an earlier epoch changes nothing."""
        self._place.read(line)
        if (self._place.epoch or 0) >= self.epoch:
            self.epoch, self.share = self._place.epoch or 0, self._place.share

    def follow(self, value: float, statistic: str) -> None:
        """Add a value of the metric that is followed."""
        self.curve.add(value)
        self.tail.append(value)
        self.count += 1
        before = value if self.value is None else self.value
        match statistic:
            case "max":
                self.value = max(before, value)
            case "min":
                self.value = min(before, value)
            case "avg":
                self.value = before + (value - before) / self.count
            case _:
                self.value = math.fsum(self.tail) / len(self.tail)


class Standing:
    """
    How trials stand: those that are running, the best that have ended, and the counts of all.

    Args:
        job: What they train.
        planned: What is known of them before they start.
        clock: The time in seconds.

    Attributes:
        followed: The metric whose values are followed: that of the objective, or the first.
        counts: How many trials have ended, by how.
        diverged: How many have ended with a value of the objective that is not finite.
        is_over: Whether no more trials will start.
    """

    def __init__(self, job: JobSpec, planned: Planned, *, clock: Callable[[], float]) -> None:
        self._objective = job.objective or (Objective(job.metrics[0].name) if job.metrics else None)
        self._is_ranked = job.objective is not None
        self.followed = self._objective.metric if self._objective else ""
        self._waiting = list(planned.points)
        self._planned, self.clock = planned, clock
        self._running: dict[str, Row] = {}
        self._ended: list[Row] = []
        self._started = self._timed = 0
        self._spent_s = 0.0
        self.counts: Counter[str] = Counter()
        self.diverged = 0
        self.is_over = False
        self._cost, self._priced = 0.0, ""

    @property
    def total(self) -> int:
        """How many trials there are, those to come included."""
        return max(self._planned.total or 0, self._started + len(self._waiting))

    @property
    def ended(self) -> int:
        """How many trials have ended."""
        return self.counts.total()

    def start(self, trial_name: str, hyperparameters: Mapping[str, ParameterValue]) -> Row:
        """Add a trial that was started."""
        row = self._running[trial_name] = self._new(trial_name, hyperparameters)
        row.status, row.begun = "starting", self.clock()
        return row

    def found(self, trial: Trial) -> None:
        """Add a trial that has ended elsewhere."""
        row = self._new(trial.name, trial.hyperparameters)
        row.begun, row.ended = 0.0, trial.duration_s or 0.0
        for value in trial.reported.values():
            row.curve.add(value)
        self._finish(row, trial)

    def _new(self, trial_name: str, hyperparameters: Mapping[str, ParameterValue]) -> Row:
        for place, point in enumerate(self._waiting):
            if all(hyperparameters.get(name) == value for name, value in point.items()):
                del self._waiting[place]
                break
        self._started += 1
        return Row(
            {name: hyperparameters[name] for name in self._planned.names if name in hyperparameters},
            self._started,
            trial_name.removeprefix(f"{self._planned.sweep}-"),
            epochs=known_epochs(hyperparameters),
            tail=deque(maxlen=(self._objective and self._objective.window) or 1),
        )

    def running(self, trial_name: str) -> Row | None:
        """Return the row of a trial that is running."""
        return self._running.get(trial_name)

    def report(self, row: Row, metric: str, value: float) -> None:
        """Add a value of a metric."""
        row.last[metric] = value
        if self._objective and metric == self.followed:
            row.follow(value, self._objective.statistic)

    def end(self, trial: Trial) -> Row:
        """Add how a trial has ended."""
        row = self._running.pop(trial.name)
        row.ended = self.clock()
        self._finish(row, trial)
        return row

    def _finish(self, row: Row, trial: Trial) -> None:
        row.status = status_of(trial)
        row.last = {**row.last, **trial.last_values}
        if self._objective:
            row.value = score(trial, self._objective)
            self.diverged += self.followed in trial.non_finite
        if (cost := trial.cost) is not None:
            self._cost, self._priced = self._cost + cost, trial._account.prices.date
        self.counts[row.status] += 1
        if row.status != "failed":
            self._timed, self._spent_s = self._timed + 1, self._spent_s + row.seconds(0.0)
        self._ended.append(row)
        if len(self._ended) > _KEPT:
            self._ended.remove(max(self._ended, key=self._rank))

    def _rank(self, row: Row) -> tuple[bool, bool, float]:
        """Return the key that sorts ended trials by their value, the best first."""
        sign = -1.0 if self._objective and self._objective.goal == "maximize" else 1.0
        is_comparable = self._is_ranked and row.value is not None
        return (row.status != "completed", not is_comparable, sign * row.value if is_comparable and row.value else 0.0)

    @property
    def best(self) -> Row | None:
        """The completed trial with the best value; None without an objective."""
        best = min(self._ended, key=self._rank, default=None)
        return best if best and self._is_ranked and best.status == "completed" and best.value is not None else None

    @property
    def left_s(self) -> float | None:
        """The time until all have ended, estimated from those that have; None if none has."""
        now, waiting = self.clock(), self.total - self._started
        if self.is_over or not self._timed or not (waiting or self._running):
            return None
        each = self._spent_s / self._timed
        rests = [max(each - row.seconds(now), 0.0) for row in self._running.values()]
        at_once = max(1, min(self._planned.max_parallel, waiting + len(rests)))
        return max([(each * waiting + sum(rests)) / at_once, *rests])

    def rows(self, room: int) -> list[Row]:
        """Return the trials that are shown: all if there is room, else the best that have ended, and the running."""
        known = [*self._ended, *self._running.values()]
        if self.ended + len(self._running) + len(self._waiting) <= room:
            waiting = [
                Row({name: point[name] for name in self._planned.names if name in point}) for point in self._waiting
            ]
            return [*sorted(known, key=lambda row: row.number), *waiting]
        running = list(self._running.values())[: max(1, room - min(len(self._ended), max(1, room // 3)))]
        best = sorted(self._ended, key=self._rank)[: max(room - len(running), 0)]
        return [*best, *running]

    def summary(self) -> str:
        """Return the counts, the time that is left, and the cost, as far as they are known."""
        waiting = self.total - self._started
        parts = [f"{len(self._running)} running"] if self._running else []
        parts += [f"{waiting} {'not trained' if self.is_over else 'waiting'}"] if waiting else []
        parts += [f"{self.counts[end]} {end}" for end in ENDS if self.counts[end]]
        parts += [f"{self.diverged} diverged"] if self.diverged else []
        left = self.left_s
        parts += [f"about {roughly(left)} left"] if left is not None else []
        parts += [f"{self._cost:.2f} USD at list prices of {self._priced}"] if self._cost >= _LEAST_COST else []
        return ", ".join(parts)

    def best_so_far(self) -> str:
        """Return the best value so far, and what it was reached with; empty before the first one."""
        best = self.best
        if best is None or best.value is None:
            return ""
        return ": ".join(
            [f"best {self.followed} {number(best.value)} in trial {best.trial}", *filter(None, [best.values])]
        )


def known_epochs(hyperparameters: Mapping[str, ParameterValue]) -> int:
    """
    Return how many epochs a job trains, if that is one of its hyperparameters; 0 if it is not known.

    Example:
        >>> known_epochs({"epochs": 5}), known_epochs({"epochs": "all"}), known_epochs({})
        (5, 0, 0)
    """
    epochs = hyperparameters.get("epochs")
    return epochs if isinstance(epochs, int) and epochs > 0 else 0


def status_word(secondary_status: str) -> str:
    """
    Return a job's secondary status in a word.

    Example:
        >>> status_word("LaunchingMLInstances"), status_word("MaxRuntimeExceeded"), status_word("Training")
        ('launching', 'max', 'training')
    """
    return _SHORTER.get(secondary_status) or re.split(r"(?<=[a-z])(?=[A-Z])", secondary_status)[0].lower()


def roughly(seconds: float) -> str:
    """
    Return a time that is only estimated, rounded up: to ten seconds, to minutes, or to ten minutes.

    Example:
        >>> roughly(12.3), roughly(61), roughly(5_000)
        ('20 s', '2 min', '1 h 30 min')
    """
    unit = 10 if seconds <= 50 else 60 if seconds < 3_600 else 600
    return duration(max(1, math.ceil(seconds / unit)) * unit)
