from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.sent import Sent, record_calls

from mnist_tracking import ExperimentRunner, JobSpec, Objective, Workspace
from mnist_tracking.embedded import EmbeddedSageMaker

TOY = Path(__file__).parent / "toy"


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with_home = Workspace.embedded(tmp_path / "home")
    yield with_home
    with_home.close()


@pytest.fixture
def limited_workspace(tmp_path: Path) -> Iterator[Workspace]:
    engine = EmbeddedSageMaker(tmp_path / "home", quotas={"ml.m5.xlarge": 1})
    yield Workspace.embedded(engine=engine)
    engine.close()


@pytest.fixture
def toy_job() -> Callable[..., JobSpec]:
    """Makes the specification of a job that takes a fraction of a second."""

    def make(**changes: Any) -> JobSpec:
        settings: dict[str, Any] = {
            "source_dir": TOY,
            "metrics": {"score": r"score=(\S+?);", "error": r"error=(\S+?);"},
            "objective": Objective("score"),
        }
        return JobSpec(entry_point="train.py", **{**settings, **changes})

    return make


@pytest.fixture
def runner(workspace: Workspace, toy_job: Callable[..., JobSpec]) -> ExperimentRunner:
    return ExperimentRunner(workspace, "lines", description="Fitted lines.", job=toy_job())


@pytest.fixture
def filled(workspace: Workspace) -> Workspace:
    """Three trials in two experiments, each with what it scored."""
    for experiment, name, optimizer, accuracy in (
        ("one", "low", "sgd", 0.5),
        ("one", "high", "adam", 0.9),
        ("two", "middle", "sgd", 0.7),
    ):
        runner = ExperimentRunner(workspace, experiment, tags={"team": "cv" if experiment == "one" else "nlp"})
        with runner.trial({"optimizer": optimizer, "rate": accuracy / 10, "fast": True}, name=name) as trial:
            trial.log_metric("accuracy", 0.1)
            trial.log_metric("accuracy", accuracy)
    return workspace


@pytest.fixture
def sent(workspace: Workspace) -> Sent:
    """The calls of the workspace."""
    return record_calls(workspace)


@pytest.fixture
def client(workspace: Workspace) -> Any:
    return workspace.client("sagemaker")


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """What answers on an endpoint."""
    path = tmp_path / "answer.py"
    path.write_text("def model_fn(model_dir):\n    return model_dir\n")
    return path
