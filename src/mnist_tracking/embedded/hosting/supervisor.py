"""
The process that keeps one endpoint up. Outlives whoever asked for the endpoint.

``python -m mnist_tracking.embedded.hosting.supervisor HOME ENDPOINT LOCK_FD``
"""

import contextlib
import json
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import deque
from pathlib import Path
from typing import Any

from mnist_tracking.embedded.archives import unpack
from mnist_tracking.embedded.hosting import state
from mnist_tracking.embedded.jobs.environment import clean_environment
from mnist_tracking.embedded.jobs.layout import split_uri
from mnist_tracking.embedded.store import Store
from mnist_tracking.embedded.store.objects import get_object

_SERVER = Path(__file__).with_name("server.py")
_LOOK_S = 0.02
_TAIL = 15


class Stopped(BaseException):
    """The supervisor was asked to stop."""


class Supervisor:
    """Keeps one endpoint up until it is asked to stop."""

    def __init__(self, store: Store, name: str) -> None:
        self._store = store
        self._name = name
        self._folder = state.folder_of(store, name)
        self._tail: deque[str] = deque(maxlen=_TAIL)
        with store.read() as connection:
            self._endpoint_id, self._model, self._python = _model_of(connection, name)

    def run(self) -> None:
        """Serve until told to stop, or until the server dies."""
        signal.signal(signal.SIGTERM, _raise_stopped)
        server = None
        try:
            server = self._start()
            self._serve(server)
        except Stopped:
            pass
        except (OSError, ValueError) as error:
            self._fail(f"{type(error).__name__}: {error}")
        finally:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            _end(server)

    def _start(self) -> "subprocess.Popen[bytes]":
        container = self._model["PrimaryContainer"]
        model_dir = self._folder / "model"
        self._unpack(container.get("ModelDataUrl"), model_dir)
        env = {**clean_environment(), **container.get("Environment", {}), "SAGEMAKER_BASE_DIR": str(self._folder)}
        return subprocess.Popen(
            [self._python, str(_SERVER), str(model_dir), str(self._folder / "port")],
            cwd=model_dir,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def _unpack(self, uri: str | None, model_dir: Path) -> None:
        model_dir.mkdir(parents=True, exist_ok=True)
        if uri is None:
            return
        found = get_object(self._store, *split_uri(uri))
        if found is None:
            raise ValueError(f"Could not find model data at {uri}.")
        unpack(found.path, model_dir)

    def _serve(self, server: "subprocess.Popen[bytes]") -> None:
        reader = threading.Thread(target=self._log, args=(server.stdout,), daemon=True)
        reader.start()
        port_file = self._folder / "port"
        while server.poll() is None and not port_file.exists():
            time.sleep(_LOOK_S)
        if port_file.exists():
            port = int(port_file.read_text())
            state.set_status(self._store, self._endpoint_id, "InService", time.time(), port=port)
        server.wait()
        reader.join(timeout=5)
        self._fail(f"The model server ended with status {server.returncode}.\n" + "\n".join(self._tail))

    def _log(self, stream: Any) -> None:
        log_stream = f"AllTraffic/{self._endpoint_id}"
        for raw in stream:
            line = raw.decode("utf-8", "replace").rstrip()
            self._tail.append(line)
            with self._store.write() as connection:
                connection.execute(
                    "INSERT INTO log_events (log_group, stream, timestamp, message) VALUES (?, ?, ?, ?)",
                    (state.log_group(self._name), log_stream, time.time(), line),
                )

    def _fail(self, reason: str) -> None:
        state.set_status(self._store, self._endpoint_id, "Failed", time.time(), reason=reason[-1024:])


def _model_of(connection: sqlite3.Connection, name: str) -> tuple[int, dict[str, Any], str]:
    row = connection.execute(
        """
        SELECT e.id, m.request, m.python FROM endpoints e
        JOIN endpoint_configs c ON c.name = e.config_name
        JOIN models m ON m.name = json_extract(c.request, '$.ProductionVariants[0].ModelName')
        WHERE e.name = ?
        """,
        (name,),
    ).fetchone()
    return int(row["id"]), json.loads(row["request"]), str(row["python"])


def _raise_stopped(_number: int, _frame: object) -> None:
    raise Stopped


def _end(server: "subprocess.Popen[bytes] | None") -> None:
    if server is None:
        return
    server.terminate()
    try:
        server.wait(timeout=2)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def main(argv: list[str]) -> None:
    """Keep one endpoint up; the lock that was handed down is held until this process ends."""
    home, name, _lock = argv
    store = Store(Path(home))
    Supervisor(store, name).run()
    store.close()
    with contextlib.suppress(OSError):
        shutil.rmtree(state.folder_of(store, name) / "model")


if __name__ == "__main__":
    main(sys.argv[1:])
