"""Stop an operation at each place where it changes something: in a forked process, by SIGKILL or by an exception."""

import os
import signal
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

Way = Literal["kill", "interrupt"]
_CHANGES = {"os.mkdir", "os.rename", "os.link", "os.remove", "os.rmdir", "os.chmod", "shutil.rmtree"}
_ANYWHERE = {"subprocess.Popen", "os.kill"}
_COMPLETED, _INTERRUPTED, _RAISED = b".", b"i", b"x"
_TRANSACTIONS = ("BEGIN", "COMMIT", "ROLLBACK")


class Interrupted(BaseException):
    """What a signal's handler raises."""


@contextmanager
def stopped(operation: Callable[[], object], home: Path, number: int, way: Way) -> Iterator[bool]:
    """
    Run an operation in a forked process, stopped at the place of that number; yield whether it had so many places.

    Places are before each transaction, before and after its commit, and before each change of the home,
    signal and new process. In the block, the process is dead ("kill"), or has caught the exception and lives on
    ("interrupt").
    """
    (ends, release), (reports, report) = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        os.close(release)
        os.close(reports)
        _run(operation, home, number, way, ends, report)
    os.close(ends)
    os.close(report)
    try:
        status = os.read(reports, 1)  # nothing, if it was killed
        assert status != _RAISED, "the operation failed by itself"
        yield status != _COMPLETED
    finally:
        os.close(release)
        os.close(reports)
        os.waitpid(child, 0)


def _run(operation: Callable[[], object], home: Path, number: int, way: Way, ends: int, report: int) -> None:
    """Run the operation; never return."""
    status = _COMPLETED
    try:
        _stop_at(home, number, way)
        operation()
    except Interrupted:
        status = _INTERRUPTED
    except BaseException as error:  # noqa: BLE001 - reported
        os.write(2, f"{error!r}\n".encode())
        status = _RAISED
    finally:
        os.write(report, status)
        os.read(ends, 1)
        os._exit(0)


class _Stop:
    """Stops this process at one place, once."""

    def __init__(self, home: Path, number: int, way: Way) -> None:
        self._home, self._left, self._way = str(home), number, way

    def arrive(self) -> None:
        """Count a place."""
        self._left -= 1
        if self._left == -1:
            if self._way == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            raise Interrupted

    def on_event(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Look at one of Python's audit events."""
        if self._left >= 0 and (event in _ANYWHERE or self._is_change(event, arguments)):
            self.arrive()

    def _is_change(self, event: str, arguments: tuple[Any, ...]) -> bool:
        if event != "open" and event not in _CHANGES:
            return False
        path = os.fsdecode(arguments[0]) if isinstance(arguments[0], str | bytes | os.PathLike) else ""
        return path.startswith(self._home) and (event != "open" or bool(arguments[2] & (os.O_WRONLY | os.O_RDWR)))


def _stop_at(home: Path, number: int, way: Way) -> None:
    stop = _Stop(home, number, way)

    class Connection(sqlite3.Connection):
        def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
            if sql.startswith(_TRANSACTIONS):
                stop.arrive()
            cursor = super().execute(sql, *values)
            if sql == "COMMIT":
                stop.arrive()
            return cursor

    connect = sqlite3.connect
    sqlite3.connect = lambda *args, **more: connect(*args, **{"factory": Connection, **more})
    sys.addaudithook(stop.on_event)
