"""Files: walking, locks and atomic replacement."""

import fcntl
import os
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
    delete,
    files_below,
    hold_lock,
    is_locked,
    walk,
    write_atomically,
)


@given(tree=TREES)
def test_walk_is_sorted_and_complete(tree: dict[str, bytes]) -> None:
    """As `Path.rglob` finds it, in the order of sorted paths."""
    with tempfile.TemporaryDirectory() as scratch:
        written = plant(Path(scratch), tree)

        assert list(walk(Path(scratch))) == sorted(Path(scratch).rglob("*"))
        assert files_below(Path(scratch)) == sorted(Path(scratch, name) for name in written)


def test_link_to_a_parent_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "loop").symlink_to(tmp_path)

    assert list(walk(tmp_path, follow_links=True)) == [tmp_path / "a", tmp_path / "a" / "loop"]


def test_files_can_be_chosen_by_suffix_and_without_links(tmp_path: Path) -> None:
    for name in ("a.py", "b.txt"):
        (tmp_path / name).touch()
    (tmp_path / "c.py").symlink_to("a.py")

    assert files_below(tmp_path, suffix=".py") == [tmp_path / "a.py", tmp_path / "c.py"]
    assert files_below(tmp_path, suffix=".py", include_links=False) == [tmp_path / "a.py"]


def test_missing_folder_has_no_files(tmp_path: Path) -> None:
    assert files_below(tmp_path / "missing") == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root can read every folder")
def test_unreadable_folder_is_an_error_unless_handled(tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir(mode=0)
    errors: list[OSError] = []

    with pytest.raises(PermissionError):
        files_below(tmp_path)
    assert files_below(tmp_path, on_error=errors.append) == []
    assert len(errors) == 1


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
