"""A copy of everything while programs go on writing: one moment of the file, and the contents that it names."""

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
    Copy the state to a new folder, which appears when it is whole.

    Nobody writes while the file is copied and its contents are linked; while these are copied, everybody does again.

    Raises:
        ConfigError: If there is something at *directory* already, or it cannot be written.
    """
    try:
        with _folder_for_one(store.home) as held:
            if directory.exists():
                raise ConfigError(f"{str(directory)!r} exists already. A backup makes a new folder.")
            with atomic_path(directory) as part:
                part.mkdir()
                for name in _hold_contents(store, part / store.path.name, held):
                    target = part / store.blobs.path(name).relative_to(store.home)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(held / name, target)
    except (OSError, sqlite3.Error) as error:
        if isinstance(error, sqlite3.Error) and not is_storage_error(error):
            raise
        said = getattr(error, "strerror", None) or error
        raise ConfigError(f"The backup {str(directory)!r} cannot be written: {said}.") from error


@contextmanager
def _folder_for_one(home: Path) -> Iterator[Path]:
    """Give an empty folder beside the contents to one backup after another; one that was killed has left its own."""
    folder = home / _HELD
    with locked(home):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _hold_contents(store: Store, file: Path, held: Path) -> list[str]:
    """Copy the state's file, and hold the contents that it names, as of one moment; return their names."""
    with store.write(), closing(sqlite3.connect(file)) as copy:
        with closing(sqlite3.connect(store.path)) as source:
            source.backup(copy)
        names = [str(blob) for (blob,) in copy.execute(_CONTENTS)]
        for name in names:
            _link(store.blobs.path(name), held / name)
    return names


def _link(content: Path, name: Path) -> None:
    """Give a content, which is never changed, a second name, so that deleting the first does not touch it."""
    try:
        os.link(content, name)
    except OSError:  # a file system without such links
        shutil.copyfile(content, name)
