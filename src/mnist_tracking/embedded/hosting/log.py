"""The log of an endpoint: what its processes print, in the store. A line that cannot be written never ends it."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import IO

from mnist_tracking.embedded.lines import lines_of
from mnist_tracking.embedded.store import Store
from mnist_tracking.embedded.store.logs import add_lines


class EndpointLog:
    """
    Writes to one log stream, from any thread.

    Lines that cannot be written, such as on a full disk, are dropped and counted; the log names their number once it
    can be written again.

    Args:
        store: Where the log is.
        group: Its group.
        stream: Its stream.
        poll_s: How long to wait for output before looking whether its process has ended.

    Attributes:
        last_line: The last line that was not blank; of a traceback, the exception.
    """

    def __init__(self, store: Store, group: str, stream: str, *, poll_s: float) -> None:
        self.last_line = ""
        self._store, self._group, self._stream, self._poll_s = store, group, stream, poll_s
        self._lock = threading.Lock()
        self._dropped = 0

    def follow(self, output: IO[bytes], has_ended: Callable[[], bool]) -> None:
        """Write what a process prints until it has ended, even if a child of it keeps the pipe open."""
        with output:
            for lines in lines_of(output.fileno(), has_ended, self._poll_s):
                self.write(lines)

    def write(self, lines: Sequence[str]) -> None:
        """Add lines, or drop them if the store cannot be written."""
        if not lines:
            return
        with self._lock:
            self.last_line = next((line for line in reversed(lines) if line.strip()), self.last_line)
            note = [f"{self._dropped} lines could not be written."] if self._dropped else []
            try:
                self._insert([*note, *lines])
            except Exception:  # noqa: BLE001 - its process must be able to print, whatever has become of the store
                self._dropped += len(lines)
            else:
                self._dropped = 0

    def _insert(self, lines: Sequence[str]) -> None:
        now = time.time()
        with self._store.write() as connection:
            add_lines(connection, self._group, self._stream, [(now, line) for line in lines])
