"""
The process that runs one endpoint. It outlives the process that created the endpoint.

``python -m mnist_tracking.embedded.hosting.supervisor HOME ENDPOINT LOCK_FD``; settings are in the endpoint's folder.
"""

import contextlib
import http.client
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from mnist_tracking._values.archives import unpack
from mnist_tracking.embedded.hosting import state
from mnist_tracking.embedded.jobs.container import clean_environment
from mnist_tracking.embedded.store import Store
from mnist_tracking.embedded.supervision import SupervisorSettings

_SERVER = Path(__file__).with_name("server.py")
_OPT_ML = "/opt/ml"
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "CUDA_VISIBLE_DEVICES")
_CHUNK = 1 << 16
_REASON_LENGTH = 1024
_NOT_HEALTHY = (
    "The primary container for production variant {} did not pass the ping health check. "
    "Please check CloudWatch logs for this endpoint. "
)
_NOT_INSTALLED = b"requirements.txt is not installed; the model uses its Python environment as it is.\n"


class Stopped(BaseException):
    """The supervisor was terminated."""


class EndpointError(Exception):
    """The endpoint fails; the message is its FailureReason."""


class Server:
    """The server process, its output, and the channel on which it reports its port."""

    def __init__(self, argv: list[str], *, cwd: Path, env: dict[str, str], variant: str, stop_s: float) -> None:
        self._stop_s = stop_s
        self.channel, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(
                [*argv, str(theirs.fileno()), variant],
                cwd=cwd,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(theirs.fileno(),),
                process_group=0,
            )
        assert self.process.stdout is not None  # noqa: S101 - it is a pipe
        self.output = self.process.stdout

    def describe_end(self) -> str:
        """Wait for the end of the process and describe it."""
        status = self.process.wait()
        return f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"

    def end(self) -> Iterator[bytes]:
        """End the process and its children; yield their remaining output."""
        with contextlib.suppress(ProcessLookupError):
            self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=self._stop_s)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.set_blocking(self.output.fileno(), False)
        with contextlib.suppress(BlockingIOError):  # a process that left the group may keep the pipe open
            while chunk := os.read(self.output.fileno(), _CHUNK):
                yield chunk
        self.output.close()
        self.channel.close()


class EndpointSupervisor:
    """Runs one endpoint until it is terminated, its server ends or its folder is deleted."""

    def __init__(self, store: Store, name: str, settings: SupervisorSettings) -> None:
        self._store, self._name, self._settings, self._timing = store, name, settings, settings.timing
        self._folder = state.endpoint_folder(store.home, name)
        self._spec: dict[str, Any] = json.loads((self._folder / "endpoint.json").read_text())
        self._last_line = ""
        self._partial = b""
        self._is_in_service = False
        with store.write() as connection:
            connection.execute("UPDATE endpoints SET supervisor_pid = ? WHERE name = ?", (os.getpid(), name))
            row = state.read_endpoint(connection, name)
        if row is None:
            raise Stopped
        self._endpoint_id = int(row["id"])

    def run(self) -> None:
        """Serve until this process is terminated or the server ends."""
        server = None
        try:
            self._unpack()
            server = self._start()
            self._follow(server)
            raise EndpointError(self._reason(f"The model server {server.describe_end()}."))
        except (EndpointError, OSError, ValueError) as error:
            reason = str(error)
            state.set_status(self._store, self._endpoint_id, "Failed", time.time(), reason=reason[:_REASON_LENGTH])
        finally:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            if server is not None:
                for chunk in server.end():
                    self._log(chunk)
                self._log(b"")

    def _unpack(self) -> None:
        for archive, folder in (("model.tar.gz", "model"), ("code.tar.gz", "code")):
            (self._folder / "ml" / folder).mkdir(parents=True, exist_ok=True)
            if (self._folder / archive).exists():
                unpack(
                    self._folder / archive,
                    self._folder / "ml" / folder,
                    reserve_bytes=self._settings.disk_reserve_bytes,
                )
                (self._folder / archive).unlink()

    def _start(self) -> Server:
        model, environment = self._folder / "ml" / "model", self._environment()
        if Path(environment["SAGEMAKER_SUBMIT_DIRECTORY"], "requirements.txt").is_file():
            self._log(_NOT_INSTALLED)
        argv = [self._spec["python"], str(_SERVER), str(model)]
        stop_s = self._timing.server_stop_s
        return Server(argv, cwd=model, env=environment, variant=self._spec["variant"], stop_s=stop_s)

    def _environment(self) -> dict[str, str]:
        base, user, region = self._folder / "ml", self._spec["environment"], self._settings.region
        code = user.get("SAGEMAKER_SUBMIT_DIRECTORY", f"{_OPT_ML}/model/code")
        code = f"{_OPT_ML}/code" if code.startswith("s3://") else code
        platform = {
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        ours = {
            "SAGEMAKER_BASE_DIR": str(base),
            "SAGEMAKER_SUBMIT_DIRECTORY": str(base) + code.removeprefix(_OPT_ML),
            "SM_MODEL_DIR": str(base / "model"),
        }
        threads = {name: os.environ[name] for name in _THREADS if name in os.environ}
        return {**clean_environment(), **threads, **platform, **user, **ours}

    def _follow(self, server: Server) -> None:
        """Log the output of the server until it ends."""
        deadline = time.monotonic() + self._spec["startup_timeout_s"]
        handlers: dict[Any, Callable[[], bool]] = {
            server.output: lambda: self._pass_on(server.output.fileno()),
            server.channel: lambda: self._on_port(server.channel.recv(16)),
        }
        with selectors.DefaultSelector() as selector:
            for source in handlers:
                selector.register(source, selectors.EVENT_READ)
            while server.output in selector.get_map():
                ready = selector.select(self._timing.output_poll_s)
                for key, _ in ready:
                    if not handlers[key.fileobj]():
                        selector.unregister(key.fileobj)
                if not ready and server.process.poll() is not None:
                    return  # it has ended, and a child of its own keeps the pipe open
                self._check(deadline)

    def _check(self, deadline: float) -> None:
        if not self._folder.exists():
            raise Stopped  # the home, and with it the endpoint, has been deleted
        if not self._is_in_service and time.monotonic() > deadline:
            raise EndpointError(self._reason("It took too long to start."))

    def _on_port(self, message: bytes) -> bool:
        if not message:
            return False
        port = int(message)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=self._timing.ping_timeout_s)
        try:
            with contextlib.closing(connection):
                connection.request("GET", "/ping")
                connection.getresponse()
        except (OSError, http.client.HTTPException):
            return False  # it is ending already, and so is its output
        state.set_status(self._store, self._endpoint_id, "InService", time.time(), port=port)
        self._is_in_service = True
        return True

    def _pass_on(self, output: int) -> bool:
        """Log new output. SIGTERM is blocked meanwhile, so that no output is lost once it is read."""
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        try:
            chunk = os.read(output, _CHUNK)
            self._log(chunk)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        return bool(chunk)

    def _log(self, chunk: bytes) -> None:
        """Write complete lines to the endpoint's log; an empty chunk ends it."""
        *lines, self._partial = (self._partial + chunk).split(b"\n")
        if not chunk and self._partial:
            lines, self._partial = [*lines, self._partial], b""
        decoded = [line.decode("utf-8", "replace").rstrip("\r") for line in lines]
        self._last_line = next((text for text in reversed(decoded) if text.strip()), self._last_line)
        about = (state.log_group(self._name), self._spec["log_stream"], time.time())
        if decoded:
            with self._store.write() as connection:
                connection.executemany(
                    "INSERT INTO log_events (log_group, stream, timestamp, message) VALUES (?, ?, ?, ?)",
                    [(*about, text) for text in decoded],
                )

    def _reason(self, what: str) -> str:
        """Return why the endpoint failed, with the last line of its log: of a traceback, the exception."""
        head = "" if self._is_in_service else _NOT_HEALTHY.format(self._spec["variant"])
        return f"{head}{what}" + (f" Its log ends with: {self._last_line}" if self._last_line else "")


def _raise_stopped(_number: int, _frame: object) -> None:
    raise Stopped


def main(argv: list[str]) -> None:
    """Run one endpoint; the inherited lock is held until this process ends."""
    home, name, _lock = argv
    signal.signal(signal.SIGTERM, _raise_stopped)
    with contextlib.suppress(Stopped):
        settings = SupervisorSettings.read(state.endpoint_folder(Path(home), name))
        store = Store(Path(home), durability=settings.durability, busy_timeout_s=settings.timing.database_busy_s)
        EndpointSupervisor(store, name, settings).run()
        store.close()


if __name__ == "__main__":
    main(sys.argv[1:])
