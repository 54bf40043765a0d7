"""How durable a store is holds for its jobs and endpoints too: their supervisors are processes of their own."""

from pathlib import Path

import pytest
from tests.support.hosting_account import HostingAccount
from tests.support.training_account import TrainingAccount

from mnist_tracking.embedded.engine import EmbeddedSageMaker

WATCHES = """
import sqlite3, sys
connect = sqlite3.connect
def watched(*args, **kwargs):
    connection = connect(*args, **kwargs)
    connection.set_trace_callback(note)
    return connection
def note(statement):
    if statement.startswith("PRAGMA synchronous"):
        with open({told!r}, "a") as file:
            file.write(sys.orig_argv[3] + " " + statement + "\\n")
sqlite3.connect = watched
"""


def test_durability_is_passed_to_supervisors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = tmp_path / "told"
    (tmp_path / "sitecustomize.py").write_text(WATCHES.format(told=str(told)))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    engine = EmbeddedSageMaker(tmp_path / "home", durability="full")
    TrainingAccount(engine).run()
    endpoints = HostingAccount(engine)
    endpoints.deploy()
    endpoints.delete_all()
    engine.close()

    assert set(told.read_text().splitlines()) == {
        f"mnist_tracking.embedded.{kind}.supervisor PRAGMA synchronous = FULL" for kind in ("jobs", "hosting")
    }
