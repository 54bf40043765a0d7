from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.embedded.hosting.account import Account

from mnist_tracking.embedded.engine import EmbeddedSageMaker


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Account]:
    engine = EmbeddedSageMaker(tmp_path / "home")
    account = Account(engine)
    yield account
    account.delete_all()
    engine.close()
