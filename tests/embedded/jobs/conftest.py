from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.training_account import TrainingAccount

from mnist_tracking.embedded.engine import EmbeddedSageMaker
from mnist_tracking.embedded.timing import EngineTiming


@pytest.fixture
def timing() -> EngineTiming:
    """The account's timing. Tests replace it by a parameter."""
    return EngineTiming()


@pytest.fixture
def account(tmp_path: Path, timing: EngineTiming) -> Iterator[TrainingAccount]:
    """An empty account."""
    engine = EmbeddedSageMaker(tmp_path / "home", timing=timing)
    account = TrainingAccount(engine)
    yield account
    account.end_all()
    engine.close()
