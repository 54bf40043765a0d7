"""Files: walking, packing, safe unpacking, locks and atomic replacement."""

import contextlib
import fcntl
import io
import os
import pickle
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_tracking._values.files import (
    ArchiveError,
    acquire_lock,
    atomic_open,
    atomic_path,
    delete,
    files_below,
    is_locked,
    pack,
    unpack,
    walk,
    write_atomically,
)

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=20).filter(
    lambda name: name not in (".", "..") and len(name.encode()) < 100
)
TREES = st.dictionaries(
    st.lists(NAMES, min_size=1, max_size=3).map(lambda parts: "/".join(["root", *parts])), st.binary(max_size=50)
)


def plant(root: Path, tree: dict[str, bytes]) -> dict[str, bytes]:
    """Write the files of a tree, except where a name is already a folder or a file; return those written."""
    written = {}
    for name, content in tree.items():
        path = root / name
        if path.exists() or any(parent.is_file() for parent in path.parents):
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        written[name] = content
    return written


def write(path: Path, name: str, kind: bytes = tarfile.REGTYPE, link: str = "", content: bytes = b"x") -> Path:
    """Write an archive of one member, after a harmless one."""
    with tarfile.open(path, "w:gz") as tar:
        for info in (tarfile.TarInfo("harmless"), tarfile.TarInfo(name)):
            info.size = len(content)
            if info.name == name:
                info.type, info.linkname = kind, link
                info.size = len(content) if kind == tarfile.REGTYPE else 0
            tar.addfile(info, io.BytesIO(content))
    return path


def test_packed_folder_unpacks_as_it_was(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "code").mkdir(parents=True)
    (source / "model.pth").write_bytes(b"weights")
    (source / "code" / "inference.py").write_text("pass")
    (source / "latest").symlink_to("model.pth")
    pack([source], tmp_path / "model.tar.gz")
    unpack(tmp_path / "model.tar.gz", tmp_path / "new" / "model")

    found = {path.relative_to(tmp_path / "new" / "model").as_posix() for path in (tmp_path / "new").rglob("*")}
    assert found - {"."} >= {"code", "code/inference.py", "latest", "model.pth"}
    assert (tmp_path / "new" / "model" / "latest").read_bytes() == b"weights"


def test_packing_puts_contents_at_the_root(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "mnist.py").touch()
    pack([tmp_path / "source"], tmp_path / "source.tar.gz")

    with tarfile.open(tmp_path / "source.tar.gz") as tar:
        assert tar.getnames() == ["mnist.py"]


def test_later_folder_wins_when_two_have_the_same_name(tmp_path: Path) -> None:
    """A file replaces a folder with everything in it, and the other way round."""
    for folder, files in {"a": ["both", "only-a", "file/x", "folder"], "b": ["both", "file", "folder/y"]}.items():
        for name in files:
            path = tmp_path / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(folder)
    pack([tmp_path / "a", tmp_path / "b"], tmp_path / "model.tar.gz")
    unpack(tmp_path / "model.tar.gz", tmp_path / "new")

    found = {path.relative_to(tmp_path / "new").as_posix(): path for path in (tmp_path / "new").rglob("*")}
    assert {name: path.read_text() for name, path in found.items() if path.is_file()} == {
        **dict.fromkeys(("both", "file", "folder/y"), "b"),
        "only-a": "a",
    }


@pytest.mark.parametrize("name", ["", "/", ".", "./"])
def test_member_that_is_the_folder_itself_is_skipped(tmp_path: Path, name: str) -> None:
    """The SDK's repacking begins its archives with one."""
    unpack(write(tmp_path / "a.tar.gz", name, tarfile.DIRTYPE), tmp_path / "out")

    assert os.listdir(tmp_path / "out") == ["harmless"]


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "..", "a/..", "/tmp/evil", "//evil"])
@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.DIRTYPE])
def test_member_outside_the_folder_is_rejected(tmp_path: Path, name: str, kind: bytes) -> None:
    with pytest.raises(ArchiveError, match=r"a\.tar\.gz cannot be unpacked: its member .* leaves the folder"):
        unpack(write(tmp_path / "a.tar.gz", name, kind), tmp_path / "out")

    assert sorted(os.listdir(tmp_path)) == ["a.tar.gz", "out"]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
@pytest.mark.parametrize("target", ["/etc/passwd", "../../secret"])
def test_link_out_of_the_folder_is_rejected(tmp_path: Path, kind: bytes, target: str) -> None:
    with pytest.raises(ArchiveError, match=r"a\.tar\.gz cannot be unpacked"):
        unpack(write(tmp_path / "a.tar.gz", "evil", kind, target), tmp_path / "out")

    assert not (tmp_path / "out" / "evil").is_symlink()


def test_file_written_through_a_link_stays_inside(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as tar:
        link = tarfile.TarInfo("door")
        link.type, link.linkname = tarfile.SYMTYPE, ".."
        tar.addfile(link)
        tar.addfile(tarfile.TarInfo("door/evil"))

    with pytest.raises(ArchiveError):
        unpack(tmp_path / "a.tar.gz", tmp_path / "out")
    assert sorted(os.listdir(tmp_path)) == ["a.tar.gz", "out"]


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_device_is_rejected(tmp_path: Path, kind: bytes) -> None:
    with pytest.raises(ArchiveError, match="special file"):
        unpack(write(tmp_path / "a.tar.gz", "device", kind), tmp_path / "out")


def test_special_permissions_are_dropped(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as tar:
        info = tarfile.TarInfo("tool")
        info.mode = 0o6777
        tar.addfile(info)
    unpack(tmp_path / "a.tar.gz", tmp_path / "out")

    assert (tmp_path / "out" / "tool").stat().st_mode & 0o7022 == 0


@pytest.mark.parametrize("content", [b"", b"no archive", b"\x1f\x8b\x08 cut"])
def test_file_that_is_not_an_archive_is_rejected(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.tar.gz").write_bytes(content)

    with pytest.raises(ArchiveError, match=r"a\.tar\.gz cannot be unpacked"):
        unpack(tmp_path / "a.tar.gz", tmp_path / "out")


@pytest.mark.parametrize("damage", ["cut", "flip"])
def test_damaged_archive_is_rejected(tmp_path: Path, damage: str) -> None:
    path = write(tmp_path / "a.tar.gz", "weights", content=os.urandom(100_000))
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    path.write_bytes(content[:middle] if damage == "cut" else content[:middle] + b"\xff" * 64 + content[middle + 64 :])

    with pytest.raises(ArchiveError, match=r"a\.tar\.gz cannot be unpacked"):
        unpack(path, tmp_path / "out")


def test_missing_archive_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match=r"gone\.tar\.gz cannot be unpacked"):
        unpack(tmp_path / "gone.tar.gz", tmp_path / "out")


def test_archive_error_can_be_pickled() -> None:
    error = pickle.loads(pickle.dumps(ArchiveError("a.tar.gz", "it is damaged")))

    assert str(error) == "a.tar.gz cannot be unpacked: it is damaged."


def test_archive_larger_than_the_limit_is_rejected(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tar.gz", "weights", content=bytes(100_000))

    with pytest.raises(ArchiveError, match="larger than 150,000 bytes"):
        unpack(path, tmp_path / "out", max_bytes=150_000)
    assert not (tmp_path / "out" / "weights").exists()


def test_archive_with_too_many_members_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="more than 1 members"):
        unpack(write(tmp_path / "a.tar.gz", "second"), tmp_path / "out", max_members=1)


def test_write_error_of_the_disk_is_not_blamed_on_the_archive(tmp_path: Path) -> None:
    (tmp_path / "out" / "harmless").mkdir(parents=True)

    with pytest.raises(IsADirectoryError):
        unpack(write(tmp_path / "a.tar.gz", "second"), tmp_path / "out")


@given(tree=TREES)
def test_walk_is_sorted_and_complete(tree: dict[str, bytes]) -> None:
    """As `Path.rglob` finds it, in the order of sorted paths."""
    with tempfile.TemporaryDirectory() as scratch:
        written = plant(Path(scratch), tree)

        assert list(walk(Path(scratch))) == sorted(Path(scratch).rglob("*"))
        assert files_below(Path(scratch)) == sorted(Path(scratch, name) for name in written)


@given(tree=TREES)
def test_packed_tree_unpacks_to_the_same_files(tree: dict[str, bytes]) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        source, target = Path(scratch, "source"), Path(scratch, "target")
        source.mkdir()
        written = plant(source, tree)
        pack([source], Path(scratch, "a.tar.gz"))
        unpack(Path(scratch, "a.tar.gz"), target)

        assert {path.relative_to(target).as_posix(): path.read_bytes() for path in files_below(target)} == written


@given(name=st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40))
def test_nothing_is_ever_written_outside_the_folder(name: str) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        archive = Path(scratch, "a.tar.gz")
        with tarfile.open(archive, "w:gz") as tar:
            tar.addfile(tarfile.TarInfo(name))
        with contextlib.suppress(ArchiveError, OSError):  # also for a name that this disk does not accept
            unpack(archive, Path(scratch, "a", "b", "out"))

        outside = {"a.tar.gz", "a", "a/b", "a/b/out"}
        found = {path.relative_to(scratch).as_posix() for path in walk(Path(scratch))}
        assert {path for path in found if not path.startswith("a/b/out/")} <= outside


def test_single_file_is_packed_under_its_name(tmp_path: Path) -> None:
    (tmp_path / "model.pt").write_bytes(b"weights")
    pack([tmp_path / "model.pt"], tmp_path / "model.tar.gz")
    unpack(tmp_path / "model.tar.gz", tmp_path / "out")

    assert (tmp_path / "out" / "model.pt").read_bytes() == b"weights"


def test_packing_can_follow_links(tmp_path: Path) -> None:
    """The archive holds the contents, so that it can be unpacked elsewhere."""
    for name in ("elsewhere", "source"):
        (tmp_path / name).mkdir()
    (tmp_path / "elsewhere" / "weights").write_bytes(b"weights")
    (tmp_path / "source" / "folder").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "source" / "file").symlink_to(tmp_path / "elsewhere" / "weights")
    pack([tmp_path / "source"], tmp_path / "a.tar.gz", follow_links=True)
    unpack(tmp_path / "a.tar.gz", tmp_path / "out")

    assert (tmp_path / "out" / "file").read_bytes() == (tmp_path / "out" / "folder" / "weights").read_bytes()
    assert not (tmp_path / "out" / "folder").is_symlink()


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


def test_lock_is_held_until_every_descriptor_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "lock"
    assert not is_locked(path)
    descriptor = acquire_lock(path)

    assert is_locked(path)
    with pytest.raises(BlockingIOError):
        acquire_lock(path)
    os.close(descriptor)
    assert not is_locked(path)


def test_lock_handed_down_lasts_as_long_as_the_child(tmp_path: Path) -> None:
    descriptor = acquire_lock(tmp_path / "lock")
    script = "import sys; sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, pass_fds=(descriptor,)):
        os.close(descriptor)

        assert is_locked(tmp_path / "lock")
    assert not is_locked(tmp_path / "lock")


def test_looking_at_a_lock_does_not_take_it(tmp_path: Path) -> None:
    """Two processes that look at the same time do not see each other."""
    os.close(acquire_lock(tmp_path / "lock"))
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
