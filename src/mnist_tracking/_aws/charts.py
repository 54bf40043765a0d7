"""Tables, curves and matrices, checked and drawn by the Tracker in the form that SageMaker Studio takes."""

from collections.abc import Iterable, Mapping
from typing import Any

from mnist_tracking._values.recordable import plain
from mnist_tracking._values.shown import shortened
from mnist_tracking.errors import ConfigError

_A_TABLE = "give a frame, or a mapping of columns to their values, such as {'class': ['a', 'b'], 'f1': [0.9, 0.8]}"


def draw_table(tracker: Any, title: str, table: object) -> None:
    """
    Draw a mapping of columns to their values, or a frame.

    Raises:
        ConfigError: If it is neither, or its columns are not equally long.
    """
    if isinstance(table, Mapping):
        tracker.log_table(title=title, values=_columns(table))
    elif hasattr(table, "columns") and hasattr(table, "reset_index"):
        tracker.log_table(title=title, data_frame=table.reset_index(drop=True))  # it keeps one row for each index
    else:
        raise ConfigError(f"The table is {shortened(table)}; {_A_TABLE}.")


def _columns(table: Mapping[object, object]) -> dict[str, list[object]]:
    columns = {str(name): _listed(f"column {name!r}", values) for name, values in table.items()}
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name!r} has {length}" for name, length in lengths.items())
        raise ConfigError(f"The columns of the table are not equally long: {told}.")
    return columns


def draw_confusion_matrix(tracker: Any, title: str, truth: Iterable[object], answers: Iterable[object]) -> None:
    """Draw how often each class was taken for each."""
    tracker.log_confusion_matrix(*_pairs(truth, "answers", answers), title=title)


def draw_roc_curve(tracker: Any, title: str, truth: Iterable[object], scores: Iterable[float]) -> None:
    """Draw the true against the false positive rate."""
    tracker.log_roc_curve(*_pairs(truth, "scores", scores), title=title)


def draw_precision_recall(tracker: Any, title: str, truth: Iterable[object], scores: Iterable[float]) -> None:
    """Draw precision against recall."""
    tracker.log_precision_recall(*_pairs(truth, "scores", scores), title=title)


def _pairs(truth: object, name: str, others: object) -> tuple[list[object], list[object]]:
    """Return the right classes and what stands beside them, one for one."""
    first, second = _listed("truth", truth), _listed(name, others)
    if len(first) != len(second) or not first:
        raise ConfigError(f"truth has {len(first)} values, and {name} {len(second)}; as many are needed, and some.")
    return first, second


def _listed(what: str, values: object) -> list[object]:
    if isinstance(values, str | Mapping) or not isinstance(values, Iterable):
        raise ConfigError(f"{what} is {shortened(values)}; a list of values is needed.")
    return [plain(value) for value in values]
