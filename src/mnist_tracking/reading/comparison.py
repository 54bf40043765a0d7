"""What differs between trials, steps included."""

import html
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import takewhile
from typing import TYPE_CHECKING

import attrs

from mnist_tracking._values.markers import RESERVED, SWEEP
from mnist_tracking._values.provenance import Provenance
from mnist_tracking._values.recordable import as_text, comparable
from mnist_tracking._values.records import Component
from mnist_tracking._values.tables import Kind, Table
from mnist_tracking._values.text import ellipsize, html_table, plural, printable
from mnist_tracking.errors import ConfigError
from mnist_tracking.reading.trial import Trial

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Comparison", "Difference", "compare"]

_Key = tuple[str, str, str]
_KINDS = ("step", "status", "provenance", "input", "parameter", "metric")
_WIDTH, _NARROWEST, _LONGEST_NAME = 100, 12, 30
_OWN = ("sagemaker_job_name", "sagemaker_submit_directory", SWEEP)  # of a job alone; its code is compared separately


@attrs.frozen
class Difference:
    """
    A difference between trials.

    Attributes:
        step: The step it is recorded in, such as ``"Training"``.
        kind: Its kind: ``"parameter"``, ``"metric"``, ``"input"``, ``"provenance"``, ``"status"`` or ``"step"``.
        name: Its name.
        values: A value per trial, in their order; None for a trial without one.
        recorded: Whether each trial has one: a parameter may be recorded as None.
    """

    step: str
    kind: str
    name: str
    values: tuple[object, ...] = attrs.field(hash=False)  # lists and mappings may be among them
    recorded: tuple[bool, ...]


@attrs.frozen(repr=False)
class Comparison:
    """
    The differences between trials; what they have in common is left out. A snapshot.

    Attributes:
        trials: Their names, in the given order.
        differences: By step in order of creation, then status, provenance, inputs, parameters and metrics.

    Example:
        >>> with Workspace.embedded() as workspace:
        ...     runner = ExperimentRunner(workspace, "churn")
        ...     for name, strength in (("weak", 0.1), ("strong", 1.0)):
        ...         with runner.trial({"C": strength, "seed": 1}, name=name):
        ...             pass
        ...     print(workspace.compare("weak", "strong"))
            step      kind name weak strong
        Training parameter    C  0.1    1.0
    """

    trials: tuple[str, ...]
    differences: tuple[Difference, ...]

    def __repr__(self) -> str:
        return f"<Comparison of {', '.join(self.trials)}: {plural(len(self.differences), 'difference')}>"

    def __str__(self) -> str:
        return printable(_table(self)) if self.differences else f"no differences: {self!r}"

    def _repr_html_(self) -> str:
        title = f"comparison of {', '.join(self.trials)}: {plural(len(self.differences), 'difference')}"
        return html_table(self.dataframe(), title=title) if self.differences else f"<p>{html.escape(title)}</p>"

    def dataframe(self) -> "pd.DataFrame":
        """Return a row per difference: step, kind, name, and a column per trial."""
        return comparison_table(self).dataframe()


def comparison_table(comparison: Comparison) -> Table:
    """Return the table of a comparison; what a trial has not is missing."""
    rows = [
        {
            "step": one.step,
            "kind": one.kind,
            "name": one.name,
            **{
                trial: value
                for trial, value, there in zip(comparison.trials, one.values, one.recorded, strict=True)
                if there
            },
        }
        for one in comparison.differences
    ]
    columns: dict[str, Kind] = {"step": "string", "kind": "string", "name": "string"}
    return Table({**columns, **dict.fromkeys(comparison.trials, "object")}, rows)


def _table(comparison: Comparison) -> str:
    """Return a table that fits a screen: long values lose what they have in common, then their middle."""
    first = [[d.step, d.kind, ellipsize(d.name, _LONGEST_NAME)] for d in comparison.differences]
    taken = sum(max(map(len, column)) + 1 for column in zip(*first, strict=True))
    room = max((_WIDTH - taken) // len(comparison.trials) - 1, _NARROWEST)
    names = [ellipsize(name, room) for name in comparison.trials]
    titles = names if len(set(names)) == len(names) else comparison.trials
    rows = [
        before + [ellipsize(text, room) for text in _distinct(d, room)]
        for before, d in zip(first, comparison.differences, strict=True)
    ]
    return _aligned([["step", "kind", "name", *titles], *rows])


def _distinct(difference: Difference, room: int) -> list[str]:
    """
    Return the values as strings, a recorded parameter so that it shows its type, and nothing for a missing value.

    Long locations lose the folders that they share.
    """
    as_string = as_text if difference.kind == "parameter" else str
    shown = [
        as_string(value) if there else ""  # type: ignore[arg-type]
        for value, there in zip(difference.values, difference.recorded, strict=True)
    ]
    places = [text for text in shown if "://" in text]
    if len(places) < sum(difference.recorded) or max(map(len, shown)) <= room:
        return shown
    paths = [text.split("/") for text in places]
    begin = _alike(paths)
    end = _alike([path[begin:][::-1] for path in paths]) if len(set(places)) > 1 else 0
    short = {"/".join(p): "/".join(["…", *p[begin : len(p) - end], *(["…"] if end else [])]) for p in paths}
    return [short.get(text, text) for text in shown]


def _alike(paths: Sequence[Sequence[str]]) -> int:
    """Return how many leading folders all paths share; the last part of a path counts as different."""
    folders = zip(*(path[:-1] for path in paths), strict=False)
    return sum(1 for _ in takewhile(lambda names: len(set(names)) == 1, folders))


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(" ".join(text.rjust(width) for text, width in zip(row, widths, strict=True)) for row in rows)


def compare(trials: Iterable[Trial]) -> Comparison:
    """
    Compare trials.

    Raises:
        ConfigError: If there are fewer than two, or one is given twice.
    """
    compared = list(trials)
    names = tuple(trial.name for trial in compared)
    if len(set(names)) < max(2, len(names)):
        raise ConfigError(
            f"compare() got {', '.join(map(repr, names)) or 'no trials'}; expected two or more different trials."
        )
    facts = [_facts(trial.steps) for trial in compared]
    keys = dict.fromkeys(key for found in facts for key in found)
    steps = list(dict.fromkeys(step for step, _, _ in keys))
    ordered = sorted(keys, key=lambda key: (steps.index(key[0]), _KINDS.index(key[1]), key[2]))
    rows = [
        Difference(*key, tuple(found.get(key) for found in facts), tuple(key in found for found in facts))
        for key in ordered
        if _differs(key, facts)
    ]
    return Comparison(names, tuple(rows))


def _differs(key: _Key, facts: Iterable[Mapping[_Key, object]]) -> bool:
    """Whether not all trials have the same; only a trial that has a step has its provenance."""
    step, kind, _ = key
    having = (found for found in facts if kind != "provenance" or (step, "step", "recorded") in found)
    return len({(key in found, comparable(found.get(key))) for found in having}) > 1


def _provenance(found: Provenance) -> Iterator[tuple[str, object]]:
    """Yield what is recorded of the code and what it ran in, without the command, which differs for most trials."""
    for name in ("commit", "is_dirty", "repository", "python", "platform"):
        if (value := getattr(found, name)) is not None:
            yield name, value
    yield from sorted(found.packages.items())


def _is_compared(parameter: str) -> bool:
    return parameter not in _OWN and not parameter.startswith(RESERVED)


def _facts(components: Iterable[Component]) -> Mapping[_Key, object]:
    """Return what is recorded for a trial; the last of several steps of one name counts."""
    facts: dict[_Key, object] = {}
    for component in components:
        step = component.display_name
        facts[step, "step", "recorded"] = True
        facts[step, "status", "status"] = component.status
        facts |= {(step, "provenance", name): value for name, value in _provenance(component.provenance)}
        facts |= {(step, "input", item.name): item.uri for item in component.inputs}
        facts |= {(step, "parameter", n): value for n, value in component.parameters.items() if _is_compared(n)}
        facts |= {(step, "metric", name): last for name, last in component.last_values.items()}
    return facts
