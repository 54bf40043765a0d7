"""What the examples in docstrings find: the public names, and a folder of their own to work in."""

from pathlib import Path

import pytest

import mnist_tracking

collect_ignore = ["mnist_tracking/embedded/startup"]  # to import it is to run it, for the whole process


@pytest.fixture(autouse=True)
def _surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, doctest_namespace: dict[str, object]) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MNIST_TRACKING_HOME", raising=False)
    doctest_namespace |= {name: getattr(mnist_tracking, name) for name in mnist_tracking._HOMES}
