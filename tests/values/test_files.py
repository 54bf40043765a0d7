"""Files: walking, locks and atomic replacement."""

import contextlib
import fcntl
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.trees import TREES, plant

from mnist_tracking._values.files import (
    atomic_open,
    atomic_path,
    contents,
    delete,
    files_below,
    hold_lock,
    is_locked,
    write_atomically,
)


def nothing(path: Path, why: str) -> None:
    pytest.fail(f"{path} {why}")


@given(tree=TREES)
def test_contents_are_sorted_and_complete(tree: dict[str, bytes]) -> None:
    """As `Path.rglob` finds them, in the order of sorted paths."""
    with tempfile.TemporaryDirectory() as scratch:
        written = plant(Path(scratch), tree)

        assert list(contents(Path(scratch), nothing)) == sorted(Path(scratch).rglob("*"))
        assert files_below(Path(scratch)) == sorted(Path(scratch, name) for name in written)


@pytest.fixture
def strange(tmp_path: Path) -> Path:
    """A folder with everything that has no content, and with links that have."""
    folder, elsewhere = tmp_path / "folder", tmp_path / "elsewhere"
    (folder / "a" / "deep").mkdir(parents=True)
    (elsewhere / "inner").mkdir(parents=True)
    (elsewhere / "rows.csv").write_text("1")
    (elsewhere / "inner" / "back").symlink_to(folder)
    for name, target in {
        "linked": str(elsewhere),
        "rows": str(elsewhere / "rows.csv"),
        "broken": "nowhere",
        "itself": "itself",
        "null": "/dev/null",
        "a/deep/up": "../..",
        "a/around": "deep",
    }.items():
        (folder / name).symlink_to(target)
    os.mkfifo(folder / "fifo")
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as server, contextlib.chdir(folder):
        server.bind("socket")
    return folder


def test_links_are_what_they_point_to_and_all_else_is_named(strange: Path) -> None:
    left_out: dict[str, str] = {}
    found = list(contents(strange, lambda path, why: left_out.update({path.relative_to(strange).as_posix(): why})))

    assert [path.relative_to(strange).as_posix() for path in found] == [
        *("a", "a/around", "a/deep", "linked", "linked/inner", "linked/rows.csv", "rows")
    ]
    assert left_out == {
        **dict.fromkeys(("a/around/up", "a/deep/up", "linked/inner/back"), "is a link to a folder that it is in"),
        "broken": "is a link to 'nowhere', which does not exist",
        "fifo": "is a FIFO",
        "itself": "is a link to itself",
        "null": "is a device",
        "socket": "is a socket",
    }


def test_own_files_are_no_links(strange: Path) -> None:
    (strange / "a" / "own").touch()

    assert files_below(strange) == [strange / "a" / "own"]


def test_names_can_be_passed_over(tmp_path: Path) -> None:
    for name in (".git/objects", "src/.git", "src/train.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()

    assert list(contents(tmp_path, nothing, without={".git"})) == [tmp_path / "src", tmp_path / "src" / "train.py"]


def test_missing_folder_has_no_files(tmp_path: Path) -> None:
    assert files_below(tmp_path / "missing") == []
    assert list(contents(tmp_path / "missing", nothing)) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root can read every folder")
def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir(mode=0)
    (tmp_path / "file").touch(mode=0)
    left_out: dict[str, str] = {}

    assert list(contents(tmp_path, lambda path, why: left_out.update({path.name: why}))) == []
    assert left_out == dict.fromkeys(("secret", "file"), "cannot be read")
    with pytest.raises(PermissionError):
        files_below(tmp_path)


def test_lock_is_held_until_its_file_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "lock"
    assert not is_locked(path)
    file = hold_lock(path)

    assert is_locked(path)
    with pytest.raises(BlockingIOError):
        hold_lock(path)
    file.close()
    assert not is_locked(path)


def test_lock_handed_down_lasts_as_long_as_the_child(tmp_path: Path) -> None:
    file = hold_lock(tmp_path / "lock")
    script = "import sys; sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, pass_fds=(file.fileno(),)):
        file.close()

        assert is_locked(tmp_path / "lock")
    assert not is_locked(tmp_path / "lock")


def test_looking_at_a_lock_does_not_take_it(tmp_path: Path) -> None:
    """Two processes that look at the same time do not see each other."""
    hold_lock(tmp_path / "lock").close()
    with (tmp_path / "lock").open() as file:
        fcntl.flock(file, fcntl.LOCK_SH)

        assert not is_locked(tmp_path / "lock")


@given(before=st.none() | st.binary(), after=st.binary() | st.text(st.characters(codec="utf-8")))
def test_file_is_replaced_as_a_whole(before: bytes | None, after: bytes | str) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch, "new", "file")
        if before is not None:
            path.parent.mkdir()
            path.write_bytes(before)
        write_atomically(path, after)

        assert path.read_bytes() == (after.encode() if isinstance(after, str) else after)
        assert os.listdir(path.parent) == ["file"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_failed_write_leaves_the_old_file(tmp_path: Path, error: type[BaseException]) -> None:
    (tmp_path / "file").write_bytes(b"old")

    def fail() -> None:
        with atomic_open(tmp_path / "file") as stream:
            stream.write(b"new")
            raise error

    with pytest.raises(error):
        fail()

    assert (tmp_path / "file").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_folder_appears_as_a_whole(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "folder") as draft:
        draft.mkdir()
        (draft / "file").touch()
        assert not (tmp_path / "folder").exists()

    assert os.listdir(tmp_path) == ["folder"]
    assert os.listdir(tmp_path / "folder") == ["file"]


def test_folder_of_a_failed_block_is_deleted(tmp_path: Path) -> None:
    def fail() -> None:
        with atomic_path(tmp_path / "folder") as draft:
            (draft / "inner").mkdir(parents=True)
            raise ValueError("failed")

    with pytest.raises(ValueError, match="failed"):
        fail()

    assert os.listdir(tmp_path) == []


def test_synced_file_and_its_name_reach_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    monkeypatch.setattr("mnist_tracking._values.files.sync", lambda path: synced.append(str(path)))
    write_atomically(tmp_path / "file", b"content", is_synced=True)

    assert synced[0].endswith(".part")
    assert synced[1] == str(tmp_path)


def test_deleting_a_link_keeps_what_it_points_to(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder")
    delete(tmp_path / "link")
    delete(tmp_path / "missing")

    assert os.listdir(tmp_path) == ["folder"]
    delete(tmp_path / "folder")
    assert os.listdir(tmp_path) == []
