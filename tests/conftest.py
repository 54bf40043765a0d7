"""What every test gets: no network, nobody's AWS account, a home of its own, and checked responses."""

import gc
import ipaddress
import os
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.model import OperationModel
from botocore.validate import ParamValidator
from hypothesis import settings
from tests.support.recording import RECORDINGS, save
from tests.support.rigs import LIVE_RUN, RIGS, Rig
from tests.support.sent import Sent, record_calls
from tests.support.toy_job import TOY

from mnist_tracking import ExperimentRunner, JobSpec, Objective, Workspace
from mnist_tracking._values import repository
from mnist_tracking.embedded import EmbeddedSageMaker, transport

settings.register_profile("quick", deadline=None, max_examples=50)
settings.load_profile("quick")


@pytest.fixture(params=RIGS)
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    """Each place the calls can go, in turn. Its calls are recorded, if `RECORDINGS` names a folder."""
    with RIGS[request.param](tmp_path / "rig") as rig:
        for mark in request.node.iter_markers("needs"):
            if missing := rig.lacks.intersection(mark.args):
                pytest.skip(f"{rig.name} lacks {', '.join(sorted(missing))}")
        if reason := rig.gaps.get(request.node.originalname):
            request.applymarker(pytest.mark.xfail(reason=reason, strict=True))
        yield rig
        if folder := os.environ.get(RECORDINGS):
            test = request.node.name.replace(f"[{rig.name}]", "").replace(f"[{rig.name}-", "[")
            save(Path(folder), request.node.path.stem, test, rig.recorder)


@pytest.fixture(autouse=True, scope="session")
def _responses_are_valid() -> Iterator[None]:
    """Hold every embedded response to botocore's output shape, unknown members included."""
    transport.response_observers.append(_check_response)
    yield
    transport.response_observers.remove(_check_response)


def _check_response(model: OperationModel, response: dict[str, Any]) -> None:
    if model.output_shape is None:
        assert response == {}, f"{model.name} has no output"
        return
    report = ParamValidator().validate(response, model.output_shape)
    assert not report.has_errors(), f"{model.name}: {report.generate_report()}"


_modules_frozen = 0


@pytest.fixture(autouse=True)
def _imports_are_not_collected() -> None:
    """
    Exempt what was imported from garbage collection.

    The clients of a test are large, cyclic garbage. Each full collection would also visit the million objects of torch
    and the SDKs, and took two fifths of the time of many tests.
    """
    global _modules_frozen  # noqa: PLW0603 - once for each large import
    if len(sys.modules) > _modules_frozen + 200:
        gc.collect()
        gc.freeze()
        _modules_frozen = len(sys.modules)


@pytest.fixture(autouse=True, scope="session")
def _nobodys_account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Hide the user's AWS configuration and home; only matplotlib may keep its cache of fonts."""
    if LIVE_RUN in os.environ:
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MPLCONFIGDIR", os.environ.get("MPLCONFIGDIR", str(Path.home() / ".cache" / "matplotlib")))
        for name in [name for name in os.environ if name.startswith(("AWS_", "SM_", "SAGEMAKER_"))]:
            patch.delenv(name)
        patch.delenv("MNIST_TRACKING_BACKEND", raising=False)
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        yield


@pytest.fixture(autouse=True)
def _home_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MNIST_TRACKING_HOME", str(tmp_path / "mnist-tracking"))


@pytest.fixture(autouse=True, scope="session")
def _no_network() -> Iterator[None]:
    """Refuse every connection but to this machine."""
    if LIVE_RUN in os.environ:
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        for name in ("connect", "connect_ex"):
            patch.setattr(socket.socket, name, _only_here(getattr(socket.socket, name)))
        yield


def _only_here(connect: Any) -> Any:
    def guarded(self: socket.socket, address: Any) -> Any:
        if self.family != socket.AF_UNIX and not _is_loopback(address[0]):
            raise AssertionError(f"a test tried to reach {address}")
        return connect(self, address)

    return guarded


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@pytest.fixture
def engine_settings() -> dict[str, Any]:
    """The keywords of `engine`; a module whose engine differs replaces this."""
    return {}


@pytest.fixture
def engine(tmp_path: Path, engine_settings: dict[str, Any]) -> Iterator[EmbeddedSageMaker]:
    """An empty embedded SageMaker."""
    engine = EmbeddedSageMaker(tmp_path / "home", **engine_settings)
    yield engine
    engine.close()


@pytest.fixture
def workspace(engine: EmbeddedSageMaker) -> Iterator[Workspace]:
    """A workspace on *engine*."""
    workspace = Workspace.embedded(engine=engine)
    yield workspace
    workspace.close()


@pytest.fixture
def limited_workspace(tmp_path: Path) -> Iterator[Workspace]:
    engine = EmbeddedSageMaker(tmp_path / "home", quotas={"ml.m5.xlarge": 1})
    yield Workspace.embedded(engine=engine)
    engine.close()


@pytest.fixture
def fresh_git(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Git without this machine's configuration, and nothing that was found out with it before."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setattr(repository, "_TIMEOUT_S", 120.0)  # however many tests run beside this one
    repository.forget_checkouts()
    yield
    repository.forget_checkouts()


@pytest.fixture
def naps() -> list[float]:
    """How long an engine slept, each time, if its settings have ``sleep=naps.append``: never."""
    return []


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
