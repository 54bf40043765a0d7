"""The progress of trials while they train: a live table where it can be redrawn, a line per event elsewhere."""

import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from mnist_tracking._values.records import MetricPoint, ParameterValue
from mnist_tracking._values.specs import JobSpec
from mnist_tracking._values.text import duration, last_redraw, number, plural, printable, short_repr
from mnist_tracking.errors import ConfigError
from mnist_tracking.experiments.observers import Observers, TrialObserver
from mnist_tracking.experiments.progress.notebook import NotebookTable
from mnist_tracking.experiments.progress.standing import ENDS, Planned, Row, Standing, status_word
from mnist_tracking.experiments.progress.table import TrialTable
from mnist_tracking.reading.trial import Trial

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

__all__ = ["Progress", "Showing", "check_progress", "reporting"]

Showing = bool | Literal["plain"] | None
"""Whether progress is shown, ``"plain"`` for lines only; None where somebody is likely to look at it."""

_FEW = 20
"""How many trials a sweep may have so that their epochs are lines, too."""


def check_progress(progress: object) -> None:
    """Check an argument that decides whether progress is shown; ConfigError if it is not allowed."""
    if progress not in (True, False, None, "plain"):
        raise ConfigError(f"progress={short_repr(progress)}; expected True, False, None or 'plain'.")


@contextmanager
def reporting(
    job: JobSpec,
    points: Sequence[Mapping[str, ParameterValue]],
    *,
    names: Sequence[str] = (),
    observer: TrialObserver | None = None,
    progress: Showing = None,
    total: int | None = None,
    max_parallel: int = 1,
    sweep: str = "",
) -> Iterator[Observers]:
    """
    Show the progress of trials inside the block.

    Args:
        job: What the trials train.
        points: The hyperparameters of the trials to come, as far as they are known; `started` adds the others.
        names: The hyperparameters that label the trials; without any, their names do.
        observer: Called as well.
        progress: Whether to show anything, ``"plain"`` for lines instead of a table; None shows it on a terminal and in
            a notebook, unless there is an observer.
        total: How many trials are to come in all, if more than *points*.
        max_parallel: How many of them may train at once.
        sweep: The name of the sweep; those of its trials begin with it.

    Yields:
        The observer to report to.

    Raises:
        ConfigError: If *progress* is not allowed.
    """
    check_progress(progress)
    if not (_is_watched() and observer is None if progress is None else progress):
        yield Observers(observer)
        return
    from rich.console import Console

    planned = Planned(points, names, total, max_parallel, sweep)
    with Progress(Console(stderr=True), job, planned, plain=progress == "plain") as display:
        yield Observers(display, observer)


def _is_watched() -> bool:
    """Whether somebody is likely to look at standard error: on a terminal, or in a notebook."""
    if sys.stderr.isatty():
        return True
    if "ipykernel" not in sys.modules:
        return False
    from rich.console import Console

    return Console(stderr=True).is_jupyter


class Progress:
    """
    A `TrialObserver` that shows the trials on a console while the block lasts.

    Args:
        console: Where to show them.
        job: What they train.
        planned: What is known of them before they start.
        plain: Whether to print lines also where a table could be shown.
        clock: The time in seconds.
    """

    def __init__(
        self,
        console: "Console",
        job: JobSpec,
        planned: Planned,
        *,
        plain: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._console, self._objective = console, job.objective
        self._limit = f"at most {duration(job.max_run_s)}"
        self._standing = Standing(job, planned, clock=clock)
        sweep = f"Sweep {planned.sweep}. " if planned.sweep else ""
        title = f"{sweep}Each job runs for {self._limit}."
        self._table = TrialTable(self._standing, job, planned.names, title=title)
        self._lock = threading.RLock()
        self._live = None if plain else self._live_table()

    def _live_table(self) -> "NotebookTable | Live | None":
        """Return a table that can be redrawn; None where a line per event is shown instead."""
        if self._console.is_jupyter:
            return NotebookTable(self._for_notebook)
        if not self._console.is_terminal or self._console.is_dumb_terminal:
            return None
        from rich.live import Live

        return Live(
            console=self._console, get_renderable=self.__rich__, refresh_per_second=2, redirect_stdout=False
        )  # what a program prints goes where it always goes

    def __enter__(self) -> "Progress":
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._standing.is_over = True
        if self._live is not None:
            self._live.stop()
        elif self._standing.total > 1:
            self._print_summary()

    def __rich__(self) -> "Text":
        with self._lock:
            return self._table.drawn(self._console)

    def _for_notebook(self) -> "tuple[str, pd.DataFrame]":
        with self._lock:
            return self._table.heading, self._table.frame()

    def started(self, trial_name: str, job_name: str, hyperparameters: Mapping[str, ParameterValue]) -> None:
        """Show that a trial was started."""
        del job_name
        with self._lock:
            row = self._standing.start(trial_name, hyperparameters)
        self._print(row, f"training as trial {trial_name}, for {self._limit}")

    def status_changed(self, trial_name: str, status: str) -> None:
        """Show the secondary status of a trial's job."""
        with self._lock:
            row = self._standing.running(trial_name)
            if row is None:
                return
            row.status = status_word(status)
        if self._is_detailed and row.status not in ("starting", "training", "uploading", *ENDS):
            self._print(row, row.status)

    def logged(self, trial_name: str, line: str) -> None:
        """Read the epoch from a line of a trial's log."""
        with self._lock:
            row = self._standing.running(trial_name)
            if row is not None:
                row.read(last_redraw(line))

    def reported(self, trial_name: str, point: MetricPoint) -> None:
        """Show a value of a metric."""
        with self._lock:
            row = self._standing.running(trial_name)
            if row is None:
                return
            self._standing.report(row, point.metric, point.value)
        is_objective = self._objective is not None and self._objective.metric == point.metric
        if self._is_detailed and is_objective and row.epoch and _is_round(row.count):
            of = f" of {row.epochs}" if row.epochs else ""
            self._print(row, f"epoch {point.step}{of}, {point.metric} {number(point.value)}")

    def pruned(self, trial_name: str, reason: str) -> None:
        """Show that a trial is stopped early; its end shows why."""
        del reason
        with self._lock:
            row = self._standing.running(trial_name)
            if row is not None:
                row.status = "pruning"

    def found(self, trial: Trial) -> None:
        """Show a trial that has ended before, or in another program."""
        with self._lock:
            self._standing.found(trial)

    def ended(self, trial: Trial) -> None:
        """Show how a trial ended."""
        with self._lock:
            row = self._standing.end(trial)
            is_milestone = not self._is_detailed and self._standing.ended % -(-self._standing.total // 10) == 0
        told = [f"{trial.stop_reason if trial.is_pruned else row.status} after {row.seconds(0.0):.1f} s"]
        if self._objective and row.value is not None:
            is_best = self._standing.best is row and self._standing.ended > 1
            told.append(f"{self._objective.metric} {number(row.value)}{', the best so far' if is_best else ''}")
        elif self._objective and (last := trial.non_finite.get(self._objective.metric)):
            told.append(f"{self._objective.metric} ends with {last}")
        if reason := trial.failure_reason or ("" if trial.is_pruned else trial.stop_reason):
            told.append(" ".join(reason.split()))
        self._print(row, ", ".join(told))
        if is_milestone:
            self._print_summary()

    @property
    def _is_detailed(self) -> bool:
        """Whether there are so few trials that their epochs are lines, too."""
        return self._standing.total <= _FEW

    def _print(self, row: Row, text: str) -> None:
        count = self._standing.total
        place = f"{row.number:{len(str(count))}}/{count} " if count > 1 else ""
        self._print_line(f"{place}{row.values or row.trial}: {text}")

    def _print_summary(self) -> None:
        told = [self._standing.summary(), self._standing.best_so_far()]
        self._print_line(f"{plural(self._standing.total, 'trial')}: {'; '.join(text for text in told if text)}")

    def _print_line(self, line: str) -> None:
        if self._live is None:
            self._console.print(printable(line), markup=False, highlight=False, soft_wrap=True)


def _is_round(count: int) -> bool:
    """Whether a number is one of 1 to 10, 20 to 100, 200 to 1,000 and so on, so that a long training is few lines."""
    return set(str(count)[1:]) <= {"0"}


if TYPE_CHECKING:
    from rich.console import Console as _Console

    _observer: TrialObserver = Progress(_Console(), JobSpec(""), Planned())
