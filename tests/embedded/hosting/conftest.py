from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.hosting_account import HostingAccount

from mnist_tracking.embedded.engine import EmbeddedSageMaker


@pytest.fixture
def account(tmp_path: Path) -> Iterator[HostingAccount]:
    engine = EmbeddedSageMaker(tmp_path / "home")
    account = HostingAccount(engine)
    yield account
    account.delete_all()
    engine.close()
