"""A home that others use for longer than a call waits."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from mnist_tracking import ConfigError
from mnist_tracking.embedded.engine import EmbeddedSageMaker
from mnist_tracking.embedded.store import Store
from mnist_tracking.embedded.timing import EngineTiming

TIMING = EngineTiming(database_busy_s=0.01)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[EmbeddedSageMaker]:
    """An engine that does not wait."""
    engine = EmbeddedSageMaker(tmp_path / "home", timing=TIMING)
    yield engine
    engine.close()


def error_of_write(engine: EmbeddedSageMaker) -> str:
    with pytest.raises(ClientError) as caught:
        engine.session().client("sagemaker").create_experiment(ExperimentName="name")
    assert caught.value.response["Error"]["Code"] == "InternalFailure"
    return str(caught.value.response["Error"]["Message"])


def test_write_while_others_write(engine: EmbeddedSageMaker, caplog: pytest.LogCaptureFixture) -> None:
    """The call's error says so; it is not a defect of this library, which would be logged."""
    with Store(engine.home).write():
        message = error_of_write(engine)

    expected = f"{str(engine.home)!r} is in use: others have been writing to it for 0.01 s. Nothing was changed."
    assert message == f"The embedded SageMaker cannot use {str(engine.home)!r}: {expected}"
    assert caplog.records == []


def test_write_while_a_tool_of_sqlite_writes(engine: EmbeddedSageMaker) -> None:
    with closing(sqlite3.connect(engine.home / "sagemaker.db", isolation_level=None)) as tool:
        tool.execute("BEGIN IMMEDIATE")
        assert "database is locked. Nothing was changed." in error_of_write(engine)


def test_opening_while_others_write(engine: EmbeddedSageMaker) -> None:
    with Store(engine.home).write(), pytest.raises(ConfigError, match=r"is in use: others have been writing"):
        EmbeddedSageMaker(engine.home, timing=TIMING)
