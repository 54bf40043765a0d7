"""An account whose clock moves instead of anybody sleeping, and which is late as soon as a test sets its lag."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.late import Account, late_account
from tests.support.sent import Sent, record_calls

from mnist_tracking.embedded import Lag


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Account]:
    with late_account(tmp_path / "home", Lag()) as account:
        yield account


@pytest.fixture
def calls(account: Account) -> Sent:
    """The calls of the account's workspace, from its first one."""
    return record_calls(account[1])
