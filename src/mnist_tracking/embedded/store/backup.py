"""A consistent copy of the whole state while programs continue to write."""

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from mnist_tracking._values.files import atomic_path, locked
from mnist_tracking.embedded.store.database import Store
from mnist_tracking.embedded.store.filesystem import is_storage_error
from mnist_tracking.errors import ConfigError

_HELD = ".backup"
_CONTENTS = "SELECT blob FROM objects UNION SELECT blob FROM upload_parts"


def back_up(store: Store, directory: Path) -> None:
    """
    Copy the state to a new folder, which appears when it is complete.

    Writers wait while the database is copied and the contents are linked, but not while the contents are copied.

    Raises:
        ConfigError: If *directory* exists already, or it cannot be written.
    """
    try:
        with _exclusive_folder(store.home) as held:
            if directory.exists():
                raise ConfigError(f"{str(directory)!r} exists already. A backup needs a new folder.")
            with atomic_path(directory) as part:
                part.mkdir(mode=0o700)
                for name in _link_contents(store, part / store.path.name, held):
                    target = part / store.blobs.path(name).relative_to(store.home)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(held / name, target)
    except (OSError, sqlite3.Error) as error:
        if isinstance(error, sqlite3.Error) and not is_storage_error(error):
            raise
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"The backup {str(directory)!r} cannot be written: {reason}.") from error


@contextmanager
def _exclusive_folder(home: Path) -> Iterator[Path]:
    """Yield an empty folder beside the contents, to one backup at a time; a killed one may have left its folder."""
    folder = home / _HELD
    with locked(home / "locks" / "backup"):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _link_contents(store: Store, file: Path, held: Path) -> list[str]:
    """Copy the database and link the contents that it refers to, as of one moment; return their names."""
    with store.write(), closing(sqlite3.connect(file)) as copy:
        with closing(sqlite3.connect(store.path)) as source:
            source.backup(copy)
        names = [str(blob) for (blob,) in copy.execute(_CONTENTS)]
        for name in names:
            _link(store.blobs.path(name), held / name)
    return names


def _link(content: Path, name: Path) -> None:
    """Link a content, which never changes, under a second name, so that it survives the deletion of the first."""
    try:
        os.link(content, name)
    except OSError:  # a file system without hard links
        shutil.copyfile(content, name)
