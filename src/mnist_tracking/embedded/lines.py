"""Split output, which arrives in pieces, into lines."""

LONGEST = 1 << 18
"""The most bytes of one log event, as in CloudWatch."""

_CONTINUATION, _CONTINUES = 0b1100_0000, 0b1000_0000  # the first bits of the bytes of a UTF-8 character but its first


class LineSplitter:
    r"""
    Splits pieces of output into lines, in time and memory proportional to what they weigh.

    Lines end with ``\\n`` or ``\\r\\n``. A longer line than *longest* bytes is split, between two UTF-8 characters.

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
            stop = start + self._longest
            while stop > start + self._longest - 4 and line[stop] & _CONTINUATION == _CONTINUES:
                stop -= 1
            found.append(_decoded(line[start:stop]))
            start = stop
        self._add(line[start:])
        return found


def _decoded(line: bytes) -> str:
    return line.decode("utf-8", "replace").rstrip("\r")
