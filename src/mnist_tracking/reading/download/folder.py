"""The folder that a download writes to, and the names of the files in it."""

import hashlib
import json
import os
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, TextIO
from urllib.parse import quote

import attrs

from mnist_tracking._aws.account import Account
from mnist_tracking._aws.storage import StoredObject, download_object
from mnist_tracking._values.archives import ArchiveError, NoRoomError, unpack
from mnist_tracking._values.files import delete, files_below, locked
from mnist_tracking.errors import ConfigError, MnistTrackingError, StateError

__all__ = ["SCHEMA_VERSION", "FileNames", "Folder", "KeyPaths", "opened_folder", "safe_name"]

SCHEMA_VERSION = 1
_LEDGER = ".download.jsonl"
_DRAFTS = ".part"


@attrs.frozen
class _Entry:
    """A line of the ledger: where the files at a path came from, and their sizes by relative path."""

    uri: str
    etag: str
    sizes: Mapping[str, int]


@contextmanager
def opened_folder(directory: str | os.PathLike[str], owner: Mapping[str, str]) -> Iterator["Folder"]:
    """
    Open a folder for the download of *owner*, creating it if missing; no other download can write to it meanwhile.

    Raises:
        ConfigError: If it is a file, or contains another download or files of another origin. Nothing was changed.
        StateError: If another program is writing to it, or the disk is full.
    """
    root = Path(directory)
    header = {"schema_version": SCHEMA_VERSION, **owner}
    _make(root)
    with _write_errors_translated(root), _opened_ledger(root, header) as (ledger, entries):
        folder = Folder(root, ledger, entries)
        folder.delete_drafts()
        try:
            yield folder
        finally:
            folder.delete_drafts()


def _make(root: Path) -> None:
    if root.exists() and not root.is_dir():
        raise ConfigError(f"{str(root)!r} is a file; expected a folder, new or of an earlier download.")
    try:
        root.mkdir(parents=True, exist_ok=True)
        names = sorted(path.name for path in root.iterdir())
    except OSError as error:
        raise ConfigError(f"The folder {str(root)!r} cannot be created: {error.strerror}.") from error
    if names and _LEDGER not in names:
        raise ConfigError(
            f"The folder {str(root)!r} contains files that are not from a download, such as {names[0]!r}. Use a new "
            "folder, or that of an earlier download."
        )


@contextmanager
def _write_errors_translated(root: Path) -> Iterator[None]:
    try:
        yield
    except MnistTrackingError:
        raise
    except OSError as error:
        detail = f"cannot be written: {error.strerror or error}. Complete files are kept, and not downloaded again"
        raise StateError("folder", str(root), "unwritable", detail) from error


@contextmanager
def _opened_ledger(root: Path, header: Mapping[str, object]) -> Iterator[tuple[TextIO, dict[str, _Entry]]]:
    """Lock the ledger, and yield it with its entries."""
    path = root / _LEDGER
    try:
        with locked(path, wait=False), path.open("a+", encoding="utf-8") as ledger:
            ledger.seek(0)
            text = ledger.read()
            first, *lines = [_parsed(line) for line in text.splitlines()] or [None]
            if first is None:
                ledger.truncate(0)
                ledger.write(json.dumps(header) + "\n")
            elif first != header:
                shown = ", ".join(f"{name} {value}" for name, value in first.items())
                raise ConfigError(f"The folder {str(root)!r} contains another download: {shown}. Use another folder.")
            elif not text.endswith("\n"):
                ledger.write("\n")  # after an incomplete line, which a killed program left
            yield (
                ledger,
                {line["path"]: _Entry(line["uri"], line["etag"], line["sizes"]) for line in lines if line is not None},
            )
    except BlockingIOError as error:
        raise StateError("folder", str(root), "in-use", "is being written by another download") from error


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None  # empty or incomplete
    return found if isinstance(found, dict) else None


class Folder:
    """
    The contents of a folder. Every file is written as a draft and then renamed, so that none is ever incomplete.

    Attributes:
        root: The folder.
        fetched: The number of objects downloaded.
        fetched_bytes: Their total size.
    """

    def __init__(self, root: Path, ledger: TextIO, entries: dict[str, _Entry]) -> None:
        self.root = root
        self.fetched = self.fetched_bytes = 0
        self._ledger = ledger
        self._entries = entries
        self._used: set[str] = set()

    def fetch(self, account: Account, found: StoredObject, path: str, *, unpacked: bool = False) -> int:
        """Download an object to *path*, unless it was downloaded before, and return its size; *unpacked* unpacks it."""
        self._used.add(path)
        entry = self._entries.get(path)
        if entry is None or (entry.uri, entry.etag) != (found.uri, found.etag) or not self._is_complete(path, entry):
            draft = self.draft()
            download_object(account, found.uri, draft)
            if unpacked:
                draft = self._unpacked(draft, found.uri)
            self.fetched += 1
            self.fetched_bytes += found.size
            entry = self._put(draft, path, found.uri, found.etag)
        return sum(entry.sizes.values())

    def _is_complete(self, path: str, entry: _Entry) -> bool:
        target = self._target(path)
        return target.exists() and _sizes(target) == entry.sizes

    def _unpacked(self, archive: Path, uri: str) -> Path:
        """Unpack an archive to a new draft, and delete the archive."""
        draft = self.draft()
        try:
            unpack(archive, draft)
        except NoRoomError as error:
            raise StateError("folder", str(self.root), "unwritable", f"cannot be written: {error.reason}") from error
        except ArchiveError as error:
            raise StateError("archive", uri, "damaged", f"cannot be unpacked: {error.reason}") from error
        archive.unlink()
        return draft

    def write(self, path: str, fill: Callable[[TextIO], object]) -> int:
        """Write a text file; return its size."""
        draft = self.draft()
        with draft.open("w", encoding="utf-8", newline="") as file:
            fill(file)
        return self.put(draft, path)

    def put(self, draft: Path, path: str) -> int:
        """Move a draft to *path*, replacing what is there; return its size."""
        return sum(self._put(draft, path, "", "").sizes.values())

    def draft(self) -> Path:
        """Return a new path on the same file system; what is left there at the end is deleted."""
        folder = self.root / _DRAFTS
        folder.mkdir(exist_ok=True)
        return folder / uuid.uuid4().hex

    def size_of(self, path: str) -> int | None:
        """Return the size of the files at *path*; None if nothing is there."""
        target = self._target(path)
        return sum(_sizes(target).values()) if target.exists() else None

    def prune(self) -> None:
        """Delete what earlier downloads wrote to paths that this one did not use."""
        for path in self._entries.keys() - self._used:
            if self._used.isdisjoint(map(str, PurePosixPath(path).parents)):  # or it was replaced with its folder
                delete(self._target(path))
            del self._entries[path]

    def forget(self, path: str) -> None:
        """Delete one file, so that the folder does not count as complete."""
        self._target(path).unlink(missing_ok=True)

    def delete_drafts(self) -> None:
        """Delete all drafts."""
        delete(self.root / _DRAFTS)

    def _put(self, draft: Path, path: str, uri: str, etag: str) -> _Entry:
        target, entry = self._target(path), _Entry(uri, etag, _sizes(draft))
        self._used.add(path)
        self._make_way(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        if (target.is_dir() and not target.is_symlink()) or (draft.is_dir() and target.exists()):
            os.replace(target, self.draft())
        os.replace(draft, target)
        self._ledger.write(json.dumps({"path": path, **attrs.asdict(entry)}) + "\n")
        self._ledger.flush()
        self._entries[path] = entry
        return entry

    def _make_way(self, path: str) -> None:
        """Delete an entry of an earlier download where a folder is needed now."""
        for parent in map(str, list(PurePosixPath(path).parents)[:-1]):
            if parent in self._entries and parent not in self._used:
                delete(self._target(parent))
                del self._entries[parent]

    def _target(self, path: str) -> Path:
        """Return the location of a path; a symbolic link on the way could lead out of the folder."""
        target = self.root / path
        for parent in target.parents:
            if parent == self.root:
                break
            if parent.is_symlink():
                raise ConfigError(
                    f"{str(parent)!r} is a symbolic link; a download writes only below {str(self.root)!r}."
                )
        return target


def _sizes(path: Path) -> dict[str, int]:
    """Return the sizes of the files at or below a path."""
    files = [path] if path.is_file() else files_below(path)
    return {file.relative_to(path).as_posix(): file.lstat().st_size for file in files}


_MAX_NAME_BYTES = 200  # file systems allow 255 bytes
_SAFE_CHARS = " !#$&'()+,;=@[]^`{}~"


def safe_name(name: str) -> str:
    """
    Return a name that every file system allows: other characters are percent-encoded, and an empty name becomes ``%``.

    Example:
        >>> safe_name("why?.csv"), safe_name(".."), safe_name("")
        ('why%3F.csv', '%2E%2E', '%')
    """
    if name.strip(".") == "":
        return "%2E" * len(name) or "%"
    safe = "".join(char if char.isalnum() or char in _SAFE_CHARS else quote(char, safe="") for char in name)
    if len(safe.encode()) <= _MAX_NAME_BYTES:
        return safe
    digest = hashlib.sha256(name.encode()).hexdigest()[:12]
    return f"{safe.encode()[: _MAX_NAME_BYTES - 40].decode(errors='ignore')}-{digest}{PurePosixPath(name).suffix[:20]}"


class KeyPaths:
    """The S3 keys below one prefix as distinct relative paths that never leave a folder."""

    def __init__(self) -> None:
        self._files: set[str] = set()

    def path_of(self, key: str) -> str:
        """
        Return the path of a key. Keys must come in S3's order; in S3, one key can be a file and a folder at once.

        Example:
            >>> paths = KeyPaths()
            >>> [paths.path_of(key) for key in ("../up", "a", "a/b", "rows//1", "rows/1")]
            ['%2E%2E/up', 'a', 'a%/b', 'rows/%/1', 'rows/1']
        """
        *folders, name = map(safe_name, key.split("/"))
        path = ""
        for folder in folders:
            path += f"{folder}%/" if f"{path}{folder}" in self._files else f"{folder}/"
        self._files.add(f"{path}{name}")
        return f"{path}{name}"


class FileNames:
    """The names in one folder, distinct even where case is ignored."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def unique(self, name: str) -> str:
        """
        Return a file name for *name* that was not returned before.

        Example:
            >>> names = FileNames()
            >>> names.unique("rows.csv"), names.unique("ROWS.csv"), names.unique("a/b")
            ('rows.csv', 'ROWS-2.csv', 'a%2Fb')
        """
        found, number = PurePosixPath(safe_name(name)), 1
        stem = found.stem
        while found.name.casefold() in self._taken:
            number += 1
            found = found.with_stem(f"{stem}-{number}")
        self._taken.add(found.name.casefold())
        return found.name
