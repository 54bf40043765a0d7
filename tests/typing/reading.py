"""The types of what is looked up, and of filters. Read by the type checkers, never run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, assert_type

import mnist_tracking as mt
from mnist_tracking import where
from mnist_tracking._values.where import Filter
from mnist_tracking.errors import DivergedError, MnistTrackingError
from mnist_tracking.types import Comparison, ExperimentSummary, Groups, Results


def looks_up(workspace: mt.Workspace) -> None:
    assert_type(workspace.trial("first"), mt.Trial)
    assert_type(workspace.trials("digits"), Results[mt.Trial])
    assert_type(workspace.trials("digits")[0], mt.Trial)
    assert_type(workspace.experiments(), Results[ExperimentSummary])
    assert_type(workspace.compare("first", "second"), Comparison)
    assert_type(workspace.report("digits", "report.html", objective="score"), Path)
    assert_type(workspace.submitted("first"), mt.SubmittedTrial)
    workspace.trials(experiment=3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def filters(workspace: mt.Workspace) -> None:
    high = where.metric("test:accuracy") > 97
    assert_type(high, Filter)
    assert_type(high & (where.param("optimizer") == "sgd"), Filter)
    assert_type(where.status().isin(["Completed", "Failed"]), Filter)
    workspace.trials(where=[high, where.tag("team") == "cv"])


def ranks(workspace: mt.Workspace) -> None:
    board = mt.Leaderboard.load(workspace, ["a", "b"], objective=mt.Objective("loss", goal="minimize"))
    assert_type(board, mt.Leaderboard)
    assert_type(board[0], mt.Trial)
    assert_type(board.report("report.html", curves=None), Path)
    assert_type(mt.LineageTracer(workspace).trace(board.best), mt.Lineage)
    assert_type(board.groups(over="seed"), Groups)
    assert_type(board.groups()[0].mean, float | None)
    assert_type(board.importance(), Mapping[str, float])
    assert_type(board.to_csv("board.csv"), Path)
    assert_type(workspace.trials("a").to_markdown(), str)
    assert_type(board.best.cost, float | None)
    board.dataframe(group_by="trial")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    mt.Objective("loss", statistic="last-5-mean")
    mt.Objective("loss", goal="smallest")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def branches_on_errors(error: MnistTrackingError) -> None:
    if isinstance(error, mt.NotFoundError):
        assert_type((error.kind, error.name), tuple[str, str])
    if isinstance(error, DivergedError):
        assert_type(error.loss, float)


def describes_a_job() -> None:
    job = mt.JobSpec("train.py", metrics=["score"], objective="score", hyperparameters={"lr": 0.1})
    assert_type(job, mt.JobSpec)
    assert_type(mt.mnist_job(epochs=2, recipe="reference"), mt.JobSpec)
    goal: Literal["maximize", "minimize"] = mt.Objective("score").goal
    assert_type(mt.Objective("score").metric, str)
    print(goal)
