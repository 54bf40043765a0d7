from collections.abc import Iterator
from pathlib import Path

import pytest

from mnist_tracking.embedded.engine import EmbeddedSageMaker


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[EmbeddedSageMaker]:
    """An empty embedded SageMaker."""
    engine = EmbeddedSageMaker(tmp_path / "home")
    yield engine
    engine.close()
