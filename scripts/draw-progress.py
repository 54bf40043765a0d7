#!/usr/bin/env python3
"""
Draw docs/_static/progress.svg: what a terminal shows while a sweep runs.

    .venv/bin/python scripts/draw-progress.py

A sweep on an embedded SageMaker trains networks on the small digits of scikit-learn, one after the other, so that it
proposes the same points each time. What it reports is then shown as if three trained at once, by a clock of its own, so
that the picture is the same each time, up to the last digits of what a machine computes.
"""

import io
import re
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.terminal_theme import SVG_EXPORT_THEME

import mnist_tracking as mt
from mnist_tracking.experiments.progress import Planned, Progress
from mnist_tracking.mnist import write_digits

PICTURE = Path(__file__).parents[1] / "docs" / "_static" / "progress.svg"
WIDTH, HEIGHT, AT_ONCE, TRIALS, SHOWN_AFTER = 100, 20, 3, 18, 9
EPOCH_S = 1.3
SPACE = {
    "lr": mt.loguniform(0.003, 0.3),
    "hidden_channels": mt.integers(2, 32),
    "optimizer": mt.choice(["sgd", "adam"]),
}
FONTS = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
Event = tuple[str, tuple[Any, ...]]


class Recorder:
    """A `TrialObserver` that keeps what it is called with, by trial."""

    def __init__(self) -> None:
        self.events: defaultdict[str, list[Event]] = defaultdict(list)

    def __getattr__(self, method: str) -> Any:
        def record(*arguments: Any) -> None:
            self.events[getattr(arguments[0], "name", arguments[0])].append((method, arguments))

        return record


class Clock:
    """A time that is moved by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def recorded(home: Path) -> tuple[mt.JobSpec, list[list[Event]]]:
    """Run the sweep, and return its job and the events of each trial."""
    recorder = Recorder()
    with mt.Workspace.embedded(home=home / "home") as workspace:
        job = mt.mnist_job(epochs=6)
        runner = mt.ExperimentRunner(workspace, "digits", job=job)
        write_digits(home / "data")
        runner.prepare_dataset(home / "data")
        sweep = mt.HyperparameterSweep(
            runner, SPACE, name="search", strategy="tpe", pruner="median", seed=1, max_trials=TRIALS
        )
        sweep.run(observer=recorder)
        return job, list(recorder.events.values())


def epochs(events: list[Event]) -> Iterator[list[Event]]:
    """Yield the events of a trial in steps of an epoch, its lines included; the last step is its end."""
    lines = iter([event for event in events if event[0] == "logged"])
    step: list[Event] = []
    for method, arguments in events:
        if method == "ended":
            yield [*step, *lines]
            step = []
        if method != "logged":
            step.append((method, arguments))
        if method == "reported" and arguments[1].metric == "validation:accuracy":
            yield [*step, *epoch_of(lines)]
            step = []
    yield step


def epoch_of(lines: Iterator[Event]) -> Iterator[Event]:
    """Yield the lines of an epoch."""
    for event in lines:
        yield event
        if "Validation Accuracy" in event[1][1]:
            return


def shown(view: Progress, clock: Clock, trials: list[list[Event]]) -> None:
    """Show what was reported, up to a moment in the middle of the sweep when several trials are training."""
    waiting, ended, done = iter(trials), 0, Counter[int]()
    running: list[tuple[int, Iterator[list[Event]]]] = []
    while ended < SHOWN_AFTER or sum(done[number] > 1 for number, _ in running) < AT_ONCE - 1:
        while len(running) < AT_ONCE and (events := next(waiting, None)):
            running.append((len(done), epochs(events)))
            done[running[-1][0]] = 0
        clock.now += EPOCH_S / AT_ONCE
        number, turn = running.pop(0)
        step = next(turn)
        for method, arguments in step:
            getattr(view, method, lambda *_: None)(*arguments)
        done[number] += 1
        if step and step[-1][0] == "ended":
            ended += 1
        else:
            running.append((number, turn))


def svg(console: Console) -> str:
    """Return what was printed as a picture that loads no fonts, and is legible on light and dark pages."""
    drawn = console.export_svg(title="mnist-tracking sweep", theme=SVG_EXPORT_THEME, unique_id="progress")
    plain = re.sub(r"\s*(@font-face \{.*?\}|<!--.*?-->)", "", drawn, flags=re.DOTALL)
    return re.sub(r"font-family: [^;]+;", f"font-family: {FONTS};", plain)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        job, trials = recorded(Path(folder))
        clock = Clock()
        console = Console(record=True, file=io.StringIO(), force_terminal=True, width=WIDTH, height=HEIGHT)
        view = Progress(console, job, Planned((), list(SPACE), TRIALS, AT_ONCE, "search"), clock=clock)
        shown(view, clock, trials)
        console.print(view, end="\n\n")
    PICTURE.write_text(svg(console), encoding="utf-8")


if __name__ == "__main__":
    main()
