"""Strategy, which chooses the points of a sweep and stops its trials, and SweepTrial, a trial as it sees one."""

from collections.abc import Mapping
from typing import Protocol

import attrs

from mnist_tracking._values.records import ParameterValue, own_copy
from mnist_tracking.reading.trial import TrialStatus

__all__ = ["Strategy", "SweepTrial"]


def _by_step(values: Mapping[int, float]) -> Mapping[int, float]:
    return dict(values)


@attrs.frozen
class SweepTrial:
    """
    A trial of a sweep, as its strategy sees it.

    In a sweep with ``repeats``, it stands for a configuration: its value is the mean of the repeats, and its values by
    step are those of the first one.

    Attributes:
        number: Its number in the sweep, from 0; trials of earlier experiments have negative numbers.
        point: Its values, by parameter of the space.
        status: ``"running"``, or how it ended: ``"completed"``; ``"pruned"``, if the strategy has stopped it;
            ``"stopped"``, by a time limit or a person; or ``"failed"``.
        value: Its value for the objective, as a leaderboard computes it; None if it has none, as when it diverged.
        values: The values of the objective's metric that it has reported, by step.
    """

    number: int
    point: Mapping[str, ParameterValue] = attrs.field(converter=own_copy, hash=False)
    status: TrialStatus = "running"
    value: float | None = attrs.field(default=None, kw_only=True)
    values: Mapping[int, float] = attrs.field(factory=dict, converter=_by_step, hash=False, kw_only=True)


class Strategy(Protocol):
    """
    Chooses the points of a sweep, and stops trials that are not worth finishing.

    The experiment is the only state: a sweep that is resumed, or that another program has joined, calls `tell` with
    all of its trials before the first `ask`, in the order of their numbers, running ones included. The methods are
    called from several threads, one at a time.
    """

    def ask(self) -> Mapping[str, ParameterValue] | None:
        """Return the next point, another one in each call; None if nothing is left to try for now."""

    def report(self, trial: SweepTrial, step: int, value: float) -> bool:
        """
        Return whether to stop a running trial.

        Args:
            trial: The trial; its ``values`` are those before this one.
            step: The step of the value; steps may be late, repeated or missing.
            value: The value of the objective's metric at that step.
        """

    def tell(self, trial: SweepTrial) -> None:
        """
        Take a trial into account that has started or ended, even if this strategy did not propose it.

        A later call with the same number replaces an earlier one. Its point counts as tried from then on.
        """
