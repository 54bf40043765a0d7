from collections.abc import Iterator
from pathlib import Path

import pytest

from mnist_tracking import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    workspace = Workspace.embedded(tmp_path / "home")
    yield workspace
    workspace.close()
