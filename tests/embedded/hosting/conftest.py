from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.validate import ParamValidator
from tests.embedded.hosting.account import Account

from mnist_tracking.embedded import transport
from mnist_tracking.embedded.engine import EmbeddedSageMaker


@pytest.fixture(autouse=True)
def valid_responses() -> Iterator[None]:
    """Holds every response to the service model."""

    def check(model: Any, response: dict[str, Any]) -> None:
        if model.output_shape is not None:
            report = ParamValidator().validate(response, model.output_shape)
            assert not report.has_errors(), f"{model.name}: {report.generate_report()}"

    transport.response_observers.append(check)
    yield
    transport.response_observers.remove(check)


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Account]:
    engine = EmbeddedSageMaker(tmp_path / "home")
    account = Account(engine)
    yield account
    account.delete_all()
    engine.close()
