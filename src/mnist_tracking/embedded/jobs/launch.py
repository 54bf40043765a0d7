"""Start a job's supervisor, and reach it."""

import contextlib
import os
import signal
from collections.abc import Callable

from mnist_tracking.embedded import process_locks
from mnist_tracking.embedded.jobs import state
from mnist_tracking.embedded.store import Store
from mnist_tracking.embedded.supervision import start_detached

_MODULE = "mnist_tracking.embedded.jobs.supervisor"


def start_supervisor(store: Store, name: str, region: str) -> Callable[[], None]:
    """Take the job's lock, inside the transaction that makes its row; return what starts the supervisor after it."""
    folder = state.folder_of(store, name)
    lock = process_locks.take(state.supervisor_lock(store, name))

    def start() -> None:
        pid = start_detached(_MODULE, [str(store.home), name, str(lock), region], lock=lock, folder=folder)
        (folder / "supervisor.pid").write_text(str(pid))

    return start


def send_signal(store: Store, name: str, number: signal.Signals) -> None:
    """Signal a job's supervisor, if it lives: its lock says that the recorded process is still that one."""
    if process_locks.is_held(state.supervisor_lock(store, name)):
        with contextlib.suppress(ProcessLookupError, FileNotFoundError, ValueError):
            os.kill(int((state.folder_of(store, name) / "supervisor.pid").read_text()), number)
