"""A folder that downloads are written to: it knows what it holds, and holds nothing that is not whole."""

import fcntl
import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, TextIO

import attrs

from mnist_tracking._aws.account import Account
from mnist_tracking._aws.storage import StoredObject, download_object
from mnist_tracking.errors import ConfigError, MnistTrackingError, StateError
from mnist_tracking.reading.download.archives import unpack

__all__ = ["SCHEMA_VERSION", "Folder", "opened_folder"]

SCHEMA_VERSION = 1
_LEDGER = ".download.jsonl"
_PART = ".part"


@attrs.frozen
class _Entry:
    """What was written at a path: from where, and the sizes of its files by their relative paths."""

    uri: str
    etag: str
    sizes: Mapping[str, int]


@contextmanager
def opened_folder(directory: str | os.PathLike[str], owner: Mapping[str, str]) -> Iterator["Folder"]:
    """
    Open a folder for the download of *owner*, alone, made if missing.

    Raises:
        ConfigError: If it is a file, holds anything that no download wrote, or another download. Nothing was changed.
        StateError: If another program is writing to it, or the disk takes no more.
    """
    root = Path(directory)
    header = {"schema_version": SCHEMA_VERSION, **owner}
    _make(root)
    with _said_of(root), _locked(root, header) as (ledger, entries):
        folder = Folder(root, ledger, entries)
        folder.clear_parts()
        try:
            yield folder
        finally:
            folder.clear_parts()


class Folder:
    """
    What is in the folder, and how it gets there: written beside, then renamed.

    Attributes:
        root: The folder.
        fetched: How many objects were fetched.
        fetched_bytes: Their size.
    """

    def __init__(self, root: Path, ledger: TextIO, entries: dict[str, _Entry]) -> None:
        self.root = root
        self.fetched = self.fetched_bytes = 0
        self._ledger = ledger
        self._entries = entries
        self._used: set[str] = set()

    def fetch(self, account: Account, found: StoredObject, path: str, *, unpacked: bool = False) -> int:
        """Write an object to *path*, or what it packs; one that is there already is left. Return its size there."""
        self._used.add(path)
        entry = self._entries.get(path)
        if entry is None or (entry.uri, entry.etag) != (found.uri, found.etag) or not self._is_whole(path, entry):
            part = self.part()
            download_object(account, found.uri, part)
            if unpacked:
                archive, part = part, self.part()
                unpack(archive, part, found.uri)
                archive.unlink()
            self.fetched += 1
            self.fetched_bytes += found.size
            entry = self._put(part, path, found.uri, found.etag)
        return sum(entry.sizes.values())

    def write(self, path: str, fill: Callable[[TextIO], object]) -> int:
        """Write a text file at once; return its size."""
        part = self.part()
        with part.open("w", encoding="utf-8", newline="") as file:
            fill(file)
        return self.put(part, path)

    def put(self, part: Path, path: str) -> int:
        """Put what was written beside to its place, in place of what is there; return its size."""
        return sum(self._put(part, path, "", "").sizes.values())

    def part(self) -> Path:
        """Return a new place beside, on the same file system; what is left there is deleted in the end."""
        folder = self.root / _PART
        folder.mkdir(exist_ok=True)
        return folder / uuid.uuid4().hex

    def size_of(self, path: str) -> int | None:
        """Return the size of what is at *path*; None if nothing is."""
        target = self._place(path)
        return sum(_sizes(target).values()) if target.exists() else None

    def prune(self) -> None:
        """Delete what earlier downloads wrote to paths that this one did not come to."""
        for path in self._entries.keys() - self._used:
            if self._used.isdisjoint(map(str, PurePosixPath(path).parents)):  # else it went with what took its place
                _delete(self._place(path))
            del self._entries[path]

    def forget(self, path: str) -> None:
        """Delete one file, so that what is there is not taken for whole."""
        self._place(path).unlink(missing_ok=True)

    def clear_parts(self) -> None:
        """Delete what is left beside."""
        _delete(self.root / _PART)

    def _put(self, part: Path, path: str, uri: str, etag: str) -> _Entry:
        target, entry = self._place(path), _Entry(uri, etag, _sizes(part))
        self._used.add(path)
        self._make_way(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        if (target.is_dir() and not target.is_symlink()) or (part.is_dir() and target.exists()):
            os.replace(target, self.part())
        os.replace(part, target)
        self._ledger.write(json.dumps({"path": path, **attrs.asdict(entry)}) + "\n")
        self._ledger.flush()
        self._entries[path] = entry
        return entry

    def _make_way(self, path: str) -> None:
        """Delete what an earlier download wrote as one where a folder of several is needed now."""
        for parent in map(str, list(PurePosixPath(path).parents)[:-1]):
            if parent in self._entries and parent not in self._used:
                _delete(self._place(parent))
                del self._entries[parent]

    def _place(self, path: str) -> Path:
        """Return where a path is; a link on the way there could lead out of the folder."""
        target = self.root / path
        for parent in target.parents:
            if parent == self.root:
                break
            if parent.is_symlink():
                raise ConfigError(f"{str(parent)!r} is a link; a download writes only below {str(self.root)!r}.")
        return target

    def _is_whole(self, path: str, entry: _Entry) -> bool:
        target = self._place(path)
        return target.exists() and _sizes(target) == entry.sizes


def _sizes(path: Path) -> dict[str, int]:
    """Return the sizes of the files at or below a path."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file() and not file.is_symlink()]
    return {file.relative_to(path).as_posix(): file.lstat().st_size for file in files}


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _make(root: Path) -> None:
    if root.exists() and not root.is_dir():
        raise ConfigError(f"{str(root)!r} is a file. Give a folder, new or of an earlier download.")
    try:
        root.mkdir(parents=True, exist_ok=True)
        names = sorted(path.name for path in root.iterdir())
    except OSError as error:
        raise ConfigError(
            f"{str(root)!r} cannot be made: {error.strerror}. Give a folder that you may write."
        ) from error
    if names and _LEDGER not in names:
        raise ConfigError(
            f"The folder {str(root)!r} holds what no download wrote, such as {names[0]!r}. Give a new folder, or "
            "that of an earlier download."
        )


@contextmanager
def _locked(root: Path, header: Mapping[str, object]) -> Iterator[tuple[TextIO, dict[str, _Entry]]]:
    """Give the ledger, which nobody else has, and what it says."""
    with (root / _LEDGER).open("a+", encoding="utf-8") as ledger:
        try:
            fcntl.flock(ledger, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StateError("folder", str(root), "in-use", "is being written by another download") from error
        ledger.seek(0)
        said = ledger.read()
        first, *lines = [_read(line) for line in said.splitlines()] or [None]
        if first is None:
            ledger.truncate(0)
            ledger.write(json.dumps(header) + "\n")
        elif first != header:
            raise ConfigError(f"The folder {str(root)!r} holds another download: {_said(first)}. Give another folder.")
        elif not said.endswith("\n"):
            ledger.write("\n")  # behind what a program that was killed has left
        yield (
            ledger,
            {line["path"]: _Entry(line["uri"], line["etag"], line["sizes"]) for line in lines if line is not None},
        )


def _read(line: str) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None  # empty, or cut off
    return found if isinstance(found, dict) else None


def _said(header: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in header.items())


@contextmanager
def _said_of(root: Path) -> Iterator[None]:
    """Say that the disk does not take what is written, and that nothing is lost."""
    try:
        yield
    except MnistTrackingError:
        raise
    except OSError as error:
        said = f"cannot be written: {error.strerror or error}. What is whole stays there, and is not fetched again"
        raise StateError("folder", str(root), "unwritable", said) from error
