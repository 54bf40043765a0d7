"""Start an endpoint's supervisor, stop it, and fail endpoints that have lost theirs."""

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mnist_tracking._values.files import acquire_lock, is_locked
from mnist_tracking.embedded.faults import ValidationFault
from mnist_tracking.embedded.hosting import state
from mnist_tracking.embedded.store import Store
from mnist_tracking.embedded.store.objects import download, get_object, split_uri
from mnist_tracking.embedded.supervision import SupervisorSettings, last_words, start_detached
from mnist_tracking.embedded.waiting import Waiter

_LOST = "The process that served this endpoint was killed, or the machine was restarted."

_STARTUP_TIMEOUT = "ContainerStartupHealthCheckTimeoutInSeconds"
_MODULE = "mnist_tracking.embedded.hosting.supervisor"


def recover_lost_endpoints(store: Store, now: float, name: str | None = None) -> None:
    """Mark endpoints that have lost their supervisor as Failed: the one of that name, or all."""
    where, values = (" AND name = ?", (name,)) if name else ("", ())
    query = f"SELECT * FROM endpoints WHERE status IN ('Creating', 'InService'){where}"
    with store.read() as connection:
        rows = connection.execute(query, values).fetchall()
    for row in rows:
        if not is_locked(state.endpoint_lock(store, row["name"])):
            _mark_lost(store, row, now)


def _mark_lost(store: Store, row: sqlite3.Row, now: float) -> None:
    with store.write() as connection:
        connection.execute(
            "UPDATE endpoints SET status = 'Failed', failure_reason = ?, modified = ? "
            "WHERE id = ? AND created = ? AND status IN ('Creating', 'InService')",
            (_LOST + last_words(state.endpoint_folder(store.home, row["name"])), now, row["id"], row["created"]),
        )


def prepare(
    store: Store,
    name: str,
    *,
    container: dict[str, Any],
    variant: dict[str, Any],
    python: str,
    settings: SupervisorSettings,
) -> int:
    """
    Create an endpoint's folder, in the transaction that inserts its row, and take its lock.

    The model's data and settings are copied (by hard link, where possible), so the model can be deleted.

    Returns:
        The descriptor that holds the lock.

    Raises:
        ValidationFault: If the model's data does not exist.
    """
    folder = state.endpoint_folder(store.home, name)
    shutil.rmtree(folder, ignore_errors=True)  # left by a process that was killed
    folder.mkdir(parents=True)
    try:
        _copy_data(store, container, folder)
        spec = {
            "python": python,
            "environment": container.get("Environment", {}),
            "variant": variant["VariantName"],
            "log_stream": f"{variant['VariantName']}/i-{uuid.uuid4().hex[:17]}",
            "startup_timeout_s": variant.get(_STARTUP_TIMEOUT, settings.timing.endpoint_startup_s),
        }
        (folder / "endpoint.json").write_text(json.dumps(spec))
        settings.write(folder)
        return acquire_lock(state.endpoint_lock(store, name))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _copy_data(store: Store, container: dict[str, Any], folder: Path) -> None:
    source = container.get("ModelDataSource", {}).get("S3DataSource", {})
    uri = container.get("ModelDataUrl") or source.get("S3Uri")
    if source.get("CompressionType") == "None":
        if not download(store, uri, folder / "ml" / "model"):
            raise ValidationFault(f"Could not find model data at {uri}.")
    elif uri:
        _copy(store, uri, folder / "model.tar.gz")
    code = container.get("Environment", {}).get("SAGEMAKER_SUBMIT_DIRECTORY", "")
    if code.startswith("s3://"):
        _copy(store, code, folder / "code.tar.gz")


def _copy(store: Store, uri: str, target: Path) -> None:
    found = get_object(store, *split_uri(uri))
    if found is None:
        raise ValidationFault(f"Could not find model data at {uri}.")
    try:
        os.link(found.path, target)  # a blob never changes
    except OSError:
        shutil.copyfile(found.path, target)


def start(store: Store, name: str, lock: int) -> None:
    """Start the supervisor and hand the lock down to it."""
    start_detached(
        _MODULE, [str(store.home), name, str(lock)], lock=lock, folder=state.endpoint_folder(store.home, name)
    )


def stop(store: Store, name: str, waiter: Waiter, *, timeout_s: float) -> None:
    """
    Terminate the supervisor and wait until it has ended; kill it if it does not. Its server ends with it.

    Only a process that holds the endpoint's lock is signalled.
    """
    for number in (signal.SIGTERM, signal.SIGKILL):
        signalling = _Signalling(store, name, number)
        if waiter.until(signalling.has_ended, timeout_s=timeout_s):
            return


class _Signalling:
    """Sends a signal to a supervisor, once its process id is known."""

    def __init__(self, store: Store, name: str, number: signal.Signals) -> None:
        self._store, self._name, self._number = store, name, number
        self._is_sent = False

    def has_ended(self) -> bool:
        """Whether the supervisor has ended; signals it if it has not."""
        if not is_locked(state.endpoint_lock(self._store, self._name)):
            return True
        if not self._is_sent and (pid := self._pid()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, self._number)
            self._is_sent = True
        return False

    def _pid(self) -> int | None:
        with self._store.read() as connection:
            row = state.read_endpoint(connection, self._name)
        return None if row is None else row["supervisor_pid"]


def set_aside(store: Store, name: str) -> Callable[[], None]:
    """Rename an endpoint's folder, in the transaction that deletes its row; return a function that deletes it."""
    folder = state.endpoint_folder(store.home, name)
    aside = folder.with_name(f".{name}-{uuid.uuid4().hex}")
    with contextlib.suppress(FileNotFoundError):
        folder.rename(aside)
    return lambda: shutil.rmtree(aside, ignore_errors=True)
