"""The log of an endpoint: what its processes print, in the store. A line that cannot be written never ends it."""

import os
import select
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import IO

from mnist_tracking.embedded.lines import LineSplitter
from mnist_tracking.embedded.store import Store
from mnist_tracking.embedded.store.logs import add_lines

_CHUNK = 1 << 16
_PIPE = 1 << 20  # bytes; the capacity of a pipe


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
        splitter = LineSplitter()
        with output:
            for chunk in self._chunks(output.fileno(), has_ended):
                self.write(splitter.feed(chunk))
        self.write(splitter.end())

    def _chunks(self, pipe: int, has_ended: Callable[[], bool]) -> Iterator[bytes]:
        events, rest = select.poll(), _PIPE  # how much to read once the process has ended: what it printed is there
        events.register(pipe, select.POLLIN)
        while rest > 0:
            is_over = has_ended()  # checked first: what was printed before is in the pipe by then
            if events.poll(0 if is_over else self._poll_s * 1000):
                chunk = os.read(pipe, _CHUNK)
                if not chunk:
                    return
                rest -= len(chunk) if is_over else 0
                yield chunk
            elif is_over:
                return

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
