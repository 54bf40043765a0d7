"""The table of trials fits every terminal, and shows the most important of what there is."""

from io import BytesIO, StringIO, TextIOWrapper

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from tests.support.trials import a_trial, tell

from mnist_tracking import JobSpec, Workspace, mnist_job
from mnist_tracking.experiments.progress import Planned, Progress

LOG = "Train Epoch: {0} [128/128 (100%)], Train Loss: 1.5;", "Validation Average loss: 0.5, Validation Accuracy: 9{0}%;"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace for trials that are only looked at."""
    return Workspace.embedded(home=tmp_path_factory.mktemp("home"))


def progress(console: Console, workspace: Workspace, *, ended: int, running: int, waiting: int, names: int) -> Progress:
    """The progress of a sweep in the middle of it."""
    labels = [f"hyperparameter_{place}" for place in range(names)]
    job = mnist_job(epochs=9)
    view = Progress(console, job, Planned(names=labels, total=ended + running + waiting, max_parallel=4))
    for number in range(ended + running):
        name = f"demo-trial-{number}"
        view.started(name, "job", dict.fromkeys(labels, f"値{number}" if number % 2 else number / 7))
        view.status_changed(name, "Training")
        tell(view, job, name, *(line.format(epoch) for epoch in range(1, 2 + number % 8) for line in LOG))
        if number < ended:
            view.ended(a_trial(workspace, number, ("Completed", "Stopped", "Failed")[number % 3]))
    return view


def lines(view: Progress, width: int, height: int) -> list[str]:
    console = Console(file=StringIO(), force_terminal=True, width=width, height=height, color_system=None)
    view._console = console
    with console.capture() as captured:
        console.print(view, end="")
    return captured.get().splitlines()


@given(
    width=st.integers(40, 200),
    height=st.integers(10, 60),
    ended=st.integers(0, 60),
    running=st.integers(0, 20),
    waiting=st.integers(0, 1_000),
    names=st.integers(0, 6),
)
def test_a_table_fits_and_shows_who_is_running_and_counts(
    place: Workspace, width: int, height: int, ended: int, running: int, waiting: int, names: int
) -> None:
    console = Console(file=StringIO(), force_terminal=True)
    view = progress(console, place, ended=ended, running=running, waiting=waiting, names=names)

    shown = lines(view, width, height)

    assert len(shown) < height
    assert max(map(cell_len, shown)) <= width
    assert any("status" in line for line in shown)
    assert any("accuracy" in line for line in shown)
    assert sum("training" in line for line in shown) >= min(running, 2)
    if ended + running + waiting > 1:
        said = " ".join(shown)
        assert all(f"{count} {kind}" in said for count, kind in ((running, "running"), (waiting, "waiting")) if count)


def test_a_wide_terminal_shows_every_column(place: Workspace) -> None:
    view = progress(Console(file=StringIO()), place, ended=2, running=1, waiting=0, names=2)

    shown = lines(view, 200, 60)

    assert shown[1].split() == ["hyperparameter_0"] or "seconds" in " ".join(shown[:4])
    heading = " ".join(" ".join(shown[1:3]).split())
    for part in ("trial", "status", "epoch", "accuracy", "seconds", "train:", "loss"):
        assert part in heading
    assert len(shown) == 1 + 2 + 1 + 3 + 2


def test_the_table_does_not_jump_while_one_reads_it(workspace: Workspace) -> None:
    job = mnist_job(epochs=2)
    view = Progress(Console(file=StringIO()), job, Planned(names=["hidden_channels"]))
    view.started("demo-trial-2", "job", {"hidden_channels": 2, "epochs": 2})
    drawn = []
    for status in ("Downloading", "Training"):
        drawn.append(lines(view, 80, 24))
        view.status_changed("demo-trial-2", status)
    for epoch in (1, 2):
        for line in LOG:
            drawn.append(lines(view, 80, 24))
            tell(view, job, "demo-trial-2", line.format(epoch))
    view.ended(a_trial(workspace, 2))
    drawn.append(lines(view, 80, 24))

    assert len({tuple(heading) for *heading, _ in drawn}) == 1
    assert list(dict.fromkeys(row.split()[2] for *_, row in drawn)) == [
        *("starting", "downloading", "training", "completed")
    ]


def test_epochs_are_those_of_each_trial(workspace: Workspace) -> None:
    job = mnist_job()
    view = Progress(Console(file=StringIO()), job, Planned(total=3))
    for channels, epochs in ((2, {"epochs": 1}), (5, {"epochs": 10}), (10, {})):
        view.started(f"demo-trial-{channels}", "job", epochs)
        tell(view, job, f"demo-trial-{channels}", LOG[0].format(1))

    assert [line.split()[2:4] for line in lines(view, 100, 24)[4:7]] == [
        ["1/1", "100%"],
        ["1/10", "100%"],
        ["1", "100%"],
    ]


def test_an_epoch_that_is_only_mentioned_is_not_reached_again(workspace: Workspace) -> None:
    job = mnist_job()
    view = Progress(Console(file=StringIO()), job, Planned())
    view.started("demo-trial-2", "job", {"epochs": 3})
    tell(view, job, "demo-trial-2", LOG[0].format(3), "The weights of epoch 1 are the best.")

    assert lines(view, 100, 24)[-1].split()[2:4] == ["3/3", "100%"]


def test_a_curve_is_drawn_once_there_is_one(workspace: Workspace) -> None:
    """Not for scripts that print a single value at their end."""
    job = JobSpec(__file__, metrics={"accuracy": "accuracy=(.*)"}, objective="accuracy")
    view = Progress(Console(file=StringIO()), job, Planned())
    view.started("baseline", "job", {})
    tell(view, job, "baseline", "accuracy=0.5")
    first = lines(view, 80, 24)[-1]
    tell(view, job, "baseline", "accuracy=0.75")

    assert first.split()[:3] == ["baseline", "starting", "0.5"]
    assert lines(view, 80, 24)[-1].split()[:4] == ["baseline", "starting", "▁█", "0.75"]


def test_a_stream_that_cannot_encode_bars_gets_others(workspace: Workspace) -> None:
    stream = TextIOWrapper(BytesIO(), encoding="ascii")
    console = Console(file=stream, force_terminal=True, width=100, height=24, color_system=None)
    view = progress(console, workspace, ended=2, running=1, waiting=0, names=1)

    text = view.__rich__().plain

    assert text.isascii()
    assert ".@" in text


@pytest.mark.parametrize(("environment", "is_coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_colours_are_left_out_on_request(workspace: Workspace, environment: dict[str, str], is_coloured: bool) -> None:
    told = StringIO()
    terminal = {"TERM": "xterm", **environment}
    console = Console(file=told, force_terminal=True, width=100, _environ=terminal, color_system="standard")
    console.print(progress(console, workspace, ended=3, running=1, waiting=0, names=1))

    assert ("\x1b[31m" in told.getvalue()) is is_coloured


def test_a_trial_that_diverged_ends_with_what_is_not_a_number(workspace: Workspace) -> None:
    view = Progress(Console(file=StringIO()), mnist_job(epochs=2), Planned())
    view.started("demo-trial-2", "job", {})
    view.ended(a_trial(workspace, 2, non_finite={"validation:accuracy": "nan"}))

    assert " nan " in lines(view, 100, 24)[-1]


def test_a_job_without_metrics_or_epochs_has_a_short_table() -> None:
    view = Progress(Console(file=StringIO()), JobSpec(__file__), Planned())
    view.started("baseline", "job", {})

    assert [line.split() for line in lines(view, 80, 24)][1:] == [
        ["trial", "status", "seconds"],
        ["─" * 30],
        ["baseline", "starting", "0.0"],
    ]


def test_text_of_a_script_moves_no_cursor(workspace: Workspace) -> None:
    view = Progress(Console(file=StringIO()), JobSpec(__file__), Planned(names=["lr"], total=3))
    view.started("baseline", "job", {"lr": "\x1b[2J\x1b]0;title\x07fast"})

    assert "\x1b" not in view.__rich__().plain
