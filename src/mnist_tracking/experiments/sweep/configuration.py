"""Configuration: a point of a sweep with the trials that train it, and Found: what an experiment has of one of them."""

from collections import deque
from statistics import fmean

import attrs

from mnist_tracking._values.specs import Objective
from mnist_tracking.experiments.sweep.point import PointTraining, has_ended
from mnist_tracking.experiments.sweep.space import Point
from mnist_tracking.experiments.sweep.strategies.protocol import SweepTrial
from mnist_tracking.reading.scores import score
from mnist_tracking.reading.trial import Trial, TrialStatus, status_of


@attrs.frozen
class Found:
    """
    What the experiment has of a slot.

    Attributes:
        attempt: The number of the last attempt at it.
        trial: That attempt; None if it has no job.
        earlier: An attempt that has a job.
    """

    attempt: int
    trial: Trial | None
    earlier: Trial | None

    @property
    def is_open(self) -> bool:
        """Whether its job has not ended, or was not started."""
        return self.trial is None or not has_ended(self.trial)


@attrs.define(eq=False)
class Configuration:
    """
    A point, and the trials that train it: one, or several repeats.

    Attributes:
        number: Its number in the sweep, from 0.
        point: The values of the parameters.
        waiting: The repeats that may not be started yet.
        left: The number of its trials that have not ended.
        trials: Those that have ended, by repeat.
        values: The values of the objective that the first repeat has reported, by step.
        is_begun: Whether the job of the first repeat is known to exist, and to have this point.
    """

    number: int
    point: Point
    waiting: deque[PointTraining] = attrs.field(factory=deque)
    left: int = 0
    trials: dict[int, Trial] = attrs.field(factory=dict)
    values: dict[int, float] = attrs.field(factory=dict)
    is_begun: bool = False

    @property
    def is_pruned(self) -> bool:
        """Whether its first trial was pruned, after which the others are not trained."""
        return 0 in self.trials and self.trials[0].is_pruned

    def seen(self, objective: Objective | None) -> SweepTrial:
        """Return it as its strategy sees it: as one trial, whose value is the mean of its repeats."""
        if self.left:
            return SweepTrial(self.number, self.point, values=self.values)
        scores = [score(trial, objective) for trial in self.trials.values()] if objective else []
        known = [value for value in scores if value is not None]
        return SweepTrial(
            self.number, self.point, self._status, value=fmean(known) if known else None, values=self.values
        )

    @property
    def _status(self) -> TrialStatus:
        """How it has ended: as its first trial if that was pruned, else as its best one."""
        statuses: list[TrialStatus] = [status_of(trial) for _, trial in sorted(self.trials.items())]
        return "completed" if "completed" in statuses and not self.is_pruned else statuses[0]
