"""What a script prints, read until there is no more of it."""

import os
import select
from collections.abc import Callable, Iterator
from io import BufferedReader, RawIOBase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_LONGEST_LINE = 1 << 18  # bytes, as in CloudWatch; a longer line is cut in parts
_PIPE = 1 << 20  # bytes; the most that a pipe holds


def lines_of(pipe: int, has_ended: Callable[[], bool], poll_s: float) -> Iterator[str]:
    """
    Yield the lines of a pipe as they come.

    They end with the pipe, or with the script: a stray child may hold the pipe open for ever. What the script itself
    printed is in the pipe when it has ended, so that all of it is told, however late it is read.

    Args:
        pipe: The descriptor that is read.
        has_ended: Whether the script has.
        poll_s: How long to wait for output before asking again whether the script has ended.
    """
    with BufferedReader(_Output(pipe, has_ended, poll_s)) as reader:
        while raw := reader.readline(_LONGEST_LINE):
            yield raw.decode("utf-8", "replace").rstrip("\r\n")


class _Output(RawIOBase):
    def __init__(self, pipe: int, has_ended: Callable[[], bool], poll_s: float) -> None:
        self._pipe, self._has_ended, self._poll_ms = pipe, has_ended, poll_s * 1000
        self._rest = _PIPE  # what is read once the script has ended
        self._events = select.poll()
        self._events.register(pipe, select.POLLIN)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Wait for more, and read it; 0 at the end."""
        while self._rest > 0:
            has_ended = self._has_ended()  # asked first: what was printed before is in the pipe then
            if self._events.poll(0 if has_ended else self._poll_ms):
                count = os.readv(self._pipe, [buffer])
                self._rest -= count if has_ended else 0
                return count
            if has_ended:
                return 0
        return 0
