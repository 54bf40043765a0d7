"""Responses that are lost: the request is executed, the client gets an error in its place, and repeats the request."""

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.support.sent import whole_workflow

from mnist_tracking import BestModelDeployer, ExperimentRunner, Leaderboard, ServiceError, Workspace
from mnist_tracking.embedded import EmbeddedSageMaker, Fault
from mnist_tracking.embedded.registry import OPERATIONS
from mnist_tracking.errors import AlreadyExistsError

Params = Mapping[str, Any]
READS = ("Describe", "List", "Get", "Head", "Search", "BatchGet", "InvokeEndpoint")
CHANGES = sorted({operation for _, operation in OPERATIONS if not operation.startswith(READS)})
LOST = ["InternalFailure", "ConnectionClosedError", "ReadTimeoutError"]


@pytest.fixture
def engine_settings(naps: list[float]) -> dict[str, Any]:
    return {"sleep": naps.append}


@contextmanager
def first_responses_lost(engine: EmbeddedSageMaker, code: str, operations: list[str]) -> Iterator[dict[str, int]]:
    """Lose the first response to each call of some operations; yield how many were lost by operation."""
    with responses_lost(engine, code, operations, when=is_new) as lost:
        yield lost


@contextmanager
def responses_lost(
    engine: EmbeddedSageMaker, code: str, operations: list[str], when: Callable[[], Callable[[Params], bool]]
) -> Iterator[dict[str, int]]:
    """Lose the responses to calls of some operations for which a function, made for each operation, returns true."""
    with ExitStack() as stack:
        injections = [
            stack.enter_context(engine.inject(Fault(code, operation=name, times=None, when=when(), lost=True)))
            for name in operations
        ]
        lost: dict[str, int] = {}
        yield lost
        lost |= {injection.fault.operation or "": injection.failures for injection in injections if injection.failures}


def is_new() -> Callable[[Params], bool]:
    """Return a function that returns whether it is called with an object for the first time."""
    known: list[object] = []

    def check(params: Params) -> bool:
        if any(params is one for one in known):
            return False
        known.append(params)
        return True

    return check


def is_drawn(draw: random.Random) -> Callable[[Params], bool]:
    """Return a function that returns true at random, and at most twice for an object."""
    drawn: list[object] = []

    def check(params: Params) -> bool:
        is_lost = draw.random() < 0.5 and sum(params is one for one in drawn) < 2
        drawn.extend([params] if is_lost else [])
        return is_lost

    return check


def left(engine: EmbeddedSageMaker) -> dict[str, int]:
    """How much is left in each table, apart from what no cleanup deletes."""
    lasting = {"buckets", "training_jobs", "training_job_stages", "log_events", "sqlite_sequence"}
    with engine.store.read() as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        rows = {name: connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in tables}
        rows["tags"] -= connection.execute("SELECT count(*) FROM tags WHERE arn LIKE '%training-job/%'").fetchone()[0]
    return {name: count for name, count in rows.items() if count and name not in lasting}


@pytest.mark.parametrize("code", LOST)
def test_workflow_survives_the_loss_of_every_first_response(
    engine: EmbeddedSageMaker, workspace: Workspace, toy_job: Any, tmp_path: Path, code: str
) -> None:
    with first_responses_lost(engine, code, CHANGES) as lost:
        whole_workflow(workspace, toy_job(), tmp_path)
        board = Leaderboard.load(workspace, "lines", objective="score")
        report = workspace.cleanup_plan("lines").execute()

    assert [trial.status for trial in board] == ["Completed"]
    assert report.failed == ()
    assert {kind for kind, _ in report.deleted} >= {"trial component", "trial", "experiment", "artifact"}
    assert left(engine) == {}
    created = {name for name in lost if name.startswith("Create")}
    assert created >= {f"Create{kind}" for kind in ("Experiment", "Trial", "TrialComponent", "TrainingJob", "Artifact")}
    assert created >= {f"Create{kind}" for kind in ("Model", "EndpointConfig", "Endpoint", "Bucket", "MultipartUpload")}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_workflow_survives_losses_at_random(
    engine: EmbeddedSageMaker, workspace: Workspace, toy_job: Any, tmp_path: Path, seed: int
) -> None:
    """Half of the responses, up to two in a row."""
    draw = random.Random(seed)
    with responses_lost(engine, draw.choice(LOST), CHANGES, when=partial(is_drawn, draw)) as lost:
        whole_workflow(workspace, toy_job(), tmp_path)
        report = workspace.cleanup_plan("lines").execute()

    assert sum(lost.values()) > 20
    assert report.failed == ()
    assert left(engine) == {}


def test_uploads_of_the_sdk_are_retried_as_ours_are(
    engine: EmbeddedSageMaker, workspace: Workspace, toy_job: Any
) -> None:
    """Its own client for S3 gives up after five attempts."""
    runner = ExperimentRunner(workspace, "lines", job=toy_job())
    with engine.inject(Fault("SlowDown", operation="PutObject", times=8)) as injection:
        runner.run({"steps": 1})

    assert injection.failures == 8


@pytest.mark.parametrize("code", LOST)
def test_metrics_whose_response_is_lost_keep_their_values(
    engine: EmbeddedSageMaker, workspace: Workspace, code: str
) -> None:
    """They may be counted twice: SageMaker does not say whether it recognizes a repeated value."""
    runner = ExperimentRunner(workspace, "lines")
    with first_responses_lost(engine, code, ["BatchPutMetrics"]) as lost, runner.trial(name="mine") as trial:
        for value in (3.0, 1.0, 2.0):
            trial.log_metric("loss", value)
    (metric,) = workspace.trial("mine").metrics.values()

    assert lost == {"BatchPutMetrics": 3}
    assert (metric.last, metric.min, metric.max) == (2.0, 1.0, 3.0)


@pytest.mark.parametrize("kind", ["Experiment", "Trial"])
def test_name_of_somebody_else_stays_taken(engine: EmbeddedSageMaker, workspace: Workspace, kind: str) -> None:
    """Also if the request is repeated because of throttling: nothing was created by it."""
    client = engine.session().client("sagemaker")
    client.create_experiment(ExperimentName="theirs")
    client.create_trial(ExperimentName="theirs", TrialName="theirs")
    trial = ExperimentRunner(workspace, "theirs").trial(name="theirs")
    taken = {"Experiment": lambda: ExperimentRunner(workspace, "theirs", create=True), "Trial": trial.__enter__}
    with engine.inject(Fault("ThrottlingException", operation=f"Create{kind}")), pytest.raises(AlreadyExistsError):
        taken[kind]()


@pytest.mark.parametrize("code", LOST)
@pytest.mark.parametrize("operation", ["CreateTrial", "CreateTrainingJob"])
def test_job_whose_responses_are_all_lost_is_known_or_stopped(
    engine: EmbeddedSageMaker, workspace: Workspace, toy_job: Any, operation: str, code: str
) -> None:
    runner = ExperimentRunner(workspace, "lines", job=toy_job())
    with engine.inject(Fault(code, operation=operation, times=None, lost=True)):
        try:
            submitted = runner.submit({"behaviour": "hang"}, name="mine")
        except ServiceError:
            submitted = None
    plan = runner.cleanup_plan()
    running = workspace.client("sagemaker").list_training_jobs(StatusEquals="InProgress")["TrainingJobSummaries"]

    assert {item.name for item in plan.items if item.is_running} == {job["TrainingJobName"] for job in running}
    assert (submitted is not None) == bool(running)
    plan.execute()
    assert left(engine) == {}


@pytest.mark.parametrize("code", LOST)
@pytest.mark.parametrize("operation", ["CreateModel", "CreateEndpointConfig", "CreateEndpoint", "CreateTrialComponent"])
def test_deployment_whose_responses_are_all_lost_leaves_nothing(
    engine: EmbeddedSageMaker, workspace: Workspace, script: Path, operation: str, code: str
) -> None:
    runner = ExperimentRunner(workspace, "lines")
    with runner.trial(name="mine") as trial:
        trial.log_model(script, entry_point=script)
    with engine.inject(Fault(code, operation=operation, times=None, lost=True)):
        try:
            endpoint = BestModelDeployer(workspace).deploy("mine", name="live", wait=False)
        except ServiceError:
            endpoint = None
    kinds = {item.kind for item in runner.cleanup_plan().to_delete}

    assert ("endpoint" in kinds) == ("model" in kinds) == (endpoint is not None)
    runner.cleanup()
    assert left(engine) == {}
