"""SweepPlace: the place of a trial in a sweep, stored with its job."""

from collections.abc import Mapping
from typing import Any

import attrs

from mnist_tracking._values.markers import SWEEP
from mnist_tracking._values.recordable import ParameterValue
from mnist_tracking._values.records import own_copy

__all__ = ["SweepPlace", "place_in"]


@attrs.frozen
class SweepPlace:
    """
    The place of a trial in a sweep.

    Attributes:
        sweep: The name of the sweep.
        slot: The trial's slot in the sweep: a number, or the digest of its hyperparameters. Further attempts at it have
            the same slot.
        objective: The metric of the sweep's objective; empty without one.
        repeat: Which repeat of its configuration it is, from 0.
        repeat_by: The hyperparameter in which the repeats of a configuration differ; empty without repeats.
        job: What the sweep varies of the job itself, such as ``{"job:instance_type": "ml.g5.xlarge"}``.
    """

    sweep: str
    slot: str
    objective: str = ""
    repeat: int = 0
    repeat_by: str = ""
    job: Mapping[str, ParameterValue] = attrs.field(factory=dict, converter=own_copy, hash=False)

    def hyperparameters(self) -> dict[str, ParameterValue]:
        """Return the reserved hyperparameter that stores it."""
        stored = attrs.asdict(self, filter=lambda field, value: value not in (field.default, {}))
        return {SWEEP: stored}


def place_in(parameters: Mapping[str, ParameterValue]) -> SweepPlace | None:
    """
    Return the place that the parameters of a trial's training store; None if the trial is not part of a sweep.

    Example:
        >>> place_in(SweepPlace("night", "7", repeat=1).hyperparameters())
        SweepPlace(sweep='night', slot='7', objective='', repeat=1, repeat_by='', job={})
        >>> place_in({"lr": 0.1}) is None
        True
    """
    match parameters.get(SWEEP):
        case {"sweep": str(sweep), "slot": str(slot), **more}:
            known: dict[str, Any] = {
                name: value for name, value in more.items() if name in ("objective", "repeat", "repeat_by", "job")
            }
            return SweepPlace(sweep, slot, **known)
    return None
