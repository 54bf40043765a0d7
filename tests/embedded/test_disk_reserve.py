"""An archive that would fill the disk fails its job or endpoint before it fills anything, and says why."""

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.support.hosting_account import HostingAccount
from tests.support.training_account import TrainingAccount

from mnist_tracking.embedded import EmbeddedSageMaker
from mnist_tracking.errors import ConfigError


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[EmbeddedSageMaker]:
    """An engine whose disk has less room than it keeps free."""
    disk = os.statvfs(tmp_path)
    with closing(EmbeddedSageMaker(tmp_path / "home", disk_reserve_bytes=disk.f_blocks * disk.f_frsize)) as engine:
        yield engine


def test_job(engine: EmbeddedSageMaker) -> None:
    job = TrainingAccount(engine).run("print('trained')")

    assert job["TrainingJobStatus"] == "Failed"
    assert (
        "the source archive cannot be unpacked: disk full: the contents take at least 16 bytes" in job["FailureReason"]
    )


def test_endpoint(engine: EmbeddedSageMaker) -> None:
    endpoint = HostingAccount(engine).deploy()

    assert endpoint["EndpointStatus"] == "Failed"
    assert "model.tar.gz cannot be unpacked: disk full" in endpoint["FailureReason"]


def test_reserve_is_not_negative(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="disk_reserve_bytes=-1; expected bytes >= 0"):
        EmbeddedSageMaker(tmp_path / "home", disk_reserve_bytes=-1)
