"""
Numbered migrations: the SQL files of this folder, in order of their numbers.

Each runs in the same transaction as the record that it ran, so that a store is never between two versions. A migration
that has landed is never edited; a change is a new file.
"""

import sqlite3
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from mnist_tracking.errors import ConfigError


def is_current(connection: sqlite3.Connection) -> bool:
    """
    Whether a store is up to date.

    Raises:
        ConfigError: If the store was created by a newer version of this library.
    """
    version, newest = _version(connection), max(_scripts())
    if version > newest:
        raise ConfigError(
            f"The store has version {version}, this mnist-tracking supports {newest}. Update mnist-tracking."
        )
    return version == newest


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a store up to date in the caller's transaction. Safe to call more than once."""
    if is_current(connection):
        return  # another process was first
    version = _version(connection)
    for number, statements in sorted(_scripts().items()):
        if number > version:
            for statement in statements:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number}")


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


@cache  # they are read for every store that is opened
def _scripts() -> dict[int, list[str]]:
    return {
        int(path.name.split("_")[0]): list(_statements(path.read_text(encoding="utf-8")))
        for path in Path(__file__).parent.glob("*.sql")
    }


def _statements(script: str) -> Iterator[str]:
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
