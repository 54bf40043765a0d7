"""What differs between trials, steps included."""

import html
from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile
from typing import TYPE_CHECKING

import attrs

from mnist_tracking._values.records import Component
from mnist_tracking._values.text import cut, html_table, plural
from mnist_tracking.errors import ConfigError
from mnist_tracking.reading.trial import Trial

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Comparison", "Difference", "compare"]

_Key = tuple[str, str, str]
_KINDS = ("step", "status", "input", "parameter", "metric")
_WIDTH, _NARROWEST, _LONGEST_NAME = 100, 12, 30
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
        return f"<Comparison of {', '.join(self.trials)}: {plural(len(self.differences), 'difference')}>"

    def __str__(self) -> str:
        return _table(self) if self.differences else f"no differences: {self!r}"

    def _repr_html_(self) -> str:
        title = f"comparison of {', '.join(self.trials)}: {plural(len(self.differences), 'difference')}"
        return html_table(self.dataframe(), title=title) if self.differences else f"<p>{html.escape(title)}</p>"

    def dataframe(self) -> "pd.DataFrame":
        """Return a row per difference: step, kind, name, and a column for each trial."""
        import pandas as pd

        rows = [
            {"step": d.step, "kind": d.kind, "name": d.name, **dict(zip(self.trials, d.values, strict=True))}
            for d in self.differences
        ]
        return pd.DataFrame(rows, columns=["step", "kind", "name", *self.trials], dtype=object)


def _table(comparison: Comparison) -> str:
    """Return what fits a screen: long texts without what they have in common, and without their middle."""
    first = [[d.step, d.kind, cut(d.name, _LONGEST_NAME)] for d in comparison.differences]
    taken = sum(max(map(len, column)) + 1 for column in zip(*first, strict=True))
    room = max((_WIDTH - taken) // len(comparison.trials) - 1, _NARROWEST)
    names = [cut(name, room) for name in comparison.trials]
    titles = names if len(set(names)) == len(names) else comparison.trials
    rows = [
        before + [cut(text, room) for text in _told_apart(d.values, room)]
        for before, d in zip(first, comparison.differences, strict=True)
    ]
    return _aligned([["step", "kind", "name", *titles], *rows])


def _told_apart(values: Sequence[object], room: int) -> list[str]:
    """Return values as texts; of locations that are too long, the folders that they share are left out."""
    texts = [str(value) for value in values]
    places = [text for text in texts if "://" in text]
    if len(places) < len(texts) - values.count(None) or max(map(len, texts)) <= room:
        return texts
    paths = [text.split("/") for text in places]
    begin = _alike(paths)
    end = _alike([path[begin:][::-1] for path in paths]) if len(set(places)) > 1 else 0
    shown = {"/".join(p): "/".join(["…", *p[begin : len(p) - end], *(["…"] if end else [])]) for p in paths}
    return [shown.get(text, text) for text in texts]


def _alike(paths: Sequence[Sequence[str]]) -> int:
    """Return with how many folders all of them begin; what is last in one counts as different."""
    folders = zip(*(path[:-1] for path in paths), strict=False)
    return sum(1 for _ in takewhile(lambda names: len(set(names)) == 1, folders))


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(" ".join(text.rjust(width) for text, width in zip(row, widths, strict=True)) for row in rows)


def compare(trials: Iterable[Trial]) -> Comparison:
    """
    Compare trials.

    Raises:
        ConfigError: If there are fewer than two, or one is there twice.
    """
    compared = list(trials)
    names = tuple(trial.name for trial in compared)
    if len(set(names)) < max(2, len(names)):
        raise ConfigError(
            f"compare() was given {', '.join(map(repr, names)) or 'nothing'}; it takes two or more trials."
        )
    facts = [_facts(trial.steps) for trial in compared]
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
