"""The progress of trials while they train: a live table where it can be redrawn, a line per event elsewhere."""

import re
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import attrs

from mnist_tracking._values.metric_lines import LogSearch
from mnist_tracking._values.records import ParameterValue
from mnist_tracking._values.specs import JobSpec
from mnist_tracking._values.text import duration, ellipsize, html_table, last_redraw, number, printable, value_text
from mnist_tracking.experiments.observers import Observers, TrialObserver
from mnist_tracking.reading.scores import score
from mnist_tracking.reading.trial import Trial

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console
    from rich.live import Live
    from rich.table import Table
    from rich.text import Text

_EPOCH = re.compile(r"\bepoch\D{0,3}(\d+)(?:/\d+)?(?:\s*\[(\d+)/(\d+))?", re.IGNORECASE)
_SHORTER = {"LaunchingMLInstances": "launching", "PreparingTrainingStack": "preparing"}
_LONGEST_STATUS, _LONGEST_LABEL, _METRICS = len("downloading"), 28, 3


@contextmanager
def reporting(
    job: JobSpec,
    points: Sequence[Mapping[str, ParameterValue]],
    *,
    names: Sequence[str] = (),
    observer: TrialObserver | None = None,
    progress: bool | None = None,
    total: int | None = None,
    max_parallel: int = 1,
) -> Iterator[Observers]:
    """
    Show the progress of trials inside the block.

    Args:
        job: What the trials train.
        points: The hyperparameters of the trials to come, as far as they are known; `started` adds the others.
        names: The hyperparameters that label the trials; without any, their names do.
        observer: Called as well.
        progress: Whether to show anything; None shows it on a terminal and in a notebook, unless there is an observer.
        total: How many trials are to come in all, if more than *points*.
        max_parallel: How many of them may train at once.

    Yields:
        The observer to report to.
    """
    if not (_is_watched() and observer is None if progress is None else progress):
        yield Observers(observer)
        return
    from rich.console import Console

    with Progress(Console(stderr=True), job, points, names, total=total, max_parallel=max_parallel) as display:
        yield Observers(display, observer)


def _is_watched() -> bool:
    """Whether somebody is likely to look at standard error: on a terminal, or in a notebook."""
    if sys.stderr.isatty():
        return True
    if "ipykernel" not in sys.modules:
        return False
    from rich.console import Console

    return Console(stderr=True).is_jupyter


@attrs.define
class _Row:
    point: Mapping[str, ParameterValue]
    place: int = 0
    trial: str = ""
    begun: float | None = None
    ended: float | None = None
    status: str = "waiting"
    epoch: int = 0
    share: float = 0.0
    search: LogSearch = attrs.field(factory=lambda: LogSearch({}))
    values: dict[str, float] = attrs.field(factory=dict)

    def seconds(self) -> str:
        return "" if self.begun is None else f"{(self.ended or time.monotonic()) - self.begun:.1f}"

    def take_epoch(self, line: str) -> None:
        """Read the epoch, and how much of it is done, from a line such as ``Epoch: 2 [64/128 (50%)]``."""
        if found := _EPOCH.search(line):
            self.epoch = int(found[1])
            self.share = int(found[2]) / max(int(found[3]), 1) if found[2] else 1.0


class _NotebookTable:
    """
    A table below a notebook's cell, replaced as it changes; the last one is saved with the notebook.

    rich draws live tables with ipywidgets, which are often not installed, and leave nothing in a saved notebook.
    """

    def __init__(self, frame: "Callable[[], pd.DataFrame]", title: str) -> None:
        self._frame, self._title = frame, title
        self._shown: dict[str, str] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="progress", daemon=True)

    def start(self) -> None:
        from IPython.display import display

        self._shown = self._drawn()
        self._handle: Any = display(self._shown, raw=True, display_id=True)  # type: ignore[no-untyped-call]
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()
        self._update()

    def _follow(self) -> None:
        while not self._ended.wait(0.5):
            self._update()

    def _update(self) -> None:
        drawn = self._drawn()
        if drawn != self._shown:
            self._handle.update(drawn, raw=True)
            self._shown = drawn

    def _drawn(self) -> dict[str, str]:
        frame = self._frame()
        plain = f"{self._title}\n{frame.to_string(index=False)}"
        return {"text/plain": plain, "text/html": html_table(frame, title=self._title)}


class Progress:
    """
    A `TrialObserver` that shows the trials on a console while the block lasts.

    Args:
        console: Where to show them.
        job: What they train; its metrics are read from the lines of their logs.
        points: The hyperparameters of the trials to come.
        names: The hyperparameters that label the trials; without any, their names do.
    """

    def __init__(
        self,
        console: "Console",
        job: JobSpec,
        points: Sequence[Mapping[str, ParameterValue]],
        names: Sequence[str] = (),
        *,
        total: int | None = None,
        max_parallel: int = 1,
    ) -> None:
        self._console = console
        self._total, self._max_parallel = max(total or 0, len(points)), max_parallel
        self._names = list(names)
        self._objective = job.objective
        self._limit = f"at most {duration(job.max_run_s)}"
        self._title = f"Each job runs for {self._limit}."
        self._regexes = {item.name: item.regex for item in job.metrics}
        self._shown = _shown_metrics(job)
        epochs = [job.merged(point).get("epochs") for point in points]
        self._epochs = max((count for count in epochs if isinstance(count, int)), default=0)
        self._rows = [_Row(point) for point in points]
        self._by_trial: dict[str, _Row] = {}
        self._lock = threading.RLock()
        self._live = self._live_table()

    def _live_table(self) -> "_NotebookTable | Live | None":
        """Return a table that can be redrawn; None where a line per event is shown instead."""
        if self._console.is_jupyter:
            return _NotebookTable(self._frame, self._title)
        if not self._console.is_terminal or self._console.is_dumb_terminal:
            return None
        from rich.live import Live

        return Live(
            console=self._console, get_renderable=self.__rich__, refresh_per_second=4, redirect_stdout=False
        )  # what a program prints goes where it always goes

    def __enter__(self) -> "Progress":
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def started(self, trial_name: str, job_name: str, hyperparameters: Mapping[str, ParameterValue]) -> None:
        """Show that a trial was started."""
        del job_name
        with self._lock:
            row = self._by_trial[trial_name] = self._row_of(hyperparameters)
            row.place, row.trial = len(self._by_trial), trial_name
            row.status, row.begun, row.search = "starting", time.monotonic(), LogSearch(self._regexes)
        self._say(row, f"training as trial {trial_name}, for {self._limit}")

    def _row_of(self, hyperparameters: Mapping[str, ParameterValue]) -> _Row:
        for row in self._rows:
            if not row.trial and all(hyperparameters.get(name) == value for name, value in row.point.items()):
                return row
        self._rows.append(_Row(hyperparameters))
        return self._rows[-1]

    def status_changed(self, trial_name: str, status: str) -> None:
        """Show the secondary status of a trial's job."""
        with self._lock:
            row = self._by_trial[trial_name]
            row.status = _SHORTER.get(status) or re.split(r"(?<=[a-z])(?=[A-Z])", status)[0].lower()
        if row.status not in ("starting", "training", "uploading", "completed", "failed", "stopped"):
            self._say(row, row.status)

    def logged(self, trial_name: str, line: str) -> None:
        """Read the epoch and the metrics from a line of a trial's log."""
        with self._lock:
            row = self._by_trial[trial_name]
            row.take_epoch(last_redraw(line))
            found = {value.name: value.value for value in row.search.find(line)}
            row.values |= found
        if row.epoch and self._objective is not None and self._objective.metric in found:
            of = f" of {self._epochs}" if self._epochs else ""
            self._say(row, ", ".join([f"epoch {row.epoch}{of}", *(f"{n} {number(v)}" for n, v in found.items())]))

    def pruned(self, trial_name: str, reason: str) -> None:
        """Show that a trial is stopped early, and why."""
        with self._lock:
            row = self._by_trial[trial_name]
        self._say(row, reason)

    def ended(self, trial: Trial) -> None:
        """Show how a trial ended."""
        with self._lock:
            row = self._by_trial[trial.name]
            row.status, row.ended = str(trial.status).lower(), time.monotonic()
        told = [f"{row.status} after {row.seconds()} s"]
        if self._objective and (value := score(trial, self._objective)) is not None:
            told.append(f"{self._objective.metric} {number(value)}")
        elif self._objective and (last := trial.non_finite.get(self._objective.metric)):
            told.append(f"{self._objective.metric} ends with {last}")
        if trial.failure_reason:
            told.append(" ".join(trial.failure_reason.split()))
        self._say(row, ", ".join(told))

    def _say(self, row: _Row, text: str) -> None:
        if self._live is not None:
            return
        label = (
            ", ".join(f"{name}={value_text(row.point[name])}" for name in self._names if name in row.point) or row.trial
        )
        count = max(len(self._rows), self._total)
        place = f"{row.place:{len(str(count))}}/{count} " if count > 1 else ""
        line = printable(f"{place}{label or row.trial}: {text}")
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def __rich__(self) -> "Table":
        from rich import box
        from rich.table import Table

        table = Table(box=box.SIMPLE_HEAD, collapse_padding=True, pad_edge=False, show_edge=False)
        table.title, table.title_justify = self._title, "left"
        for name in self._names or ["trial"]:
            table.add_column(
                _styled(_heading(name)), no_wrap=True, justify="right" if self._names else "left", min_width=5
            )
        table.add_column("status", min_width=_LONGEST_STATUS)
        if self._epochs:
            table.add_column("epoch", min_width=len(self._epoch(_Row({}, epoch=1))), justify="right")
        for name in self._shown:
            table.add_column(_styled(_heading(name)), min_width=10, justify="right")
        table.add_column("seconds", min_width=7, justify="right")
        with self._lock:
            for row in self._rows:
                table.add_row(*map(_styled, self._cells(row)))
        return table

    def _frame(self) -> "pd.DataFrame":
        import pandas as pd

        epoch = ["epoch"] if self._epochs else []
        with self._lock:
            rows = [self._cells(row) for row in self._rows]
        return pd.DataFrame(rows, columns=[*(self._names or ["trial"]), "status", *epoch, *self._shown, "seconds"])

    def _cells(self, row: _Row) -> list[str]:
        labels = [value_text(row.point[name]) if name in row.point else "" for name in self._names] or [row.trial]
        epoch = [self._epoch(row)] if self._epochs else []
        last = {name: number(value) for name, value in row.values.items()} | row.search.non_finite
        values = [last.get(name, "") for name in self._shown]
        return [*(ellipsize(label, _LONGEST_LABEL) for label in labels), row.status, *epoch, *values, row.seconds()]

    def _epoch(self, row: _Row) -> str:
        return f"{row.epoch:{len(str(self._epochs))}}/{self._epochs} {row.share:4.0%}" if row.epoch else ""


def _shown_metrics(job: JobSpec) -> list[str]:
    """Return the metrics that there is room for, the objective's among them."""
    names = [item.name for item in job.metrics]
    first = names[:_METRICS]
    if job.objective and job.objective.metric in names and job.objective.metric not in first:
        first = [*first[:-1], job.objective.metric]
    return first


def _styled(text: str) -> "Text":
    """Return text that is shown as it is; a string would be read as rich's markup."""
    from rich.text import Text

    return Text(printable(text))


def _heading(name: str) -> str:
    return re.sub(r"(?<=[:_])(?=\w)", "\n", name, count=1)


if TYPE_CHECKING:
    from rich.console import Console as _Console

    _observer: TrialObserver = Progress(_Console(), JobSpec(""), [])
