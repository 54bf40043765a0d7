"""The demo's report, tables on a terminal and plain lines elsewhere, and the files that it writes."""

import json
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mnist_tracking import Leaderboard, Lineage, Trial
from mnist_tracking._values.text import printable
from mnist_tracking.errors import ConfigError
from mnist_tracking.mnist import plot_digits
from mnist_tracking.reading.plots import confusion_matrix, metric_curves, parameter_effect

__all__ = ["PAGE", "Files", "Report", "say"]

PAGE = "report.html"

_SHOWN = 10


def say(console: Console, text: str, *, wrap: bool = True) -> None:
    """Write text. A terminal breaks its lines between words, unless they are meant to be copied."""
    console.print(printable(text), markup=False, highlight=False, soft_wrap=not (wrap and console.is_terminal))


class Report:
    """Writes the report to a console."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def say(self, text: str, *, wrap: bool = True) -> None:
        """Write text; see `say`."""
        say(self._console, text, wrap=wrap)

    def leaderboard(self, board: Leaderboard) -> None:
        """Show the trials, best first."""
        by = board.objective.metric if board.objective else "age"
        headings = ["channels", "validation\naccuracy", "test\naccuracy", "test\nloss", "seconds", "trial"]
        rows = [_trial_row(trial) for trial in board]
        if any(str(trial.status) != "Completed" for trial in board):
            headings.append("status")
            rows = [[*row, str(trial.status)] for row, trial in zip(rows, board, strict=True)]
        self._table(f"Leaderboard of {board.experiment_name}, by {by}", headings, rows)

    def lineage(self, lineage: Lineage, prefix: str) -> None:
        """Show what went into one model and what was made from it, with locations relative to *prefix*."""
        rows = []
        for node in lineage.nodes:
            sources = dict.fromkeys(source.kind for source in lineage.upstream(node.id))
            rows.append([node.kind, ", ".join(sources), self._shorten(node.label.removeprefix(f"{prefix}/"), prefix)])
        self._table(f"Lineage of {lineage.trial}, relative to {prefix}", ["kind", "made from", "name"], rows)

    def predictions(self, endpoint: str, labels: NDArray[Any], predictions: NDArray[Any]) -> None:
        """Show how many of the endpoint's predictions are right, and ten of them."""
        right = int((predictions == labels).sum())
        shown = [
            str(prediction) if prediction == label else f"{prediction} (is {label})"
            for prediction, label in zip(predictions[:_SHOWN], labels[:_SHOWN], strict=True)
        ]
        self.say(f"\nEndpoint {endpoint}: {right} of {len(labels)} test images right ({right / len(labels):.2%})")
        self.say(f"{len(shown)} of its predictions: {', '.join(shown)}")

    def _shorten(self, name: str, prefix: str) -> str:
        """Omit, on a terminal, the experiment and the job's folder, which the table shows already."""
        if not self._console.is_terminal:
            return name
        return re.sub("^jobs/[^/]+/", "jobs/.../", name).replace(prefix.rsplit("/", 1)[1] + "-", "")

    def _table(self, title: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        self.say(f"\n{title}")
        if not self._console.is_terminal:
            for line in _aligned([[heading.replace("\n", " ") for heading in headings], *rows]):
                self.say(line)
            return
        table = Table(box=box.SIMPLE_HEAD, collapse_padding=True, pad_edge=False, show_edge=False)
        for heading, cell in zip(headings, rows[0], strict=True):
            table.add_column(Text(printable(heading)), justify="right" if _is_number(cell) else "left", overflow="fold")
        for row in rows:
            table.add_row(*(Text(printable(cell)) for cell in row))
        self._console.print(table)


def _trial_row(trial: Trial) -> list[str]:
    return [
        str(trial.hyperparameters["hidden_channels"]),
        _last(trial, "validation:accuracy", "{:.2f} %"),
        _last(trial, "test:accuracy", "{:.2f} %"),
        _last(trial, "test:loss", "{:.4f}"),
        "" if trial.duration_s is None else f"{trial.duration_s:.1f}",
        trial.name.removeprefix(f"{trial.experiment}-"),
    ]


def _last(trial: Trial, metric: str, form: str) -> str:
    last = trial.last_values.get(metric, "")
    return last if isinstance(last, str) else form.format(last)


def _is_number(cell: str) -> bool:
    return cell.removesuffix(" %").replace(".", "", 1).isdecimal()


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


class Files:
    """
    Writes the demo's results to one folder.

    Args:
        folder: The folder; created if missing.

    Attributes:
        written: The names of the files so far.

    Raises:
        ConfigError: If it cannot be created or written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.written: list[str] = []
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            raise ConfigError(f"--out {str(folder)!r} cannot be written: {error.strerror or error}.") from error

    def leaderboard(self, board: Leaderboard) -> None:
        """Write ``leaderboard.csv``: a row per trial, best first."""
        with self._file("leaderboard.csv") as path:
            board.to_csv(path)

    def lineage(self, lineage: Lineage) -> None:
        """Write ``lineage.csv``: a row per step of one trial, in order of creation."""
        with self._file("lineage.csv") as path:
            lineage.dataframe().to_csv(path, index=False)

    def plots(self, board: Leaderboard) -> None:
        """
        Draw ``accuracy.png`` and ``losses.png``: accuracy against hidden channels, and the losses by epoch.

        The accuracy's plot marks the trial that the leaderboard chose.
        """
        with self._file("accuracy.png") as path:
            parameter_effect(board, "hidden_channels", metrics=["validation:accuracy", "test:accuracy"], path=path)
        with self._file("losses.png") as path:
            scored = [trial for trial in board if "validation:loss" in trial.metrics]
            metric_curves(scored, metrics=["train:loss", "validation:loss"], path=path)

    def predictions(self, images: NDArray[Any], labels: NDArray[Any], predictions: NDArray[Any]) -> None:
        """Draw ``confusion.png``, of all predictions, and ``digits.png``, the first images with theirs."""
        with self._file("confusion.png") as path:
            confusion_matrix(labels, predictions, path=path)
        with self._file("digits.png") as path:
            plot_digits(images[:_SHOWN], labels[:_SHOWN].tolist(), predictions[:_SHOWN].tolist(), path)

    def page(self, board: Leaderboard) -> None:
        """Write ``report.html``: the leaderboard, the curves, and the best trial with its pictures and its lineage."""
        with self._file(PAGE) as path:
            board.report(path)

    def timings(self, summary: Mapping[str, object]) -> None:
        """Write ``timings.json``."""
        with self._file("timings.json") as path:
            path.write_text(json.dumps(summary, indent=2) + "\n")

    def forget_if_empty(self) -> None:
        """Remove the folder if nothing was written to it."""
        with suppress(OSError):
            self.folder.rmdir()

    @contextmanager
    def _file(self, name: str) -> Iterator[Path]:
        path = self.folder / name
        try:
            yield path
            self.written.append(name)
        except OSError as error:
            raise ConfigError(f"{str(path)!r} cannot be written: {error.strerror or error}.") from error
