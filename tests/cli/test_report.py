"""The demo's report and its timings."""

from io import StringIO

import pytest
from rich.console import Console
from tests.support.trials import a_trial

from mnist_tracking import Leaderboard, Objective, Workspace
from mnist_tracking.cli.demo.options import Timings
from mnist_tracking.cli.demo.report import Report


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


@pytest.mark.parametrize("terminal", [True, False])
def test_the_leaderboard_shows_trials_without_a_score(workspace: Workspace, terminal: bool) -> None:
    told = StringIO()
    report = Report(Console(file=told, force_terminal=terminal, width=100, color_system=None))
    trials = (a_trial(workspace, 5), a_trial(workspace, 2, "Failed"))

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
