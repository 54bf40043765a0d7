"""Lines of output that arrives in pieces: none is lost, none costs more than it weighs, none is cut in a character."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from mnist_tracking.embedded.lines import LineSplitter


def lines(pieces: list[bytes], longest: int = 1 << 18) -> list[str]:
    """The lines of all pieces."""
    splitter = LineSplitter(longest)
    return [line for piece in pieces for line in splitter.feed(piece)] + splitter.end()


def test_lines_end_with_a_newline_and_the_last_one_with_the_output() -> None:
    assert lines([b"a\nb", b"c\r\n\nd"]) == ["a", "bc", "", "d"]
    assert lines([b"a\n"]) == ["a"]
    assert lines([]) == []


@given(st.text(), st.lists(st.integers(0, 40), max_size=6), st.integers(4, 9))
def test_cut_lines_have_all_characters_and_fit(text: str, cuts: list[int], longest: int) -> None:
    """Wherever the pieces begin, no character is cut."""
    text = text.replace("\r", "")
    raw = text.encode("utf-8", "surrogatepass").decode("utf-8", "replace").encode()
    marks = [0, *sorted(min(cut, len(raw)) for cut in cuts), len(raw)]
    found = lines([raw[start:stop] for start, stop in itertools.pairwise(marks)], longest)

    assert "".join(found) == raw.decode().replace("\n", "")
    assert all(len(line.encode()) <= longest for line in found)


def test_a_long_line_costs_what_it_weighs() -> None:
    """50 MB in pieces of 64 KiB: counted by the bytes that are joined, not by a clock."""
    piece, count = b"x" * 65536, 800
    splitter = LineSplitter()
    found = [line for _ in range(count) for line in splitter.feed(piece)] + splitter.end()

    assert sum(map(len, found)) == count * len(piece)
    assert max(map(len, found)) == 1 << 18
    assert splitter._size == 0
