from datetime import UTC, datetime
from io import StringIO
from typing import cast

import pytest
from rich.console import Console

from mnist_tracking import Objective, Trial, Workspace, mnist_job
from mnist_tracking.cli.demo.live import TrialsView
from mnist_tracking.cli.demo.report import Report
from mnist_tracking.cli.demo.timings import Timings
from mnist_tracking.reading.leaderboard import Leaderboard
from mnist_tracking.types import Metric

LOG = (
    "Train Epoch: 1 [64/128 (50%)], Train Loss: 2.25;",
    "Train Epoch: 1 [128/128 (100%)], Train Loss: 1.5;",
    "Validation Average loss: 0.5, Validation Accuracy: 87.125%;",
)


def a_trial(channels: int, status: str = "Completed") -> Trial:
    accuracy = Metric("validation:accuracy", 87.125, 87.125, 87.125, 87.125, 0.0, 1)
    return Trial(
        name=f"demo-trial-{channels}",
        experiment="demo",
        status=status,  # type: ignore[arg-type]
        failure_reason="",
        hyperparameters={"hidden_channels": channels},
        metrics={accuracy.name: accuracy} if status == "Completed" else {},
        job_name="job",
        component_name="job-aws-training-job",
        model_uri=None,
        code_uri=None,
        created=datetime(2026, 1, 1, tzinfo=UTC),
        duration_s=3.0,
        account=cast("Workspace", None),
    )


def watch(*, terminal: bool, kind: str = "xterm") -> tuple[TrialsView, str]:
    """A view that saw one of two trials through, and what it showed."""
    told = StringIO()
    console = Console(file=told, force_terminal=terminal, width=120, color_system=None, _environ={"TERM": kind})
    with TrialsView(console, mnist_job().metrics, channels=[2, 5], epochs=1) as view:
        view.started("demo-trial-2", "job", {"hidden_channels": 2})
        for line in LOG:
            view.logged("demo-trial-2", line)
        view.ended(a_trial(2))
    return view, told.getvalue()


def test_a_terminal_shows_a_row_for_every_trial() -> None:
    _, told = watch(terminal=True)

    last = [" ".join(line.split()) for line in told.splitlines()[-3:]]
    assert last[0].startswith("2 completed 1/1 100% 1.5000 0.5000 87.12 %")
    assert last[1] == "5 waiting"


def test_the_table_does_not_jump_while_one_reads_it() -> None:
    console = Console(file=StringIO(), force_terminal=True, width=80, color_system=None)
    view = TrialsView(console, mnist_job().metrics, channels=[2], epochs=2)
    drawn = [drawing(console, view)]
    view.started("demo-trial-2", "job", {"hidden_channels": 2})
    for line in LOG:
        drawn.append(drawing(console, view))
        view.logged("demo-trial-2", line)
    view.ended(a_trial(2))
    drawn.append(drawing(console, view))

    assert len({tuple(heading) for *heading, _ in drawn}) == 1
    assert [row.split()[1] for *_, row in drawn] == ["waiting", "starting", "training", "training", "completed"]


def drawing(console: Console, view: TrialsView) -> tuple[str, ...]:
    with console.capture() as captured:
        console.print(view)
    return tuple(captured.get().splitlines())


def test_a_terminal_breaks_lines_between_words_unless_they_are_to_be_copied() -> None:
    told = StringIO()
    report = Report(Console(file=told, force_terminal=True, width=20, color_system=None))
    report.say("twenty columns are few for this")
    report.say("python -c 'twenty columns are few'", wrap=False)

    assert [line.rstrip() for line in told.getvalue().splitlines()] == [
        "twenty columns are",
        "few for this",
        "python -c 'twenty columns are few'",
    ]


def test_elsewhere_there_is_a_line_for_every_event() -> None:
    view, told = watch(terminal=False)

    assert told.splitlines()[:2] == [
        "2 channels: training as job job",
        "2 channels: epoch 1 of 1, validation loss 0.5000, accuracy 87.12 %",
    ]
    assert view.job_count == 1


def test_a_terminal_that_cannot_draw_again_has_lines_too() -> None:
    _, told = watch(terminal=True, kind="dumb")

    assert told.startswith("2 channels: training as job job\n2 channels: epoch 1 of 1")


def test_the_curves_are_the_losses_since_the_line_before() -> None:
    """A line gives the mean of its epoch so far; drawn as it is, a curve would jump where an epoch begins."""
    view, _ = watch(terminal=False)

    assert view.curves == {"2 channels": [(0.5, 2.25), (1.0, 0.75)]}


@pytest.mark.parametrize("terminal", [True, False])
def test_the_leaderboard_shows_trials_without_a_score(workspace: Workspace, terminal: bool) -> None:
    told = StringIO()
    report = Report(Console(file=told, force_terminal=terminal, width=100, color_system=None))
    trials = (a_trial(5), a_trial(2, "Failed"))

    report.leaderboard(Leaderboard(trials, Objective("validation:accuracy"), ("demo",), workspace))

    rows = [line.split() for line in told.getvalue().splitlines()]
    assert ["5", "87.12", "%", "3.0", "trial-5", "Completed"] in rows
    assert ["2", "3.0", "trial-2", "Failed"] in rows


def test_the_phases_and_the_rest_are_the_total() -> None:
    timings = Timings(0.0)
    with timings.phase("training"), timings.phase("plots"):
        pass

    summary = timings.summary()

    phases = summary["phases_s"]
    assert isinstance(phases, dict)
    assert summary["total_s"] == pytest.approx(sum(phases.values()))
    assert list(phases) == ["plots", "training", "other"]
