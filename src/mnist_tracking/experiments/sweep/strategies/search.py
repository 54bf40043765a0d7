"""Search: a strategy whose points a sampler of Optuna chooses."""

import copy
import math
import random
import threading
from collections.abc import Hashable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import optuna
from optuna.samplers import BaseSampler, BruteForceSampler, GPSampler, RandomSampler, TPESampler
from optuna.trial import TrialState

from mnist_tracking._values.optuna_log import quiet
from mnist_tracking._values.recordable import comparable_items
from mnist_tracking._values.specs import Goal
from mnist_tracking.errors import ConfigError
from mnist_tracking.experiments.sweep.dimensions import Fixed
from mnist_tracking.experiments.sweep.space import Point, Space
from mnist_tracking.experiments.sweep.strategies.points import TriedPoints
from mnist_tracking.experiments.sweep.strategies.protocol import Strategy, SweepTrial
from mnist_tracking.experiments.sweep.strategies.study import SweepStudy, encoded, end_trial, suggest
from mnist_tracking.reading.trial import TrialStatus

__all__ = ["Search"]

_ATTEMPTS = 10  # of a sampler, to propose a point that was not tried and that the rule of the space keeps
_DRAWS = 1000  # at random, after that
_STATELESS = (BruteForceSampler, GPSampler, RandomSampler, TPESampler)  # all that they know is in the trials
_OPEN = ("running", "failed")  # a trial that failed may be tried again


class _Proposal(NamedTuple):
    handle: optuna.Trial
    point: Point


class Search:
    """
    Tries the points that a sampler of Optuna proposes: first the points to try first, and no point twice.

    **Reproducible.** A sampler's random numbers follow from the seed and the number of trials in its study. One trial
    at a time, the same seed proposes the same points, also from a new object for each `ask`, which `tell` has shown all
    trials. A sampler that keeps its state beside the trials, such as CMA-ES, is made to propose the points of those
    trials again.

    **Threads.** `tell` never waits; `ask` takes in its trials, and is called by one thread at a time.

    Args:
        sampler: The sampler.
        space: The space, without explicit points.
        goal: Whether higher or lower values are better.
        seed: The seed.
    """

    def __init__(self, sampler: BaseSampler, space: Space, goal: Goal, *, seed: int) -> None:
        self._sampler = sampler
        self._is_stateless = type(sampler) in _STATELESS
        self._space, self._seed = space, seed
        self._entering = RandomSampler() if self._is_stateless else sampler  # asked for trials that have their points
        self._study = SweepStudy(goal, self._entering)
        self._tried = TriedPoints(space)
        self._asked: dict[Hashable, optuna.Trial] = {}
        self._running: dict[int, tuple[Hashable, optuna.Trial | None]] = {}  # None: its point is not in the space
        self._ended: dict[int, TrialStatus] = {}
        self._news: dict[int, SweepTrial] = {}
        self._receiving, self._asking = threading.Lock(), threading.Lock()

    def ask(self) -> Point | None:
        """
        Return the next point; None if no other one is left.

        Raises:
            ConfigError: If the rule of an infinite space has skipped too many points in a row.
        """
        with self._asking, quiet():
            self._take_news()
            proposal = self._next()
            if proposal is None:
                return None
            self._tried.add(proposal.point)
            self._asked[comparable_items(proposal.point)] = proposal.handle
            return proposal.point

    def report(self, trial: SweepTrial, step: int, value: float) -> bool:  # noqa: ARG002 - the protocol's names
        """Stop no trial."""
        return False

    def tell(self, trial: SweepTrial) -> None:
        """Take a trial into account, in the next `ask`."""
        with self._receiving:
            before = self._news.get(trial.number)
            if before is None or before.status in _OPEN:
                self._news[trial.number] = trial

    def _take_news(self) -> None:
        with self._receiving:
            news, self._news = self._news, {}
        for _, trial in sorted(news.items()):
            self._take(trial)

    def _take(self, trial: SweepTrial) -> None:
        """Enter a trial into the study, unless it is there, and end it there if it has ended."""
        before = self._ended.get(trial.number)
        if before is not None and (before not in _OPEN or trial.status == before):
            return
        key = comparable_items(trial.point)
        known, handle = self._running.get(trial.number, (None, None))
        if known != key:  # it is new, or another program has started it with another point
            if handle is not None:
                self._study.tell(handle, state=TrialState.FAIL)
            self._running[trial.number] = key, self._started(trial)
        if trial.status != "running":
            _, handle = self._running.pop(trial.number)
            self._ended[trial.number] = trial.status
            if handle is not None:
                for step, value in sorted(trial.values.items()):
                    if not math.isnan(value):
                        handle.report(value, step)
                end_trial(self._study, handle, trial)

    def _started(self, trial: SweepTrial) -> optuna.Trial | None:
        """Return a trial as a running one of the study; None if its point is not in the space."""
        key = comparable_items(trial.point)
        handle = self._asked.pop(key, None)
        if handle is None and self._space.contains(trial.point):
            handle = self._repeated(trial, key) or self._entered(dict(trial.point))
        self._tried.add_trial(trial)
        return handle

    def _repeated(self, trial: SweepTrial, key: Hashable) -> optuna.Trial | None:
        """Return the trial that the sampler proposes, if it has a state to advance and that is the trial to enter."""
        if self._is_stateless or trial.number < 0:
            return None
        proposal = self._next()
        if proposal is None or comparable_items(proposal.point) == key:
            return proposal and proposal.handle
        self._study.tell(proposal.handle, state=TrialState.FAIL)
        return None

    def _entered(self, point: Point) -> optuna.Trial:
        """Return a running trial of the study with a certain point."""
        dimensions = self._space.dimensions
        self._study.enqueue_trial(
            {
                name: encoded(dimensions[name], value)
                for name, value in point.items()
                if not isinstance(dimensions[name], Fixed)
            }
        )
        return self._drawn().handle

    def _next(self) -> _Proposal | None:
        """Return a new trial with the next point; None if none is left."""
        first = self._tried.next_first()
        return self._proposed() if first is None else _Proposal(self._entered(first), first)

    def _proposed(self) -> _Proposal | None:
        """Return a new trial with a point that was not tried; None if none is left."""
        if self._study.is_over or (self._tried.are_listed and self._tried.next_of_grid() is None):
            return None
        discarded: list[_Proposal] = []  # running until then, so that a sampler looks elsewhere
        try:
            for sampler in self._samplers(discarded):
                self._study.sampler = sampler
                proposal = self._drawn()
                if self._tried.is_open(proposal.point):
                    return proposal
                discarded.append(proposal)
        finally:
            self._study.sampler = self._entering
            for each in discarded:
                self._study.tell(each.handle, state=TrialState.FAIL)
        left = self._tried.next_of_grid() if self._tried.are_listed else None
        if left is None:
            raise ConfigError(
                f"where= has skipped {_DRAWS:,} random points in a row. Make the rule less strict, or the ranges "
                "narrower."
            )
        return _Proposal(self._entered(left), left)

    def _drawn(self) -> _Proposal:
        handle = self._study.ask()
        return _Proposal(handle, self._space.draw(partial(suggest, handle)))

    def _samplers(self, discarded: list[_Proposal]) -> Iterator[BaseSampler]:
        """Yield the sampler of each attempt at a point: the strategy's, until it repeats itself, then random ones."""
        seed = f"{self._seed}/{len(self._asked) + len(self._running.keys() | self._ended.keys())}"
        for attempt in range(_ATTEMPTS):
            if len({comparable_items(each.point) for each in discarded}) < len(discarded):
                break
            yield _seeded(self._sampler, f"{seed}/{attempt}") if self._is_stateless else self._sampler
        for attempt in range(_DRAWS):
            yield _seeded(RandomSampler(), f"{seed}/random/{attempt}")


def _seeded(sampler: BaseSampler, seed: str) -> BaseSampler:
    """Return a copy of a sampler whose random numbers follow from a seed."""
    seeded = copy.deepcopy(sampler)
    for generator in _generators(seeded):
        generator.seed(random.Random(seed).getrandbits(32))  # noqa: S311 - no secret
    return seeded


def _generators(sampler: BaseSampler) -> Iterator[Any]:
    """Yield the random number generators of a sampler, and of the samplers that it calls."""
    for value in vars(sampler).values():
        if isinstance(value, BaseSampler):
            yield from _generators(value)
        elif hasattr(value, "rng"):
            yield value.rng


if TYPE_CHECKING:
    _: Strategy = Search(RandomSampler(), Space(dimensions={}), "maximize", seed=0)
