"""Start an endpoint's supervisor with everything it needs in the endpoint's own folder, and end it."""

import contextlib
import json
import os
import shutil
import signal
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mnist_tracking._values.files import acquire_lock, is_locked
from mnist_tracking.embedded.faults import ValidationFault
from mnist_tracking.embedded.hosting import state
from mnist_tracking.embedded.jobs.layout import download, split_uri
from mnist_tracking.embedded.store import Store
from mnist_tracking.embedded.store.objects import get_object
from mnist_tracking.embedded.supervision import start_detached

_MODULE = "mnist_tracking.embedded.hosting.supervisor"
_STARTUP_TIMEOUT_S = 600
_STOP_WITHIN_S = 10.0
_LOOK_S = 0.005


def prepare(
    store: Store, name: str, *, container: dict[str, Any], variant: dict[str, Any], python: str, region: str
) -> int:
    """
    Make an endpoint's folder, inside the transaction that makes its row, and take its lock.

    The model's data and settings are copied (by hard link, where that works), so that the endpoint outlives them.

    Returns:
        The descriptor that holds the lock.

    Raises:
        ValidationFault: If the model's data do not exist.
    """
    folder = state.folder_of(store, name)
    shutil.rmtree(folder, ignore_errors=True)  # what a creator that was killed may have left
    folder.mkdir(parents=True)
    try:
        _copy_data(store, container, folder)
        spec = {
            "python": python,
            "region": region,
            "environment": container.get("Environment", {}),
            "variant": variant["VariantName"],
            "log_stream": f"{variant['VariantName']}/i-{uuid.uuid4().hex[:17]}",
            "startup_timeout_s": variant.get("ContainerStartupHealthCheckTimeoutInSeconds", _STARTUP_TIMEOUT_S),
        }
        (folder / "endpoint.json").write_text(json.dumps(spec))
        return acquire_lock(state.lock_of(store, name))
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
        os.link(found.path, target)  # a blob is never changed, only unlinked
    except OSError:
        shutil.copyfile(found.path, target)


def start(store: Store, name: str, lock: int) -> None:
    """Start the supervisor; the lock is handed down to it."""
    start_detached(
        _MODULE, [str(store.home), name, str(lock), store.durability], lock=lock, folder=state.folder_of(store, name)
    )


def stop(store: Store, name: str) -> None:
    """
    Ask the supervisor to end and wait until it has; one that does not is killed, and its server ends with it.

    Only a process that holds the endpoint's lock is ever signalled.
    """
    begun, asked = time.monotonic(), False
    while is_locked(state.lock_of(store, name)):
        waited = time.monotonic() - begun
        if waited > 2 * _STOP_WITHIN_S:
            return  # it never told its process id; it ends by itself when it sees that its folder is gone
        pid = _supervisor_pid(store, name)
        if pid and (not asked or waited > _STOP_WITHIN_S):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL if asked else signal.SIGTERM)
            asked = True
        time.sleep(_LOOK_S)


def _supervisor_pid(store: Store, name: str) -> int | None:
    with store.read() as connection:
        row = state.read_endpoint(connection, name)
    return None if row is None else row["supervisor_pid"]


def put_aside(store: Store, name: str) -> Callable[[], None]:
    """Free an endpoint's folder name at once, inside the transaction that deletes its row; return what deletes it."""
    folder = state.folder_of(store, name)
    aside = folder.with_name(f".{name}-{uuid.uuid4().hex}")
    with contextlib.suppress(FileNotFoundError):
        folder.rename(aside)
    return lambda: shutil.rmtree(aside, ignore_errors=True)
