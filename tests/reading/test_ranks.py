"""What a leaderboard shows besides its ranks: ties, the test set, reasons and costs."""

from collections.abc import Callable

import pytest

from mnist_tracking import ExperimentRunner, JobFailedError, JobSpec, Leaderboard, Objective, Workspace


def record(workspace: Workspace, values: dict[str, float], metric: str = "score", **others: float) -> None:
    runner = ExperimentRunner(workspace, "ranks")
    for name, value in values.items():
        with runner.trial(name=name) as trial:
            trial.log_metrics({metric: value, **others})


def test_ties_are_counted_and_shown(workspace: Workspace) -> None:
    record(workspace, {"a": 0.5, "b": 0.75, "c": 0.5, "d": 0.25, "e": 0.5})
    board = Leaderboard.load(workspace, "ranks", objective="score")

    assert [trial.name for trial in board] == ["b", "a", "c", "e", "d"]
    assert board.ties == {"a": 2, "c": 2, "e": 2}
    assert board.dataframe()["tied"].tolist() == [0, 2, 2, 2, 0]
    lines = str(board).splitlines()
    assert [line.endswith("tied with 2 others") for line in lines[1:]] == [False, True, True, True, False]
    assert board.ties is board.ties


def test_a_tie_of_two_is_with_one_other(workspace: Workspace) -> None:
    record(workspace, {"a": 0.5, "b": 0.5})

    assert "tied with 1 other\n" in str(Leaderboard.load(workspace, "ranks", objective="score")) + "\n"


@pytest.mark.parametrize("metric", ["test:accuracy", "test_loss", "Test/f1", "test"])
def test_a_rank_by_the_test_set_says_so(workspace: Workspace, metric: str) -> None:
    record(workspace, {"a": 0.5}, metric, **{"validation:f1": 0.25})
    board = Leaderboard.load(workspace, "ranks", objective=metric)

    assert board.note.startswith(
        f"Ranked by {metric!r}, a metric of the test set: the value of the best is optimistic."
    )
    assert "Rank by a validation metric, such as 'validation:f1'" in board.note
    assert str(board).splitlines()[0] == board.note
    assert board.note.split(":")[0] in board._repr_html_().replace("&#x27;", "'")
    assert board.best.name == "a"


@pytest.mark.parametrize("metric", ["validation:accuracy", "latest", "tests", "testosterone", "train:test"])
def test_other_metrics_have_no_note(workspace: Workspace, metric: str) -> None:
    record(workspace, {"a": 0.5}, metric)

    assert Leaderboard.load(workspace, "ranks", objective=metric).note == ""


def test_the_test_metric_stands_beside_the_value_that_ranks(workspace: Workspace) -> None:
    runner = ExperimentRunner(workspace, "ranks")
    with runner.trial() as trial:
        for value in (0.9, 0.8):
            trial.log_metrics({"validation:accuracy": value, "test:accuracy": 0.7, "epoch": 1.0})
    board = Leaderboard.load(workspace, "ranks", objective=Objective("validation:accuracy", statistic="max"))

    assert list(board._shown().columns) == [
        *("trial", "status", "duration_s", "max validation:accuracy", "validation:accuracy", "test:accuracy", "epoch")
    ]
    assert board._shown()["max validation:accuracy"].tolist() == [0.9]


def test_what_was_stopped_or_failed_is_kept_with_its_reason(
    workspace: Workspace, toy_job: Callable[..., JobSpec]
) -> None:
    runner = ExperimentRunner(workspace, "ranks", job=toy_job(max_run_s=1))
    good = runner.run({"steps": 1, "slope": 1.0})
    stopped = runner.submit({"behaviour": "overrun", "slope": 4.0}).result()
    with pytest.raises(JobFailedError):
        runner.run({"behaviour": "exit"})
    board = Leaderboard.load(workspace, "ranks")

    assert [trial.status for trial in board] == ["Stopped", "Completed", "Failed"]
    assert board.best.name == good.name
    frame = board.dataframe()
    assert frame["stop_reason"].tolist() == [stopped.stop_reason, "", ""] == ["MaxRuntimeExceeded", "", ""]
    assert board.note_of(board[0]) == "MaxRuntimeExceeded"
    assert frame["cost_usd"].tolist() == pytest.approx([trial.billable_s * 0.23 / 3600 for trial in board])  # type: ignore[operator]
    assert frame["instance_type"].unique().tolist() == ["ml.m5.xlarge"]
