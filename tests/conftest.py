"""What every test gets: no network, nobody's AWS account, a home of its own, and checked responses."""

import ipaddress
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.model import OperationModel
from botocore.validate import ParamValidator
from hypothesis import settings
from tests.support.rigs import RIGS, Rig

from mnist_tracking.embedded import transport

settings.register_profile("quick", deadline=None, max_examples=50)
settings.load_profile("quick")


@pytest.fixture(params=RIGS)
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    """Each place the calls can go, in turn."""
    with RIGS[request.param](tmp_path / "rig") as rig:
        for mark in request.node.iter_markers("needs"):
            if missing := rig.lacks.intersection(mark.args):
                pytest.skip(f"{rig.name} lacks {', '.join(sorted(missing))}")
        if reason := rig.gaps.get(request.node.originalname):
            request.applymarker(pytest.mark.xfail(reason=reason, strict=True))
        yield rig


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


@pytest.fixture(autouse=True, scope="session")
def _nobodys_account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Hide the user's AWS configuration and home; only matplotlib may keep its cache of fonts."""
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
