"""The types that a program sees while it trains, compares and deploys. Read by the type checkers, never run."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, assert_type

import mnist_tracking as mt
from mnist_tracking._values.recordable import ParameterValue
from mnist_tracking.types import CleanupPlan, CleanupReport, Component, MetricSeries, TrialDownload

Status = Literal["InProgress", "Completed", "Failed", "Stopping", "Stopped"]


def opens_a_workspace(engineless: str) -> None:
    with mt.Workspace.embedded(engineless, tags={"team": "cv"}) as workspace:
        assert_type(workspace, mt.Workspace)
    assert_type(mt.Workspace.aws(profile="research", region="eu-west-1", network_isolation=True), mt.Workspace)
    assert_type(mt.Workspace.from_env(), mt.Workspace)
    mt.Workspace.embedded(buket="x")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    mt.Workspace.embedded(tags=["cv"])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def trains(runner: mt.ExperimentRunner) -> None:
    assert_type(runner.run({"lr": 0.1, "optimizer": "sgd", "fast": True}, name="first"), mt.Trial)
    handle = runner.submit({"lr": 0.1})
    assert_type(handle, mt.SubmittedTrial)
    assert_type(handle.result(timeout_s=60), mt.Trial)
    assert_type(handle.series(), dict[str, MetricSeries])
    assert_type(runner.prepare_dataset("data"), Component)
    assert_type(runner.upload_dataset("data"), Component)
    runner.run({"layers": [64, 128], "optimizer": {"name": "sgd", "nesterov": True}})
    runner.run({"lr": {0.1}})  # type: ignore[dict-item]  # pyright: ignore[reportArgumentType]


def records(runner: mt.ExperimentRunner) -> None:
    with runner.step("Evaluation") as step:
        assert_type(step, mt.Step)
        step.log_metric("f1", "high")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    with runner.trial({"C": 1.0}) as local:
        assert_type(local, mt.LocalTrial)
        assert_type((local.name, local.experiment), tuple[str, str])


def sweeps(runner: mt.ExperimentRunner) -> None:
    board = mt.HyperparameterSweep(runner, {"lr": [0.1, 0.01]}, max_parallel=2).run()
    assert_type(board, mt.Leaderboard)
    assert_type(board.best, mt.Trial)
    assert_type(board.best.lineage(), mt.Lineage)
    assert_type([trial.name for trial in board], list[str])


def searches(runner: mt.ExperimentRunner) -> None:
    space = {
        "lr": mt.loguniform(1e-4, 1e-1),
        "layers": [[64, 64], [128]],
        "optimizer": {"name": mt.choice(["sgd", "adam"]), "momentum": mt.when("name", "sgd", mt.uniform(0, 0.9))},
        "epochs": mt.fixed(10),
        "job:instance_type": ["ml.m5.xlarge"],
    }
    found = mt.Space.of(space, where=lambda point: point["lr"] > 1e-3)
    assert_type(found, mt.Space)
    assert_type(len(found), int)
    sweep = mt.HyperparameterSweep(runner, found, strategy="tpe", pruner="asha", max_trials=50)
    assert_type(sweep, mt.HyperparameterSweep)
    mt.HyperparameterSweep(runner, [{"lr": 0.1}, {"lr": 0.2, "depth": 2}])
    assert_type(mt.HyperparameterSweep.from_file(runner, "sweep.yaml", max_parallel=2), mt.HyperparameterSweep)


def reads_a_trial(trial: mt.Trial) -> None:
    assert_type((trial.name, trial.experiment), tuple[str, str])
    assert_type(trial.status, Status | None)
    assert_type(trial.hyperparameters, Mapping[str, ParameterValue])
    assert_type(trial.created, datetime)
    assert_type(trial.duration_s, float | None)
    assert_type(trial.steps, tuple[Component, ...])
    assert_type(trial.series(), dict[str, MetricSeries])
    assert_type(trial.download("there"), TrialDownload)
    trial.name = "other"  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]


def deploys(workspace: mt.Workspace, board: mt.Leaderboard) -> None:
    with mt.BestModelDeployer(workspace).deploy(board, name="best") as endpoint:
        assert_type(endpoint, mt.Endpoint)
    assert_type(workspace.endpoint("best"), mt.Endpoint)
    with board.best.deploy(serializer="json") as deployed:
        assert_type(deployed.name, str)
    board.best.deploy(serializer="xml")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def cleans_up(runner: mt.ExperimentRunner) -> None:
    plan = runner.cleanup_plan()
    assert_type(plan, CleanupPlan)
    assert_type(plan.execute(), CleanupReport)
    assert_type(runner.cleanup(), CleanupReport)
