"""The checkpoints of a job: copied from S3 before its scripts run, and to S3 while they run."""

import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from mnist_tracking._values.files import contents, is_folder
from mnist_tracking.embedded.disk import open_regular
from mnist_tracking.embedded.jobs.transfers import fetch
from mnist_tracking.embedded.store import Store
from mnist_tracking.embedded.store.objects import put_object, split_uri
from mnist_tracking.errors import MnistTrackingError

_Stamp = tuple[int, int, int]  # of a file: when it was changed, its size, its inode


class _ChangedError(Exception):
    """A file has changed while it was read."""


class UnsendableError(MnistTrackingError):
    """A file is not readable, or its name is not valid Unicode, as S3 requires; all others were sent."""


class Checkpoints:
    """
    The checkpoints below an S3 prefix, and the hosts' folders that they are synchronised with.

    New and changed files are sent, and none is ever deleted in S3. A file that is written while it is read is sent the
    next time. If several hosts write the same file, the last change wins.

    Args:
        store: The store with the S3 objects.
        uri: The prefix.
        folders: A folder for each host.
        warn: Called with a line for the log: once for everything that is not sent, such as a FIFO; and when sending
            has failed while the scripts run, which is tried again.
    """

    def __init__(self, store: Store, uri: str, folders: list[Path], *, warn: Callable[[str], object]) -> None:
        self._store, self._uri, self._folders, self._warn = store, uri.rstrip("/"), folders, warn
        self._sent: dict[Path, _Stamp] = {}
        self._warned = ""
        self._left_out: set[Path] = set()

    def fetch(self) -> None:
        """
        Copy the checkpoints from S3 into each folder.

        Raises:
            JobError: If that fails.
        """
        for folder in self._folders:
            fetch(self._store, f"{self._uri}/", folder)
        self._sent = {path: _stamp(path.stat()) for _, path in self._files()}

    def send(self) -> None:
        """
        Send the files that have changed since they were sent.

        Raises:
            UnsendableError: If a file cannot be sent because of its name or permissions; all others were sent.
            Exception: If S3 rejects a file.
        """
        unsendable = []
        for folder, path in self._files():
            name = path.relative_to(folder)
            try:
                self._send(name, path)
            except (PermissionError, UnicodeError) as error:
                unsendable.append(f"{name.as_posix()!a}: {error}")
        if unsendable:
            raise UnsendableError("; ".join(unsendable))

    def _send(self, name: Path, path: Path) -> None:
        body = open_regular(path, follow_links=True)
        if body is None:
            return
        with contextlib.suppress(FileNotFoundError, NotADirectoryError, _ChangedError), body:
            version = _stamp(os.fstat(body.fileno()))
            if self._sent.get(path) != version:
                self._put(name, body, path, version)
                self._sent[path] = version

    def _put(self, name: Path, body: BinaryIO, path: Path, version: _Stamp) -> None:
        def check_unchanged(_old: object) -> None:
            if _stamp(path.stat()) != version:
                raise _ChangedError

        bucket, key = split_uri(f"{self._uri}/{name.as_posix()}")
        put_object(self._store, bucket, key, body, time.time(), guard=check_unchanged)

    def _files(self) -> Iterator[tuple[Path, Path]]:
        for folder in filter(is_folder, self._folders):
            yield from ((folder, path) for path in contents(folder, self._leave_out) if path.is_file())

    def _leave_out(self, path: Path, why: str) -> None:
        if path not in self._left_out:
            self._left_out.add(path)
            self._warn(f"{str(path)!r} {why}, so it is not sent with the checkpoints.")

    @contextlib.contextmanager
    def sent_every(self, seconds: float) -> Iterator[None]:
        """Send changed files every *seconds*, in a separate thread, until the block ends."""
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
            before, self._warned = self._warned, str(error)
            if before != self._warned:
                with contextlib.suppress(
                    OSError, sqlite3.Error
                ):  # a store that rejects checkpoints may reject lines, too
                    self._warn(f"The checkpoints could not be sent to S3 and will be sent again: {error}")


def _stamp(stat: os.stat_result) -> _Stamp:
    return stat.st_mtime_ns, stat.st_size, stat.st_ino
