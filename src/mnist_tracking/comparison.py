"""What differs between trials, steps included."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import attrs

from mnist_tracking.errors import ConfigError
from mnist_tracking.records import Component
from mnist_tracking.trials import Trial

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Comparison", "Difference", "compare"]

_Key = tuple[str, str, str]
_KINDS = ("step", "status", "input", "parameter", "metric")
_OWN = ("sagemaker_job_name", "sagemaker_submit_directory")  # differ for every job; the code is compared by itself


@attrs.frozen
class Difference:
    """
    Something that is not the same in all trials.

    Attributes:
        step: The step it is recorded in, such as ``"Training"``.
        kind: ``"parameter"``, ``"metric"``, ``"input"``, ``"status"`` or ``"step"``.
        name: Its name.
        values: One for each trial, in their order; None where a trial has none.
    """

    step: str
    kind: str
    name: str
    values: tuple[object, ...]


@attrs.frozen(repr=False)
class Comparison:
    """
    What differs between some trials; what is the same in all of them is left out. A snapshot.

    Attributes:
        trials: Their names, in the order they were given.
        differences: By step, in order of creation; in each step its status, inputs, parameters and metrics.

    Example:
        >>> with Workspace.embedded() as workspace:
        ...     runner = ExperimentRunner(workspace, "churn")
        ...     for name, strength in (("weak", 0.1), ("strong", 1.0)):
        ...         with runner.trial({"C": strength, "seed": 1}, name=name):
        ...             pass
        ...     print(workspace.compare("weak", "strong"))
            step      kind name weak strong
        Training parameter    C  0.1      1
    """

    trials: tuple[str, ...]
    differences: tuple[Difference, ...]

    def __repr__(self) -> str:
        return f"<Comparison of {', '.join(self.trials)}: {len(self.differences)} differences>"

    def __str__(self) -> str:
        return str(self.dataframe().to_string(index=False)) if self.differences else f"no differences: {self!r}"

    def _repr_html_(self) -> str:
        return str(self.dataframe().to_html(index=False))

    def dataframe(self) -> "pd.DataFrame":
        """Return a row per difference: step, kind, name, and a column for each trial."""
        import pandas as pd

        rows = [
            {"step": d.step, "kind": d.kind, "name": d.name, **dict(zip(self.trials, d.values, strict=True))}
            for d in self.differences
        ]
        return pd.DataFrame(rows, columns=["step", "kind", "name", *self.trials], dtype=object)


def compare(trials: Iterable[Trial]) -> Comparison:
    """
    Compare trials.

    Raises:
        ConfigError: If there are fewer than two, or one is there twice.
    """
    compared = list(trials)
    names = tuple(trial.trial_name for trial in compared)
    if len(set(names)) < max(2, len(names)):
        raise ConfigError(
            f"compare() was given {', '.join(map(repr, names)) or 'nothing'}; it takes two or more trials."
        )
    facts = [_facts(trial.components) for trial in compared]
    keys = dict.fromkeys(key for found in facts for key in found)
    steps = list(dict.fromkeys(step for step, _, _ in keys))
    ordered = sorted(keys, key=lambda key: (steps.index(key[0]), _KINDS.index(key[1]), key[2]))
    rows = [Difference(*key, tuple(found.get(key) for found in facts)) for key in ordered]
    return Comparison(names, tuple(row for row in rows if any(value != row.values[0] for value in row.values)))


def _facts(components: Iterable[Component]) -> Mapping[_Key, object]:
    """Return what is recorded of a trial; of several steps of one name the last counts."""
    facts: dict[_Key, object] = {}
    for component in components:
        step = component.display_name
        facts[step, "step", "recorded"] = True
        facts[step, "status", "status"] = component.status
        facts |= {(step, "input", item.name): item.uri for item in component.inputs}
        facts |= {(step, "parameter", name): value for name, value in component.parameters.items() if name not in _OWN}
        facts |= {(step, "metric", name): metric.last for name, metric in component.metrics.items()}
    return facts
