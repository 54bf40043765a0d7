"""A consistent copy of the whole state while programs continue to write."""

import os
import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from mnist_tracking._values.files import atomic_path, delete, hold_lock, locked
from mnist_tracking.embedded.store.contents import ContentError, check_content
from mnist_tracking.embedded.store.database import Store
from mnist_tracking.embedded.store.filesystem import is_storage_error
from mnist_tracking.embedded.store.objects import StoredContent, stored_contents
from mnist_tracking.errors import ConfigError

_HELD = ".backup"
_LOCK = "locks/backup"


def back_up(store: Store, directory: Path) -> None:
    """
    Copy the state to a new folder, which appears when it is complete.

    Writers wait while the database is copied and the contents are linked, but not while the contents are copied. What a
    killed backup to the same folder left behind is deleted.

    Raises:
        ConfigError: If *directory* exists already, or it cannot be written, or a content is lost or altered.
    """
    try:
        with _exclusive_folder(store.home) as held:
            if directory.exists():
                raise ConfigError(f"{str(directory)!r} exists already. A backup needs a new folder.")
            _delete_drafts(directory)
            with atomic_path(directory) as part:
                for folder in (part, part / "locks"):
                    folder.mkdir(mode=0o700)
                with hold_lock(part / _LOCK):
                    for content in _link_contents(store, part / store.path.name, held):
                        _copy(store, content, held, part)
    except ContentError as error:
        raise ConfigError(f"The backup {str(directory)!r} cannot be written: {error}") from error
    except (OSError, sqlite3.Error) as error:
        if isinstance(error, sqlite3.Error) and not is_storage_error(error):
            raise
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"The backup {str(directory)!r} cannot be written: {reason}.") from error


@contextmanager
def _exclusive_folder(home: Path) -> Iterator[Path]:
    """Yield an empty folder beside the contents, to one backup at a time; a killed one may have left its folder."""
    folder = home / _HELD
    with locked(home / _LOCK):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def delete_links(home: Path) -> None:
    """Delete what a killed backup left in its home."""
    if (home / _HELD).exists():
        with suppress(BlockingIOError), locked(home / _LOCK, wait=False):
            delete(home / _HELD)


def _delete_drafts(directory: Path) -> None:
    """Delete unfinished copies that nobody writes any more; their names are `atomic_path`'s, with a random part."""
    pattern = re.compile(rf"\.{re.escape(directory.name[:64])}\.[0-9a-f]{{32}}\.part")
    for draft in directory.parent.iterdir() if directory.parent.is_dir() else ():
        if not pattern.fullmatch(draft.name):
            continue
        if (draft / _LOCK).is_file():
            with suppress(BlockingIOError), locked(draft / _LOCK, wait=False):
                delete(draft)
        else:
            with suppress(OSError):  # it is not empty, and so not ours
                (draft / _LOCK).parent.rmdir()
            with suppress(OSError):
                draft.rmdir()


def _link_contents(store: Store, file: Path, held: Path) -> list[StoredContent]:
    """Copy the database and link the contents that it refers to, as of one moment; return those."""
    file.touch(mode=0o600)
    with store.write(), closing(sqlite3.connect(file)) as copy:
        with closing(sqlite3.connect(store.path)) as source:
            source.backup(copy)
        copy.row_factory = sqlite3.Row
        contents = stored_contents(copy)
        for content in contents:
            _link(store.blobs.path(content.blob), held / content.blob)
    return contents


def _link(content: Path, name: Path) -> None:
    """Link a content, which never changes, under a second name, so that it survives the deletion of the first."""
    try:
        os.link(content, name)
    except FileNotFoundError:
        raise ContentError(content, "is missing") from None
    except OSError:  # a file system without hard links
        shutil.copyfile(content, name)


def _copy(store: Store, content: StoredContent, held: Path, part: Path) -> None:
    """Copy a content, and check the copy."""
    source = store.blobs.path(content.blob)
    target = part / source.relative_to(store.home)
    for folder in reversed(target.parents[: len(source.relative_to(store.home).parents) - 1]):
        folder.mkdir(mode=0o700, exist_ok=True)
    target.touch(mode=0o600)
    shutil.copyfile(held / content.blob, target)
    check_content(target, content.size, content.md5, as_path=source)
