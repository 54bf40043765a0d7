"""The checkpoints of a job: from S3 before its scripts run, and back there while they do."""

import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from mnist_tracking._values.files import files_below
from mnist_tracking.embedded.jobs.transfers import fetch
from mnist_tracking.embedded.store import Store
from mnist_tracking.embedded.store.objects import put_object, split_uri
from mnist_tracking.errors import MnistTrackingError

_Stamp = tuple[int, int, int]  # of a file: when it was changed, its size, its inode


class _ChangedError(Exception):
    """A file was changed while it was read."""


class RefusedError(MnistTrackingError):
    """A file may not be read, or has a name that is no text, as each key of S3 is; the others were sent."""


class Checkpoints:
    """
    The checkpoints below an S3 prefix, and the folders of the hosts that they are for.

    A file is sent when it is new or was changed, whole, and never deleted in S3. One that is being written while it is
    read is left for the next time. Of hosts that write one file, the one that changed it last counts.

    Args:
        store: Where S3 is.
        uri: The prefix.
        folders: A folder for each host.
        warn: Told why something could not be sent while the scripts run; it is tried again.
    """

    def __init__(self, store: Store, uri: str, folders: list[Path], *, warn: Callable[[str], object]) -> None:
        self._store, self._uri, self._folders, self._warn = store, uri.rstrip("/"), folders, warn
        self._sent: dict[Path, _Stamp] = {}
        self._told = ""

    def fetch(self) -> None:
        """
        Copy what is in S3 into each folder.

        Raises:
            JobError: If that fails.
        """
        for folder in self._folders:
            fetch(self._store, f"{self._uri}/", folder)
        self._sent = {path: _stamp(path.stat()) for _, path in self._files()}

    def send(self) -> None:
        """
        Send what was changed since it was sent the last time.

        Raises:
            RefusedError: If a file cannot be sent for what it is; all others were.
            Exception: Whatever S3 does not take.
        """
        refused = []
        for folder, path in self._files():
            name = path.relative_to(folder)
            try:
                self._send(name, path)
            except (PermissionError, UnicodeError) as error:
                refused.append(f"{name.as_posix()!a}: {error}")
        if refused:
            raise RefusedError("; ".join(refused))

    def _send(self, name: Path, path: Path) -> None:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError, _ChangedError), path.open("rb") as body:
            version = _stamp(os.fstat(body.fileno()))
            if self._sent.get(path) != version:
                self._put(name, body, path, version)
                self._sent[path] = version

    def _put(self, name: Path, body: BinaryIO, path: Path, version: _Stamp) -> None:
        def refuse_changed(_old: object) -> None:
            if _stamp(path.stat()) != version:
                raise _ChangedError

        bucket, key = split_uri(f"{self._uri}/{name.as_posix()}")
        put_object(self._store, bucket, key, body, time.time(), guard=refuse_changed)

    def _files(self) -> Iterator[tuple[Path, Path]]:
        for folder in self._folders:
            yield from ((folder, path) for path in files_below(folder, on_error=_skip))

    @contextlib.contextmanager
    def sent_every(self, seconds: float) -> Iterator[None]:
        """Send what was changed every so many seconds, from a thread of its own, until the block ends."""
        is_over = threading.Event()

        def keep_sending() -> None:
            while not is_over.wait(seconds):
                self._try_to_send()

        thread = threading.Thread(target=keep_sending, daemon=True)
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            thread.join()

    def _try_to_send(self) -> None:
        try:
            self.send()
        except (OSError, sqlite3.Error, MnistTrackingError) as error:
            said, self._told = self._told, str(error)
            if said != self._told:
                with contextlib.suppress(OSError, sqlite3.Error):  # what takes no checkpoint may take no line either
                    self._warn(f"The checkpoints could not be sent to S3; this is tried again: {error}")


def _skip(_error: OSError) -> None:
    """Leave out a folder that cannot be read."""


def _stamp(stat: os.stat_result) -> _Stamp:
    return stat.st_mtime_ns, stat.st_size, stat.st_ino
