"""How the trials go, while they go: a live table on a terminal, plain lines elsewhere."""

import re
import threading
import time
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Self

import attrs
from rich import box
from rich.console import Console
from rich.live import Live
from rich.table import Table

from mnist_tracking._values.records import Scalar
from mnist_tracking._values.specs import MetricDefinition
from mnist_tracking.reading.trial import Trial

__all__ = ["TrialsView"]

_PROGRESS = re.compile(r"Train Epoch: (\d+) \[(\d+)/(\d+)")
# headings, and the widest that comes below them: a table whose columns grow jumps while one reads it
_COLUMNS = {
    "channels": 8,
    "status": len("completed"),
    "epoch": len("1/2 100%"),
    "train\nloss": 7,
    "validation\nloss": 10,
    "validation\naccuracy": 10,
    "seconds": 7,
}


@attrs.define
class _Row:
    channels: Scalar
    begun: float | None = None
    ended: float | None = None
    status: str = "waiting"
    epoch: int = 0
    seen: int = 0
    of: int = 1
    mean: float = 0.0
    values: dict[str, float] = attrs.field(factory=dict)
    losses: list[tuple[float, float]] = attrs.field(factory=list)

    def advance(self, epoch: int, seen: int, of: int, mean: float) -> None:
        """Take the mean loss of an epoch so far; keep, for the curve, that of the images since the last time."""
        seen_before, mean_before = (self.seen, self.mean) if epoch == self.epoch else (0, 0.0)
        if seen > seen_before:
            recent = (mean * seen - mean_before * seen_before) / (seen - seen_before)
            self.losses.append((epoch - 1 + seen / of, recent))
        self.epoch, self.seen, self.of, self.mean = epoch, seen, of, mean

    def seconds(self) -> str:
        if self.begun is None:
            return ""
        return f"{(self.ended or time.monotonic()) - self.begun:.1f}"

    def value(self, metric: str, form: str) -> str:
        return form.format(self.values[metric]) if metric in self.values else ""


class TrialsView:
    """
    A `TrialObserver` that shows what it is told, and keeps the training losses for the plot.

    Args:
        console: Where to show it.
        metrics: How the metrics are found in the lines of a log.
        channels: Hidden channels of the trials to come.
        epochs: How long each trains.
    """

    def __init__(
        self, console: Console, metrics: Iterable[MetricDefinition], *, channels: Iterable[int], epochs: int
    ) -> None:
        self._console = console
        self._regexes = {item.name: re.compile(item.regex) for item in metrics}
        self._epochs = epochs
        self._rows: dict[Scalar, _Row] = {count: _Row(count) for count in channels}
        self._by_trial: dict[str, _Row] = {}
        self._lock = threading.Lock()
        self._is_live = console.is_terminal and not console.is_dumb_terminal  # a dumb one cannot go back to draw again
        self._live = Live(console=console, get_renderable=self.__rich__, refresh_per_second=4)

    def __enter__(self) -> Self:
        if self._is_live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_live:
            self._live.stop()

    @property
    def curves(self) -> dict[str, list[tuple[float, float]]]:
        """For each trial, epochs and the training losses there."""
        with self._lock:
            return {f"{row.channels} channels": list(row.losses) for row in self._rows.values() if row.losses}

    @property
    def job_count(self) -> int:
        """How many jobs were started."""
        return len(self._by_trial)

    def started(self, trial_name: str, job_name: str, hyperparameters: Mapping[str, Scalar]) -> None:
        """Show that a trial trains."""
        with self._lock:
            channels = hyperparameters.get("hidden_channels")
            row = self._by_trial[trial_name] = self._rows.setdefault(channels, _Row(channels))
            row.status, row.begun = "starting", time.monotonic()
        self._say(row, f"training as job {job_name}")

    def logged(self, trial_name: str, line: str) -> None:
        """Take the epoch and the metrics from a line."""
        with self._lock:
            row = self._by_trial[trial_name]
            found = {name: match for name, regex in self._regexes.items() if (match := regex.search(line))}
            row.values.update({name: float(match.group(1)) for name, match in found.items()})
            progress = _PROGRESS.search(line)
            if progress and "train:loss" in found:
                epoch, seen, of = map(int, progress.groups())
                row.status = "training"
                row.advance(epoch, seen, of, row.values["train:loss"])
        if "validation:accuracy" in found:
            loss, accuracy = row.value("validation:loss", "{:.4f}"), row.value("validation:accuracy", "{:.2f} %")
            self._say(row, f"epoch {row.epoch} of {self._epochs}, validation loss {loss}, accuracy {accuracy}")

    def ended(self, trial: Trial) -> None:
        """Show how a trial ended."""
        with self._lock:
            row = self._by_trial[trial.name]
            row.status, row.ended = str(trial.status).lower(), time.monotonic()
        self._say(row, f"{row.status} after {row.seconds()} s")

    def _say(self, row: _Row, text: str) -> None:
        if not self._is_live:
            self._console.print(f"{row.channels} channels: {text}", markup=False, highlight=False, soft_wrap=True)

    def __rich__(self) -> Table:
        table = Table(box=box.SIMPLE_HEAD, collapse_padding=True, pad_edge=False, show_edge=False)
        for name, width in _COLUMNS.items():
            table.add_column(name, min_width=width, justify="left" if name == "status" else "right")
        with self._lock:
            for row in self._rows.values():
                table.add_row(
                    str(row.channels),
                    row.status,
                    f"{row.epoch:{len(str(self._epochs))}}/{self._epochs} {row.seen / row.of:4.0%}"
                    if row.epoch
                    else "",
                    row.value("train:loss", "{:.4f}"),
                    row.value("validation:loss", "{:.4f}"),
                    row.value("validation:accuracy", "{:.2f} %"),
                    row.seconds(),
                )
        return table


if TYPE_CHECKING:
    from mnist_tracking.experiments.observers import TrialObserver

    _observer: TrialObserver = TrialsView(Console(), [], channels=[], epochs=1)
