"""How the trials go, while they go: a live table on a terminal, plain lines elsewhere."""

import re
import threading
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self

import attrs
from rich.console import Console
from rich.live import Live
from rich.table import Table

from mnist_tracking.jobs import MetricDefinition
from mnist_tracking.records import Scalar, TrialResult

_EPOCH = re.compile(r"Train Epoch: (\d+)")


@attrs.define
class _Row:
    channels: Scalar
    begun: float = attrs.field(factory=time.monotonic)
    status: str = "InProgress"
    epoch: str = ""
    values: dict[str, float] = attrs.field(factory=dict)
    elapsed: float | None = None

    def seconds(self) -> float:
        return self.elapsed if self.elapsed is not None else time.monotonic() - self.begun


class TrialsView:
    """A `TrialObserver` that shows what it is told, and keeps the training losses for the plot."""

    def __init__(self, console: Console, metrics: tuple[MetricDefinition, ...]) -> None:
        self._console = console
        self._regexes = {item.name: re.compile(item.regex) for item in metrics}
        self._rows: dict[str, _Row] = {}
        self._lock = threading.Lock()
        self._live = Live(console=console, get_renderable=self._table, refresh_per_second=8)
        self.losses: dict[str, list[tuple[float, float]]] = {}

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def started(self, trial_name: str, job_name: str, hyperparameters: Mapping[str, Scalar]) -> None:
        """Show a new row."""
        with self._lock:
            self._rows[trial_name] = _Row(hyperparameters.get("hidden_channels"))
        self._say(
            f"{trial_name}: training with {hyperparameters.get('hidden_channels')} hidden channels, job {job_name}"
        )

    def logged(self, trial_name: str, line: str) -> None:
        """Take the epoch and the metrics from a line."""
        with self._lock:
            row = self._rows[trial_name]
            if match := _EPOCH.search(line):
                row.epoch = match.group(1)
            for name, regex in self._regexes.items():
                if match := regex.search(line):
                    row.values[name] = float(match.group(1))
                    if name == "validation:loss":
                        curve = self.losses.setdefault(f"{row.channels} channels", [])
                        curve.append((float(len(curve) + 1), row.values[name]))
        if "Validation Accuracy" in line:
            self._say(f"{trial_name}: {line}")

    def ended(self, trial: TrialResult) -> None:
        """Show how a trial ended."""
        with self._lock:
            row = self._rows[trial.trial_name]
            row.status, row.elapsed = trial.status, row.seconds()
        self._say(f"{trial.trial_name}: {trial.status} after {row.seconds():.1f} s")

    def _say(self, text: str) -> None:
        if not self._console.is_terminal:
            self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _table(self) -> Table:
        table = Table(title="trials", title_justify="left")
        for column in ("trial", "channels", "status", "epoch", "validation loss", "validation accuracy", "elapsed"):
            table.add_column(column, justify="left" if column in ("trial", "status") else "right")
        with self._lock:
            for name, row in self._rows.items():
                loss, accuracy = row.values.get("validation:loss"), row.values.get("validation:accuracy")
                table.add_row(
                    name,
                    str(row.channels),
                    row.status,
                    row.epoch,
                    "" if loss is None else f"{loss:.4f}",
                    "" if accuracy is None else f"{accuracy:.2f} %",
                    f"{row.seconds():.1f} s",
                )
        return table
