"""An account that is late: its clock moves instead of anybody sleeping, but for what runs in real time."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.clocks import Ahead

from mnist_tracking import Workspace
from mnist_tracking.embedded import EmbeddedSageMaker, Lag
from mnist_tracking.types import Timing

_BUSY = (
    "SELECT 1 FROM training_jobs WHERE status IN ('InProgress', 'Stopping') "
    "UNION ALL SELECT 1 FROM endpoints WHERE status IN ('Creating', 'Updating', 'Deleting')"
)


@contextmanager
def late_account(home: Path, lag: Lag, **settings: Any) -> Iterator[tuple[EmbeddedSageMaker, Workspace, Ahead]]:
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
