"""A copy of everything while programs go on writing: one moment of the file, and the contents that it names."""

import os
import shutil
import sqlite3
import uuid
from contextlib import closing
from pathlib import Path

from mnist_tracking.embedded.store.store import Store
from mnist_tracking.errors import ConfigError

_CONTENTS = "SELECT blob FROM objects UNION SELECT blob FROM upload_parts"


def back_up(store: Store, directory: Path) -> None:
    """
    Copy the state to a new folder, which appears when it is whole.

    Nobody writes while the file is copied and its contents are linked; while these are copied, everybody does again.

    Raises:
        ConfigError: If there is something at *directory* already, or it cannot be written.
    """
    if directory.exists():
        raise ConfigError(f"{str(directory)!r} exists already. A backup makes a new folder.")
    held = store.home / f".backup-{uuid.uuid4().hex}"
    part = directory.with_name(f"{directory.name}.partial-{uuid.uuid4().hex[:8]}")
    try:
        part.mkdir(parents=True)
        held.mkdir()
        with store.write(), closing(sqlite3.connect(part / store.path.name)) as copy:
            with closing(sqlite3.connect(store.path)) as source:
                source.backup(copy)
            names = [str(blob) for (blob,) in copy.execute(_CONTENTS)]
            for name in names:
                _link(store.blobs.path(name), held / name)
        for name in names:
            target = part / store.blobs.path(name).relative_to(store.home)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(held / name, target)
        os.rename(part, directory)
    except OSError as error:
        raise ConfigError(f"The backup {str(directory)!r} cannot be written: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(held, ignore_errors=True)
        shutil.rmtree(part, ignore_errors=True)


def _link(content: Path, name: Path) -> None:
    """Give a content, which is never changed, a second name, so that deleting the first does not touch it."""
    try:
        os.link(content, name)
    except OSError:  # a file system without such links
        shutil.copyfile(content, name)
