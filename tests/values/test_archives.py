"""Archives: packing, and unpacking those of others without leaving the folder."""

import contextlib
import io
import os
import pickle
import socket
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.hostile import DIR, LNK, REG, SYM, Member, hostile_archives, write_hostile
from tests.support.trees import TREES, plant

from mnist_tracking._values.archives import ArchiveError, NoRoomError, pack, unpack
from mnist_tracking._values.files import files_below
from mnist_tracking.errors import ConfigError


def ignore(path: Path, why: str) -> None:
    """Leave out what has no content."""


HOSTILE = hostile_archives()
STEPS = st.sampled_from(["a", "b", "A", ".", "..", "outside", "secret", "/"])
PATHS = st.lists(STEPS, max_size=5).map("/".join)
MEMBERS = st.builds(Member, name=PATHS, kind=st.sampled_from([REG, DIR, SYM, LNK]), link=PATHS)


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
    pack([source], tmp_path / "model.tar.gz", ignore)
    unpack(tmp_path / "model.tar.gz", tmp_path / "new" / "model")

    found = {path.relative_to(tmp_path / "new" / "model").as_posix() for path in (tmp_path / "new").rglob("*")}
    assert found - {"."} >= {"code", "code/inference.py", "latest", "model.pth"}
    assert (tmp_path / "new" / "model" / "latest").read_bytes() == b"weights"


def test_packing_puts_contents_at_the_root(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "mnist.py").touch()
    pack([tmp_path / "source"], tmp_path / "source.tar.gz", ignore)

    with tarfile.open(tmp_path / "source.tar.gz") as tar:
        assert tar.getnames() == ["mnist.py"]


def test_later_folder_wins_when_two_have_the_same_name(tmp_path: Path) -> None:
    """A file replaces a folder with everything in it, and the other way round."""
    for folder, files in {"a": ["both", "only-a", "file/x", "folder"], "b": ["both", "file", "folder/y"]}.items():
        for name in files:
            path = tmp_path / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(folder)
    pack([tmp_path / "a", tmp_path / "b"], tmp_path / "model.tar.gz", ignore)
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
def test_packed_tree_unpacks_to_the_same_files(tree: dict[str, bytes]) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        source, target = Path(scratch, "source"), Path(scratch, "target")
        source.mkdir()
        written = plant(source, tree)
        pack([source], Path(scratch, "a.tar.gz"), ignore)
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
        found = {path.relative_to(scratch).as_posix() for path in Path(scratch).rglob("*")}
        assert {path for path in found if not path.startswith("a/b/out/")} <= outside


def test_single_file_is_packed_under_its_name(tmp_path: Path) -> None:
    (tmp_path / "model.pt").write_bytes(b"weights")
    pack([tmp_path / "model.pt"], tmp_path / "model.tar.gz", ignore)
    unpack(tmp_path / "model.tar.gz", tmp_path / "out")

    assert (tmp_path / "out" / "model.pt").read_bytes() == b"weights"


def test_packing_can_follow_links(tmp_path: Path) -> None:
    """The archive holds the contents, so that it can be unpacked elsewhere."""
    for name in ("elsewhere", "source"):
        (tmp_path / name).mkdir()
    (tmp_path / "elsewhere" / "weights").write_bytes(b"weights")
    (tmp_path / "source" / "folder").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "source" / "file").symlink_to(tmp_path / "elsewhere" / "weights")
    pack([tmp_path / "source"], tmp_path / "a.tar.gz", ignore)
    unpack(tmp_path / "a.tar.gz", tmp_path / "out")

    assert (tmp_path / "out" / "file").read_bytes() == (tmp_path / "out" / "folder" / "weights").read_bytes()
    assert not (tmp_path / "out" / "folder").is_symlink()


def state(folder: Path) -> list[tuple[object, ...]]:
    """Return all that an archive could change in a folder, and in the folder above it."""
    paths = [folder.parent, folder, *sorted(folder.rglob("*"))]
    stats = [(path, path.lstat()) for path in paths]
    return [
        (path, found.st_mode, *(() if path.is_dir() else (found.st_mtime_ns, found.st_nlink, path.read_bytes())))
        for path, found in stats
    ]


def links_out_of(folder: Path) -> list[Path]:
    """Return what of a folder leads outside when it is read."""
    root = os.path.realpath(folder)
    return [path for path in sorted(folder.rglob("*")) if not f"{os.path.realpath(path)}/".startswith(f"{root}/")]


def try_to_escape(base: Path, members: list[Member]) -> None:
    """Unpack an archive beside a folder with a secret; both must stay as they are, and not be linked to."""
    outside = base / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    write_hostile(base / "a.tar.gz", members, outside)
    (base / "target").mkdir()
    before = state(outside)
    with contextlib.suppress(ArchiveError, OSError):
        unpack(base / "a.tar.gz", base / "target")

    assert state(outside) == before
    assert sorted(os.listdir(base)) == ["a.tar.gz", "outside", "target"]
    assert links_out_of(base / "target") == []


@pytest.mark.parametrize("name", HOSTILE)
def test_archive_does_not_escape(tmp_path: Path, name: str) -> None:
    """Chains of links that no check of paths sees through, as in CVE-2025-4517, among them."""
    try_to_escape(tmp_path, HOSTILE[name])


@given(members=st.lists(MEMBERS, max_size=8))
def test_no_order_of_members_escapes(members: list[Member]) -> None:
    with tempfile.TemporaryDirectory() as base:
        try_to_escape(Path(base), members)


def test_unpacking_needs_no_filter_of_tarfile(tmp_path: Path) -> None:
    """Python 3.11.0 to 3.11.3, such as Debian 12's own, have none."""
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("file"))
    script = (
        "import sys, tarfile; from pathlib import Path; from mnist_tracking._values.archives import unpack\n"
        "vars(tarfile).pop('data_filter', None); del tarfile.TarFile.extract, tarfile.TarFile.extractall\n"
        "unpack(Path(sys.argv[1]), Path(sys.argv[2]))"
    )
    subprocess.run([sys.executable, "-c", script, tmp_path / "a.tar.gz", tmp_path / "out"], check=True)

    assert os.listdir(tmp_path / "out") == ["file"]


def test_honest_archive_is_unpacked_as_it_was(tmp_path: Path) -> None:
    """Links inside, links to links, hard links, an executable, empty folders, long names, and two files of one name."""
    long = "/".join(["n" * 250] * 8)
    members = [
        Member(".", DIR),
        Member("./run.sh", mode=0o755),
        Member("empty/folder", DIR),
        Member(long, content=b"long"),
        Member("models/v1/weights", content=b"weights"),
        Member("models/latest", SYM, "v1"),
        Member("models/v1/up", SYM, "../../models/./latest/../v1/weights"),
        Member("current", SYM, "models/latest/weights"),
        Member("dangling", SYM, "models/v2"),
        Member("same", LNK, "models/v1/weights"),
        Member("twice", content=b"old"),
        Member("twice", content=b"new"),
        Member("r\u00e9sum\u00e9 \udcff"),
        Member("private", mode=0o600),
    ]
    write_hostile(tmp_path / "a.tar.gz", members, tmp_path)
    out = tmp_path / "out"
    unpack(tmp_path / "a.tar.gz", out)

    assert (out / "current").read_bytes() == (out / "models/v1/up").read_bytes() == b"weights"
    assert (out / "same").samefile(out / "models/v1/weights")
    assert [(out / name).read_bytes() for name in (long, "twice")] == [b"long", b"new"]
    assert os.readlink(out / "dangling") == "models/v2"
    assert (out / "empty/folder").is_dir()
    assert [(out / name).stat().st_mode & 0o777 for name in ("private", "same")] == [0o600, 0o755]
    assert os.access(out / "run.sh", os.X_OK)
    assert (out / "r\u00e9sum\u00e9 \udcff").exists()


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_every_usual_format_is_unpacked(tmp_path: Path, mode: str, form: int) -> None:
    content = os.urandom(300_000)
    with tarfile.open(tmp_path / "archive", mode, format=form) as tar:  # type: ignore[call-overload]
        for name in ("first", "second"):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    unpack(tmp_path / "archive", tmp_path / "out")

    assert [(tmp_path / "out" / name).read_bytes() == content for name in ("first", "second")] == [True, True]


def test_sparse_file_is_unpacked_with_its_holes_filled(tmp_path: Path) -> None:
    pax = {"GNU.sparse.map": "512,4,1024,0", "GNU.sparse.size": "1024", "GNU.sparse.name": "weights"}
    write_hostile(tmp_path / "a.tar.gz", [Member("sparse", content=b"data", pax=pax)], tmp_path)
    unpack(tmp_path / "a.tar.gz", tmp_path / "out")

    assert (tmp_path / "out" / "weights").read_bytes() == bytes(512) + b"data" + bytes(508)


def test_cut_archive_without_compression_is_rejected(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for name in ("first", "second"):
            info = tarfile.TarInfo(name)
            info.size = 1000
            tar.addfile(info, io.BytesIO(bytes(1000)))
    os.truncate(tmp_path / "a.tar", 1700)  # in the second header

    with pytest.raises(ArchiveError, match="bad header"):
        unpack(tmp_path / "a.tar", tmp_path / "out")


def test_archive_that_would_fill_the_disk_is_rejected_before_it_does(tmp_path: Path) -> None:
    """Zeros compress to nothing, and honest sparse weights do so too: only the room on the disk counts."""
    free = os.statvfs(tmp_path).f_bavail * os.statvfs(tmp_path).f_frsize
    path = write(tmp_path / "a.tar.gz", "weights", content=bytes(100_000))
    unpack(path, tmp_path / "out", reserve_bytes=0)

    with pytest.raises(NoRoomError, match="disk full: the contents take at least 100,000 bytes"):
        unpack(path, tmp_path / "full", reserve_bytes=free + (1 << 40))
    assert os.listdir(tmp_path / "full") == []


def test_file_is_replaced_and_not_written_through(tmp_path: Path) -> None:
    """It may be a second name of a file elsewhere, or a link to it."""
    (tmp_path / "out").mkdir()
    (tmp_path / "elsewhere").write_text("mine")
    (tmp_path / "out" / "second").hardlink_to(tmp_path / "elsewhere")
    (tmp_path / "out" / "harmless").symlink_to(tmp_path / "elsewhere")
    unpack(write(tmp_path / "a.tar.gz", "second"), tmp_path / "out")

    assert (tmp_path / "elsewhere").read_text() == "mine"
    assert [(tmp_path / "out" / name).read_bytes() for name in ("second", "harmless")] == [b"x", b"x"]


def test_special_files_are_left_out_of_a_packed_folder(tmp_path: Path) -> None:
    """As with git: they have no content, and reading a FIFO would wait for a writer."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "file").touch()
    os.mkfifo(source / "fifo")
    (source / "null").symlink_to("/dev/null")
    (source / "dangling").symlink_to("nowhere")
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as server:
        server.bind(str(source / "socket"))
        pack([source], tmp_path / "a.tar.gz", ignore)

    with tarfile.open(tmp_path / "a.tar.gz") as tar:
        assert tar.getnames() == ["file"]


def test_home_is_left_out_of_a_packed_folder(tmp_path: Path) -> None:
    """Wherever it is, and whatever it is called; a link to it, and into it, does not help."""
    for home in ("source/.mnist-tracking", "source/deep/er/home", "elsewhere"):
        (tmp_path / home).mkdir(parents=True)
        (tmp_path / home / "sagemaker.db").write_text("state")
    (tmp_path / "source" / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "source" / "copy.db").symlink_to(tmp_path / "elsewhere" / "sagemaker.db")
    (tmp_path / "source" / "train.py").touch()
    pack([tmp_path / "source"], tmp_path / "a.tar.gz", ignore)

    with tarfile.open(tmp_path / "a.tar.gz") as tar:
        assert tar.getnames() == ["deep", "deep/er", "train.py"]


def test_home_itself_is_not_packed(tmp_path: Path) -> None:
    (tmp_path / "sagemaker.db").touch()

    with pytest.raises(ConfigError, match="is the home of an embedded SageMaker"):
        pack([tmp_path], tmp_path / "a.tar.gz", ignore)
