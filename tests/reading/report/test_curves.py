"""Learning curves: read from a few logs at a time, and thinned."""

from pathlib import Path

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.pages import Page
from tests.support.sent import Sent

from mnist_tracking import ExperimentRunner, Leaderboard, ServiceError, Workspace
from mnist_tracking.embedded import EmbeddedSageMaker, Fault
from mnist_tracking.reading.report.curves import read_curves, thinned

POINTS = st.lists(st.floats(-1e6, 1e6), max_size=300).map(lambda values: list(enumerate(values)))


@given(POINTS, st.integers(4, 50))
def test_a_thinned_curve_keeps_its_ends_and_its_extremes(points: list[tuple[int, float]], most: int) -> None:
    kept = thinned(points, most)

    assert len(kept) <= most
    assert list(kept) == sorted(kept)
    assert set(kept) <= set(points)
    if points:
        values, kept_values = [value for _, value in points], [value for _, value in kept]
        assert (kept[0], kept[-1]) == (points[0], points[-1])
        assert (min(kept_values), max(kept_values)) == (min(values), max(values))


@pytest.fixture
def board(workspace: Workspace) -> Leaderboard:
    runner = ExperimentRunner(workspace, "curves")
    for place in range(4):
        with runner.trial(name=f"trial-{place}") as trial:
            for step in range(3):
                trial.log_metric("accuracy", place + step / 10)
    return Leaderboard.load(workspace, "curves", objective="accuracy")


@pytest.mark.parametrize(
    ("limit", "drawn"), [(0, []), (2, ["trial-2", "trial-3"]), (None, [f"trial-{n}" for n in range(4)])]
)
def test_the_best_trials_are_read(
    sent: Sent, board: Leaderboard, tmp_path: Path, limit: int | None, drawn: list[str]
) -> None:
    sent.clear()
    page = Page(board.report(tmp_path / "page.html", curves=limit))

    assert sorted(page.data["curves"]) == drawn
    assert sum(operation == "BatchGetMetrics" for operation, _ in sent) == len(drawn)
    assert ("were not read" in page.section("curves").text) == (len(drawn) < 4)


def test_logs_that_may_not_be_read_are_counted(
    engine: EmbeddedSageMaker, workspace: Workspace, runner: ExperimentRunner, tmp_path: Path
) -> None:
    """The page has everything else."""
    runner.run({"slope": 1.0}, name="steep")
    with engine.inject(Fault("AccessDeniedException", operation="GetLogEvents", times=None)):
        page = Page(workspace.report("lines", tmp_path / "page.html"))

    assert "The values of 1 trial cannot be read: " in page.section("curves").text
    assert page.data["best"] == "steep"
    assert page.data["curves"] == {}


def test_trials_whose_log_is_not_read_show_what_their_sweep_recorded(workspace: Workspace, tmp_path: Path) -> None:
    runner = ExperimentRunner(workspace, "sweep")
    for name in ("first", "second"):
        with runner.trial(name=name) as trial:
            trial.log_metric("accuracy", 0.5)
    board = Leaderboard.load(workspace, "sweep", objective="accuracy")
    trials = (board[0], attrs.evolve(board[1], reported={3: 0.4, 1: 0.2}))
    page = Page(attrs.evolve(board, trials=trials).report(tmp_path / "page.html", curves=1))

    assert page.data["curves"] == {
        "first": {"accuracy": [[0, 0.5]]},
        "second": {"accuracy": [[1, 0.2], [3, 0.4]]},
    }
    assert page.data["curves_left_out"] == [
        "The logs of 1 trial after the best were not read; 1 of them show the values of the objective that their sweep "
        "recorded."
    ]


def test_another_error_is_raised_and_leaves_no_file(
    engine: EmbeddedSageMaker, workspace: Workspace, runner: ExperimentRunner, tmp_path: Path
) -> None:
    runner.run({"slope": 1.0}, name="steep")
    fault = Fault("ValidationException", operation="GetLogEvents", times=None)
    with engine.inject(fault), pytest.raises(ServiceError):
        workspace.report("lines", tmp_path / "page.html")

    assert not (tmp_path / "page.html").exists()


def test_values_that_were_dropped_are_named(workspace: Workspace, tmp_path: Path) -> None:
    with ExperimentRunner(workspace, "nan").trial(name="gap") as trial:
        for value in (0.1, float("nan"), 0.3):
            trial.log_metric("accuracy", value)
    page = Page(workspace.report("nan", tmp_path / "page.html", objective="accuracy"))

    assert "gap: " in page.section("curves").one("ul", class_="dropped").text
    assert page.data["curves"]["gap"]["accuracy"] == [[0, 0.1], [2, 0.3]]


def test_a_trial_with_one_value_is_on_the_chart_of_the_others(workspace: Workspace, tmp_path: Path) -> None:
    """A pruner may stop a trial after its first value."""
    runner = ExperimentRunner(workspace, "short")
    for name, values in (("long", [0.1, 0.2]), ("short", [0.05])):
        with runner.trial(name=name) as trial:
            for value in values:
                trial.log_metrics({"accuracy": value})
            trial.log_metric("once", 1.0)
    page = Page(workspace.report("short", tmp_path / "page.html", objective="accuracy"))
    (chart,) = page.section("curves").all("svg")

    assert [path["data-i"] for path in chart.all(class_="curve")] == ["1", "0"]
    assert page.data["curves"]["short"] == {"accuracy": [[0, 0.05]]}


def test_the_curves_of_a_job_take_six_calls(sent: Sent, workspace: Workspace, runner: ExperimentRunner) -> None:
    for slope in (1.0, 2.0):
        runner.run({"slope": slope})
    counts = []
    for limit in (1, 2):
        trials = Leaderboard.load(workspace, "lines").trials
        sent.clear()
        read_curves(trials, limit, "score")
        counts.append(len(sent))

    assert counts == [6, 12]
