"""Split the output of processes, which arrives in pieces, into lines."""

import os
import re
import select
from collections.abc import Callable, Iterator

LONGEST = 1 << 18
"""The most bytes of one log event, as in CloudWatch."""

_CHUNK = 1 << 16
_PIPE = 1 << 20  # bytes; the capacity of a pipe
_LONGEST_WORD = 1 << 12  # bytes; a longer one is split, too, but not inside a character
_BREAK = re.compile(rb"(?s).*[^\w.+\-\x80-\xff]")  # up to the last byte that is in no word and no number
_CONTINUATION, _CONTINUES = 0b1100_0000, 0b1000_0000  # the first bits of the bytes of a UTF-8 character but its first


def lines_of(pipe: int, has_ended: Callable[[], bool], poll_s: float) -> Iterator[list[str]]:
    """
    Yield the lines that a process prints, as they come.

    They end with the pipe or with the process: a stray child may keep the pipe open forever. All that the process
    itself has printed is in the pipe when it ends, so nothing is lost, however late it is read.

    Args:
        pipe: The descriptor to read.
        has_ended: Returns whether the process has ended.
        poll_s: How long to wait for output before checking again whether the process has ended.
    """
    splitter = LineSplitter()
    for chunk in _chunks(pipe, has_ended, poll_s):
        yield splitter.feed(chunk)
    yield splitter.end()


def _chunks(pipe: int, has_ended: Callable[[], bool], poll_s: float) -> Iterator[bytes]:
    events, rest = select.poll(), _PIPE  # how much to read once the process has ended
    events.register(pipe, select.POLLIN)
    while rest > 0:
        is_over = has_ended()  # checked first: what was printed before is in the pipe by then
        if events.poll(0 if is_over else poll_s * 1000):
            chunk = os.read(pipe, _CHUNK)
            if not chunk:
                return
            rest -= len(chunk) if is_over else 0
            yield chunk
        elif is_over:
            return


class LineSplitter:
    r"""
    Splits pieces of output into lines, in time and memory proportional to what they weigh.

    Lines end with ``\\n`` or ``\\r\\n``; a progress bar that is redrawn with ``\\r`` is one line, with all redraws. A
    longer line than *longest* bytes is split: after a redraw if it has one, else not inside a word or a number, if
    these are shorter than 4 KiB, and never inside a UTF-8 character.

    Args:
        longest: The most bytes of one line; at least 4, so that a character fits.
    """

    def __init__(self, longest: int = LONGEST) -> None:
        self._longest = longest
        self._open: list[bytes] = []  # the pieces of the line that has not ended
        self._size = 0

    def feed(self, piece: bytes) -> list[str]:
        """Add a piece of output; return the lines that it completes."""
        *ended, rest = piece.split(b"\n")
        found: list[str] = []
        for line in ended:
            self._add(line)
            found += self.end() or [""]
        self._add(rest)
        if self._size > self._longest:
            found += self._cut()
        return found

    def end(self) -> list[str]:
        """Return the line that has not ended, if any, as one or more lines."""
        found = self._cut()
        return found + [_decoded(part) for part in self._take() if part]

    def _add(self, part: bytes) -> None:
        if part:
            self._open.append(part)
            self._size += len(part)

    def _take(self) -> list[bytes]:
        line = b"".join(self._open)
        self._open, self._size = [], 0
        return [line]

    def _cut(self) -> list[str]:
        """Return what does not fit into one line; keep the rest."""
        if self._size <= self._longest:
            return []
        [line] = self._take()
        found, start = [], 0
        while len(line) - start > self._longest:
            stop = _end_of_part(line, start, start + self._longest)
            found.append(line[start:stop].decode("utf-8", "replace"))  # a \r at its end shows that nothing was cut
            start = stop
        self._add(line[start:])
        return found


def _end_of_part(line: bytes, start: int, stop: int) -> int:
    """Return where to split a line, at *stop* or before."""
    if redrawn := line.rfind(b"\r", start, stop) + 1:
        return redrawn
    if found := _BREAK.match(line, max(start, stop - _LONGEST_WORD), stop):
        return found.end()
    end = stop
    while end > stop - 4 and line[end] & _CONTINUATION == _CONTINUES:
        end -= 1
    return end


def _decoded(line: bytes) -> str:
    return line.decode("utf-8", "replace").rstrip("\r")
