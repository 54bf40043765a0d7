"""
Create an endpoint's folder, start its supervisor, and take the steps that its status says are due.

An endpoint is a row, a folder and a supervisor, which holds a lock in the folder for as long as it lives. The row is
what counts: a folder without one is an orphan, unless its creation is going on; a row that needs a supervisor and has
none is settled by the next call that reads it. So a process can be killed between any two steps.
"""

import contextlib
import fcntl
import json
import os
import re
import secrets
import shutil
import signal
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs

from mnist_tracking._values.files import OwnedFile, hold_lock, is_locked, open_privately
from mnist_tracking.embedded.containment import kill_marked
from mnist_tracking.embedded.disk import delete_all
from mnist_tracking.embedded.faults import ValidationFault
from mnist_tracking.embedded.hosting import state, tables
from mnist_tracking.embedded.hosting.tables import Endpoint
from mnist_tracking.embedded.store import Store
from mnist_tracking.embedded.store.objects import download, get_object, list_objects, split_uri
from mnist_tracking.embedded.supervision import SupervisorSettings, last_words, start_detached

_LOST = "The process that served this endpoint was killed, or the machine was restarted."
_STARTUP_TIMEOUT = "ContainerStartupHealthCheckTimeoutInSeconds"
_MODULE = "mnist_tracking.embedded.hosting.supervisor"
_FOLDER = re.compile(r".+\.[0-9a-f]{32}")  # the names of drafts


class Draft:
    """
    The folder of a new endpoint, with everything its supervisor needs, and its lock.

    Attributes:
        folder: The name of the folder.
        is_started: Whether the supervisor runs.
    """

    def __init__(self, store: Store, name: str) -> None:
        self.is_started = False
        self.folder = f"{name}.{uuid.uuid4().hex}"
        self._store, self._path = store, state.endpoint_folder(store.home, self.folder)
        self._path.mkdir(mode=0o700)
        self._lock = hold_lock(self._path / state.LOCK)

    def write(
        self, *, container: dict[str, Any], variant: dict[str, Any], python: str, settings: SupervisorSettings
    ) -> None:
        """
        Copy the model's data (by hard link, where possible), so the model can be deleted, and the settings.

        Raises:
            ValidationFault: If the model's data does not exist.
        """
        _copy_data(self._store, container, self._path)
        spec = {
            "python": python,
            "environment": container.get("Environment", {}),
            "variant": variant["VariantName"],
            "log_stream": f"{variant['VariantName']}/i-{uuid.uuid4().hex[:17]}",
            "startup_timeout_s": variant.get(_STARTUP_TIMEOUT, settings.timing.endpoint_startup_s),
        }
        _write_private(self._path / state.SPECIFICATION, json.dumps(spec))
        _write_private(self._path / state.SECRET, secrets.token_hex(32))
        settings.write(self._path)

    def start(self) -> None:
        """Start the supervisor and hand the lock down to it."""
        arguments = [str(self._store.home), self.folder, str(self._lock.fileno())]
        start_detached(_MODULE, arguments, lock=self._lock, folder=self._path)
        self.is_started = True

    def discard(self) -> None:
        """Delete the row, if any, the folder and the lock; a supervisor that starts all the same finds no row."""
        with contextlib.suppress(sqlite3.OperationalError), self._store.write() as connection:
            endpoint = tables.endpoint_of(connection, self.folder)
            if endpoint is not None:
                tables.delete_endpoint(connection, endpoint)
        self._lock.close()
        delete_all(self._path, self._store.home)


def _write_private(path: Path, content: str) -> None:
    with open(path, "x", opener=open_privately) as file:
        file.write(content)


def read_secret(store: Store, endpoint: Endpoint) -> str:
    """Return the secret that the supervisor of an endpoint asks of its clients; empty if the folder is gone."""
    try:
        return (state.endpoint_folder(store.home, endpoint.folder) / state.SECRET).read_text()
    except FileNotFoundError:
        return ""


@contextmanager
def drafted(store: Store, name: str) -> Iterator[Draft]:
    """
    Yield a draft for an endpoint. The block commits the row, then starts the supervisor.

    If it raises before the supervisor runs, nothing is left.

    While any block runs, no folder is taken for an orphan; a killed process leaves an orphan, or a row that is settled.
    """
    (store.home / state.FOLDERS).mkdir(mode=0o700, exist_ok=True)
    delete_orphans(store)
    with _lock_file(store) as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        draft = Draft(store, name)
        try:
            yield draft
        except BaseException:
            if not draft.is_started:
                draft.discard()
            raise


def _lock_file(store: Store) -> OwnedFile:
    return OwnedFile(store.home / f"{state.FOLDERS}.lock", "ab")


def delete_orphans(store: Store) -> None:
    """Delete the folders of endpoints that do not exist, unless one is being created at this moment."""
    parent = store.home / state.FOLDERS
    try:
        found = set(os.listdir(parent))
    except FileNotFoundError:
        return
    with contextlib.suppress(OSError), _lock_file(store) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with store.read() as connection:
            orphans = found - tables.folders(connection)
        for orphan in filter(_FOLDER.fullmatch, orphans):
            delete_all(parent / orphan, store.home)


def check_data(store: Store, container: dict[str, Any]) -> None:
    """
    Check that the data of a model exists.

    Raises:
        ValidationFault: If not.
    """
    uri, is_prefix = _data_of(container)
    if not uri:
        return
    bucket, key = split_uri(uri)
    found = list_objects(store, bucket, key, limit=1) if is_prefix else get_object(store, bucket, key)
    if not found:
        raise ValidationFault(f"Could not find model data at {uri}.")


def _data_of(container: dict[str, Any]) -> tuple[str, bool]:
    """Return where the data of a model is, and whether that is a prefix of unpacked files."""
    source = container.get("ModelDataSource", {}).get("S3DataSource", {})
    uri: str = container.get("ModelDataUrl") or source.get("S3Uri") or ""
    return uri, source.get("CompressionType") == "None"


def _copy_data(store: Store, container: dict[str, Any], folder: Path) -> None:
    uri, is_prefix = _data_of(container)
    if is_prefix:
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


def settle_all(store: Store, now: float, stop_s: float) -> None:
    """Settle every endpoint, and delete the folders of those that do not exist."""
    with store.read() as connection:
        endpoints = tables.unfinished_endpoints(connection)
    for endpoint in endpoints:
        settle(store, endpoint, now, stop_s)
    delete_orphans(store)


def settle(store: Store, endpoint: Endpoint, now: float, stop_s: float) -> Endpoint | None:
    """
    Complete the step that an endpoint's status requires; return the endpoint afterwards, or None if it was deleted.

    An endpoint that has lost its supervisor becomes Failed. One in Deleting is deleted if its supervisor has ended;
    otherwise that is terminated, and killed *stop_s* seconds after the deletion began. A store that cannot be
    written is no error: the step is taken when somebody looks again.
    """
    try:
        if endpoint.status == "Deleting":
            return _settle_deletion(store, endpoint, now, stop_s)
        if endpoint.status in tables.LIVE and not has_supervisor(store, endpoint):
            return _settle_loss(store, endpoint, now)
    except (sqlite3.OperationalError, OSError):
        pass
    return endpoint


def has_supervisor(store: Store, endpoint: Endpoint) -> bool:
    """Whether the supervisor of an endpoint, or what it has started, has not ended."""
    return is_locked(state.endpoint_folder(store.home, endpoint.folder) / state.LOCK)


def _settle_loss(store: Store, endpoint: Endpoint, now: float) -> Endpoint | None:
    folder = state.endpoint_folder(store.home, endpoint.folder)
    kill_marked(state.MARK, str(folder / "ml"))
    delete_all(folder / "ml", store.home)
    reason = _LOST + last_words(folder)
    try:
        with store.write() as connection:
            tables.set_failed(connection, endpoint.folder, reason, now)
            return tables.endpoint_of(connection, endpoint.folder)
    except (sqlite3.OperationalError, OSError):
        return attrs.evolve(endpoint, status="Failed", failure_reason=reason, port=None)


def _settle_deletion(store: Store, endpoint: Endpoint, now: float, stop_s: float) -> Endpoint | None:
    if has_supervisor(store, endpoint):
        if endpoint.supervisor_pid is not None:  # otherwise it ends when it reads its row
            with contextlib.suppress(ProcessLookupError):
                is_late = now - endpoint.modified >= stop_s
                os.kill(endpoint.supervisor_pid, signal.SIGKILL if is_late else signal.SIGTERM)
        return endpoint
    folder = state.endpoint_folder(store.home, endpoint.folder)
    kill_marked(state.MARK, str(folder / "ml"))
    with store.write() as connection:
        tables.delete_endpoint(connection, endpoint)
    delete_all(folder, store.home)
    return None
