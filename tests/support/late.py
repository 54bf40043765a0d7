"""An account that is late: its clock moves instead of anybody sleeping, but for what runs in real time."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from tests.support.clocks import Ahead

from mnist_tracking import Workspace
from mnist_tracking.cli.app import cli
from mnist_tracking.embedded import EmbeddedSageMaker, Lag
from mnist_tracking.types import Timing

Account = tuple[EmbeddedSageMaker, Workspace, Ahead]
Ask = Callable[..., Result]
_BUSY = (
    "SELECT 1 FROM training_jobs WHERE status IN ('InProgress', 'Stopping') "
    "UNION ALL SELECT 1 FROM endpoints WHERE status IN ('Creating', 'Updating', 'Deleting')"
)


@contextmanager
def late_account(home: Path, lag: Lag, **settings: Any) -> Iterator[Account]:
    """An engine with a lag, a workspace that polls it as it polls AWS, and the clock of both."""
    clock = Ahead()
    engine = EmbeddedSageMaker(home, lag=lag, clock=clock, sleep=clock.sleep, **settings)

    def is_busy() -> bool:
        with engine.store.read() as connection:
            return connection.execute(_BUSY).fetchone() is not None

    clock.is_busy = is_busy
    workspace = Workspace.embedded(engine=engine, timing=Timing())
    workspace.sleep, workspace.clock = clock.sleep, clock
    yield engine, workspace, clock
    workspace.close()


def command_line(monkeypatch: pytest.MonkeyPatch, engine: EmbeddedSageMaker, workspace: Workspace) -> Ask:
    """Return a function that runs a command line on the account."""
    monkeypatch.setattr(Workspace, "embedded", lambda *_, **__: workspace)
    monkeypatch.setattr(Workspace, "close", lambda _: None)
    return lambda *arguments: CliRunner().invoke(cli, ["--home", str(engine.home), *arguments])
