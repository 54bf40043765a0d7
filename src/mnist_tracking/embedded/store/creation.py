"""What a home must be before it is used: whose it is, who may read it, and that its database is its own."""

import os
import sqlite3
import stat
from pathlib import Path

from mnist_tracking.errors import ConfigError

APPLICATION_ID = 0x4D745361
"""Marks a database as a store (https://sqlite.org/pragma.html#pragma_application_id)."""

_CONTENTS = ("s3", "jobs", "endpoints")


def open_home(home: Path) -> None:
    """
    Create a home if it is missing, for its user alone; take the permissions of others from an existing one.

    Raises:
        ConfigError: If it cannot be created or written, or belongs to another user.
    """
    try:
        home.parent.mkdir(parents=True, exist_ok=True)
        home.mkdir(mode=0o700, exist_ok=True)
        found = home.stat()
    except FileExistsError as error:
        raise ConfigError(
            f"home {str(home)!r} cannot be created: {str(error.filename)!r} is not a folder. Choose another home."
        ) from error
    except OSError as error:
        raise ConfigError(
            f"home {str(home)!r} cannot be created: {error.strerror}. Choose a writable folder."
        ) from error
    if os.geteuid() not in (0, found.st_uid):
        raise ConfigError(f"home {str(home)!r} belongs to another user. Choose a folder of your own.")
    if not os.access(home, os.W_OK | os.X_OK):
        raise ConfigError(f"home {str(home)!r} is not writable. Choose a writable folder.")
    if stat.S_IMODE(found.st_mode) & 0o077:
        home.chmod(stat.S_IMODE(found.st_mode) & ~0o077)


def create_database(home: Path, path: Path) -> None:
    """
    Create an empty database if it is missing. The caller holds the lock for writing.

    Raises:
        ConfigError: If it is missing or empty although the home has contents.
    """
    if path.exists() and path.stat().st_size:
        return
    _check_is_new(home)
    path.touch(mode=0o600)  # SQLite gives its other files the same permissions
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")
    finally:
        connection.close()


def check_origin(connection: sqlite3.Connection, home: Path) -> None:
    """
    Check that a database is a store, of any version, or empty in a home without contents.

    Raises:
        ConfigError: If it is not.
    """
    application, version = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")
    )
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if application not in (0, APPLICATION_ID) or (tables and not version):
        raise ConfigError(f"{str(home / 'sagemaker.db')!r} is the database of another program. Choose another folder.")
    if not tables:
        _check_is_new(home)


def _check_is_new(home: Path) -> None:
    for name in _CONTENTS:
        for path in (home / name).rglob("*"):
            if path.is_file() and path.stat().st_size:
                raise ConfigError(
                    f"The database of the home {str(home)!r} is missing or empty, but {str(path)!r} is still there. "
                    "Restore the database from a copy, or choose another folder."
                )
