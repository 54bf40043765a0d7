from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.embedded.jobs.account import Account

from mnist_tracking.embedded.engine import EmbeddedSageMaker
from mnist_tracking.embedded.jobs import launch


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    """An empty account; a script that ignores SIGTERM is killed a moment later."""
    monkeypatch.setattr(launch, "GRACE_S", 0.2)
    engine = EmbeddedSageMaker(tmp_path / "home")
    account = Account(engine)
    yield account
    account.end_all()
    engine.close()
