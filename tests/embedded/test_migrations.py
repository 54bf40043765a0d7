import sqlite3
from importlib import resources
from pathlib import Path

import pytest

from mnist_tracking.embedded.store import Store, migrations
from mnist_tracking.errors import ConfigError


def version(store: Store) -> int:
    """The store's version."""
    with store.read() as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


def test_migrations_are_numbered_without_gaps() -> None:
    """A number is the number of earlier migrations plus one."""
    files = [entry.name for entry in resources.files(migrations).iterdir() if entry.name.endswith(".sql")]

    assert sorted(int(name.split("_")[0]) for name in files) == list(range(1, len(files) + 1))


def test_new_store_has_the_newest_version(tmp_path: Path) -> None:
    """All migrations run, once."""
    for _ in range(2):
        store = Store(tmp_path)
        files = [entry for entry in resources.files(migrations).iterdir() if entry.name.endswith(".sql")]
        assert version(store) == len(files)
        store.close()


def test_newer_store_is_rejected_and_kept(tmp_path: Path) -> None:
    """A store of a later mnist-tracking is not changed."""
    Store(tmp_path).close()
    connection = sqlite3.connect(tmp_path / "sagemaker.db")
    connection.execute("PRAGMA user_version = 999")
    connection.close()
    with pytest.raises(ConfigError, match=r"has version 999, .*Update mnist-tracking"):
        Store(tmp_path)

    connection = sqlite3.connect(tmp_path / "sagemaker.db")
    assert connection.execute("PRAGMA user_version").fetchone()[0] == 999
    connection.close()


def test_old_store_is_brought_up_to_date_with_its_contents(tmp_path: Path) -> None:
    """A store that only ever saw the first migration keeps its rows."""
    script = resources.files(migrations).joinpath("0001_experiments.sql").read_text()
    connection = sqlite3.connect(tmp_path / "sagemaker.db")
    connection.executescript(script)
    connection.execute("INSERT INTO tags VALUES ('a', 'k', 'v')")
    connection.execute("PRAGMA user_version = 1")
    connection.commit()
    connection.close()
    store = Store(tmp_path)

    with store.read() as connection:
        assert [tuple(row) for row in connection.execute("SELECT * FROM tags")] == [("a", "k", "v")]
        connection.execute("SELECT * FROM training_jobs")
    assert version(store) > 1
    store.close()


def test_failed_migration_is_rolled_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A migration and the record that it ran are one transaction."""
    monkeypatch.setattr(migrations, "_scripts", lambda: {1: ["CREATE TABLE a (x);"] * 2})
    with pytest.raises(ConfigError, match="already exists"):
        Store(tmp_path)

    connection = sqlite3.connect(tmp_path / "sagemaker.db")
    assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
    assert connection.execute("PRAGMA user_version").fetchone()[0] == 0
    connection.close()
