"""What the demo answers: tables on a terminal, plain lines elsewhere."""

import re
from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray
from rich import box
from rich.console import Console
from rich.table import Table

from mnist_tracking import Leaderboard, Lineage, Trial

__all__ = ["Report", "channels_of", "say"]

_SHOWN = 10


def say(console: Console, text: str, *, wrap: bool = True) -> None:
    """Write text as it is. A terminal breaks its lines between words, unless they are to be copied; a file does not."""
    console.print(text, markup=False, highlight=False, soft_wrap=not (wrap and console.is_terminal))


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
        """Show what went into one model, locations relative to *prefix*."""
        rows = []
        for node in lineage.nodes:
            sources = dict.fromkeys(source.kind for source in lineage.upstream(node.id))
            rows.append([node.kind, ", ".join(sources), self._shorten(node.label.removeprefix(f"{prefix}/"), prefix)])
        self._table(f"Lineage of {lineage.trial_name}, below {prefix}", ["what", "made from", "name"], rows)

    def answers(self, endpoint: str, labels: NDArray[Any], answers: NDArray[Any]) -> None:
        """Show how many of the endpoint's answers are right, and ten of them."""
        right = int((answers == labels).sum())
        shown = [
            str(answer) if answer == label else f"{answer} (is {label})"
            for answer, label in zip(answers[:_SHOWN], labels[:_SHOWN], strict=True)
        ]
        self.say(f"\nEndpoint {endpoint}: {right} of {len(labels)} test images right ({right / len(labels):.2%})")
        self.say(f"{len(shown)} of its answers: {', '.join(shown)}")

    def _shorten(self, name: str, prefix: str) -> str:
        """Leave out, where there is little room, the experiment and the job's folder: the table shows them already."""
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
            table.add_column(heading, justify="right" if _is_number(cell) else "left", overflow="fold")
        for row in rows:
            table.add_row(*row)
        self._console.print(table)


def channels_of(trial: Trial) -> int:
    """Return the hidden channels of a trial."""
    return int(trial.hyperparameters["hidden_channels"] or 0)


def _trial_row(trial: Trial) -> list[str]:
    return [
        str(channels_of(trial)),
        _last(trial, "validation:accuracy", "{:.2f} %"),
        _last(trial, "test:accuracy", "{:.2f} %"),
        _last(trial, "test:loss", "{:.4f}"),
        "" if trial.duration_s is None else f"{trial.duration_s:.1f}",
        trial.name.removeprefix(f"{trial.experiment}-"),
    ]


def _last(trial: Trial, metric: str, form: str) -> str:
    return form.format(trial.metrics[metric].last) if metric in trial.metrics else ""


def _is_number(cell: str) -> bool:
    return cell.removesuffix(" %").replace(".", "", 1).isdecimal()


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
