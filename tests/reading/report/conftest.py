"""A leaderboard with a trial of every kind."""

from collections.abc import Callable
from pathlib import Path

import attrs
import pytest
from tests.support.pages import HOSTILE, Page

from mnist_tracking import ExperimentRunner, Leaderboard, Workspace


@pytest.fixture
def board(workspace: Workspace) -> Leaderboard:
    """Four trials that completed, one that failed with a hostile reason, one that diverged, and one that was pruned."""
    runner = ExperimentRunner(workspace, "churn")
    runner.use_dataset("s3://my-bucket/rows")
    for name, rate, kind, accuracy in (
        ("worst", 0.001, "sgd", 0.80),
        ("good", 0.01, HOSTILE, 0.90),
        ("best", 0.1, "adam", 0.95),
        ("pruned", 0.03, "sgd", 0.70),
    ):
        with runner.trial({"rate": rate, "kind": kind, "seed": 1}, name=name) as trial:
            for epoch in range(5):
                trial.log_metrics({"accuracy": accuracy * (epoch + 1) / 5, "loss": 0.1 ** (epoch + 1)})
    with pytest.raises(RuntimeError), runner.trial({"rate": 10.0}, name="failed"):
        raise RuntimeError(HOSTILE)
    with runner.trial({"rate": 1.0, "kind": "adam", "seed": 1}, name="diverged") as trial:
        trial.log_metrics({"accuracy": 0.5, "loss": 3.0})
        trial.log_metrics({"accuracy": float("nan"), "loss": 3.0})
    return with_pruned(Leaderboard.load(workspace, "churn", objective="accuracy"), "pruned")


def with_pruned(board: Leaderboard, name: str) -> Leaderboard:
    """Return a leaderboard with one trial as it is after a pruner has stopped its job."""
    reason = "pruned at step 4 by asha"
    trials = [
        attrs.evolve(trial, status="Stopped", stop_reason=reason, reported={0: 0.1, 3: 0.2})
        if trial.name == name
        else trial
        for trial in board
    ]
    return attrs.evolve(board, trials=tuple(trials))


@pytest.fixture
def page(board: Leaderboard, tmp_path: Path) -> Page:
    return Page(board.report(tmp_path / "report.html"))


@pytest.fixture
def recorded(workspace: Workspace, tmp_path: Path) -> Callable[..., Page]:
    """Makes the page of one trial of an experiment, whose block is filled by a function."""

    def make(fill: Callable[..., object], **options: object) -> Page:
        with ExperimentRunner(workspace, "one").trial({"C": 1.0}, name="only") as trial:
            trial.log_metric("accuracy", 0.5)
            fill(trial)
        return Page(workspace.report("one", tmp_path / "one.html", objective="accuracy"))

    return make
