"""Archives come from strangers: nothing in one gets out of the folder."""

import io
import os
import tarfile
from pathlib import Path

import pytest

from mnist_tracking.embedded.archives import UnsafeArchiveError, pack, unpack


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


def test_of_two_with_one_name_the_later_folders_is_packed(tmp_path: Path) -> None:
    """Whether they are files or folders; what cannot be unpacked beside it goes with the other."""
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
def test_member_that_is_the_folder_itself_is_fine(tmp_path: Path, name: str) -> None:
    """The SDK's repacking begins its archives with one."""
    unpack(write(tmp_path / "a.tar.gz", name, tarfile.DIRTYPE), tmp_path / "out")

    assert os.listdir(tmp_path / "out") == ["harmless"]


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "..", "a/..", "/tmp/evil", "//evil"])
@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.DIRTYPE])
def test_member_that_leaves_is_refused(tmp_path: Path, name: str, kind: bytes) -> None:
    with pytest.raises(UnsafeArchiveError, match=r"a\.tar\.gz is not unpacked: its member .* leaves the folder"):
        unpack(write(tmp_path / "a.tar.gz", name, kind), tmp_path / "out")

    assert sorted(os.listdir(tmp_path)) == ["a.tar.gz", "out"]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
@pytest.mark.parametrize("target", ["/etc/passwd", "../../secret"])
def test_link_that_leaves_is_refused(tmp_path: Path, kind: bytes, target: str) -> None:
    with pytest.raises(UnsafeArchiveError, match=r"a\.tar\.gz cannot be unpacked"):
        unpack(write(tmp_path / "a.tar.gz", "evil", kind, target), tmp_path / "out")

    assert not (tmp_path / "out" / "evil").is_symlink()


def test_file_written_through_a_link_stays_inside(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as tar:
        link = tarfile.TarInfo("door")
        link.type, link.linkname = tarfile.SYMTYPE, ".."
        tar.addfile(link)
        tar.addfile(tarfile.TarInfo("door/evil"))

    with pytest.raises(UnsafeArchiveError):
        unpack(tmp_path / "a.tar.gz", tmp_path / "out")
    assert sorted(os.listdir(tmp_path)) == ["a.tar.gz", "out"]


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_device_is_refused(tmp_path: Path, kind: bytes) -> None:
    with pytest.raises(UnsafeArchiveError, match="special file"):
        unpack(write(tmp_path / "a.tar.gz", "device", kind), tmp_path / "out")


def test_special_permissions_are_dropped(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as tar:
        info = tarfile.TarInfo("tool")
        info.mode = 0o6777
        tar.addfile(info)
    unpack(tmp_path / "a.tar.gz", tmp_path / "out")

    assert (tmp_path / "out" / "tool").stat().st_mode & 0o7022 == 0


@pytest.mark.parametrize("content", [b"", b"no archive", b"\x1f\x8b\x08 cut"])
def test_what_is_no_archive_is_a_clear_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.tar.gz").write_bytes(content)

    with pytest.raises(UnsafeArchiveError, match=r"a\.tar\.gz cannot be unpacked"):
        unpack(tmp_path / "a.tar.gz", tmp_path / "out")


@pytest.mark.parametrize("damage", ["cut", "flip"])
def test_damaged_archive_is_a_clear_error(tmp_path: Path, damage: str) -> None:
    path = write(tmp_path / "a.tar.gz", "weights", content=os.urandom(100_000))
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    path.write_bytes(content[:middle] if damage == "cut" else content[:middle] + b"\xff" * 64 + content[middle + 64 :])

    with pytest.raises(UnsafeArchiveError, match=r"a\.tar\.gz cannot be unpacked"):
        unpack(path, tmp_path / "out")


def test_archive_that_does_not_exist_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(UnsafeArchiveError, match=r"gone\.tar\.gz cannot be unpacked"):
        unpack(tmp_path / "gone.tar.gz", tmp_path / "out")
