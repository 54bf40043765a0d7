"""
The process that runs one endpoint: its HTTP side, and the process of its model. It outlives the endpoint's creator.

Its `main` is called below a guard, see `supervision`. The endpoint's folder holds its settings.
"""

import asyncio
import contextlib
import json
import os
import signal
import socket
import sqlite3
import time
from pathlib import Path
from typing import Any

from mnist_tracking._values.archives import unpack
from mnist_tracking.embedded.disk import leads_elsewhere
from mnist_tracking.embedded.hosting import state, tables
from mnist_tracking.embedded.hosting.front import Front
from mnist_tracking.embedded.hosting.log import EndpointLog
from mnist_tracking.embedded.hosting.model_server import Command, EndpointError, ModelServer, Worker
from mnist_tracking.embedded.store import Store
from mnist_tracking.embedded.supervision import THREADS, SupervisorSettings, clean_environment

_WORKER = Path(__file__).with_name("worker.py")
_OPT_ML = "/opt/ml"
_REASON_LENGTH = 1024
_NOT_HEALTHY = (
    "The primary container for production variant {} did not pass the ping health check. "
    "Please check CloudWatch logs for this endpoint. "
)
_NOT_INSTALLED = "requirements.txt is not installed; the model uses its Python environment as it is."


class Stopped(BaseException):
    """The supervisor was terminated."""


class EndpointSupervisor:
    """Runs one endpoint until it is terminated, its model fails or its folder is deleted."""

    def __init__(self, store: Store, folder: str, settings: SupervisorSettings) -> None:
        self._store, self._settings, self._timing = store, settings, settings.timing
        self._folder_name, self._folder = folder, state.endpoint_folder(store.home, folder)
        self._spec: dict[str, Any] = json.loads((self._folder / state.SPECIFICATION).read_text())
        self._is_in_service = False
        with store.write() as connection:
            tables.set_supervisor(connection, folder, os.getpid())
            endpoint = tables.endpoint_of(connection, folder)
        if endpoint is None or endpoint.status not in tables.LIVE:
            raise Stopped  # deleted meanwhile, by a process that did not know whom to signal
        group = state.log_group(endpoint.name)
        self._log = EndpointLog(store, group, self._spec["log_stream"], poll_s=self._timing.output_poll_s)

    def run(self) -> None:
        """Serve until this process is terminated or the model fails."""
        try:
            self._unpack()
            with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
                listener.bind(("127.0.0.1", 0))
                listener.listen(128)
                asyncio.run(self._serve(listener))
        except (EndpointError, OSError, ValueError) as error:
            reason = str(error)[:_REASON_LENGTH]
            with self._store.write() as connection:
                tables.set_failed(connection, self._folder_name, reason, time.time())

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

    async def _serve(self, listener: socket.socket) -> None:
        """Run the HTTP side, the model and the look at the folder, until one of them ends or this is cancelled."""
        _on_termination(asyncio.current_task())
        command = self._command()
        model = ModelServer(
            lambda: Worker.start(command, self._log, self._timing), self._spec["startup_timeout_s"], self._timing
        )
        port = listener.getsockname()[1]
        secret = (self._folder / state.SECRET).read_text()
        tasks = [  # the model first: the HTTP side is imported while it loads
            asyncio.create_task(self._run(model, port)),
            asyncio.create_task(_serve_http(Front(model, secret, port, self._spec["variant"]), listener)),
            asyncio.create_task(self._watch_folder()),
        ]
        try:
            await _first_of(tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, model: ModelServer, port: int) -> None:
        try:
            await model.run(lambda: self._enter_service(port))
        except EndpointError as error:
            head = "" if self._is_in_service else _NOT_HEALTHY.format(self._spec["variant"])
            last = self._log.last_line and f" Its log ends with: {self._log.last_line}"
            raise EndpointError(f"{head}{error}{last}") from error

    async def _enter_service(self, port: int) -> None:
        """Record that the endpoint is in service; again and again while the store cannot be written."""
        while not await asyncio.to_thread(self._record_service, port):
            await asyncio.sleep(self._timing.output_poll_s)
        self._is_in_service = True

    def _record_service(self, port: int) -> bool:
        try:
            with self._store.write() as connection:
                tables.set_in_service(connection, self._folder_name, port, time.time())
        except (sqlite3.OperationalError, OSError):
            return False
        return True

    async def _watch_folder(self) -> None:
        """Return when the endpoint's folder has been deleted, with its home or alone, or replaced by a link."""
        while self._folder.is_dir() and not leads_elsewhere(self._folder, self._store.home):
            await asyncio.sleep(self._timing.output_poll_s)

    def _command(self) -> Command:
        model, environment = self._folder / "ml" / "model", self._environment()
        if Path(environment["SAGEMAKER_SUBMIT_DIRECTORY"], "requirements.txt").is_file():
            self._log.write([_NOT_INSTALLED])
        return Command([self._spec["python"], str(_WORKER), str(model)], model, environment)

    def _environment(self) -> dict[str, str]:
        base, user, region = self._folder / "ml", self._spec["environment"], self._settings.region
        code = user.get("SAGEMAKER_SUBMIT_DIRECTORY", f"{_OPT_ML}/model/code")
        code = f"{_OPT_ML}/code" if code.startswith("s3://") else code
        platform = {
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
        }
        ours = {
            state.MARK: str(base),
            "SAGEMAKER_SUBMIT_DIRECTORY": str(base) + code.removeprefix(_OPT_ML),
            "SM_MODEL_DIR": str(base / "model"),
        }
        threads = {name: os.environ[name] for name in THREADS if name in os.environ}
        return {**clean_environment(), **threads, **platform, **user, **ours}


async def _first_of(tasks: list[asyncio.Task[None]]) -> None:
    """Wait for the first task that ends; raise what it raises."""
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()


async def _serve_http(app: Front, listener: socket.socket) -> None:
    import uvicorn

    config = uvicorn.Config(
        app,
        log_config=None,
        log_level="warning",
        access_log=False,
        ws="none",
        lifespan="off",
        server_header=False,
        timeout_keep_alive=3600,
    )
    server = uvicorn.Server(config)
    server.capture_signals = contextlib.nullcontext  # its own way to end takes 0.1 s, and as long as there are clients
    await server.serve(sockets=[listener])


def _on_termination(task: asyncio.Task[Any] | None) -> None:
    """Cancel a task when this process is terminated: once, so that it can end its worker in peace."""
    loop = asyncio.get_running_loop()

    def stop() -> None:
        loop.remove_signal_handler(signal.SIGTERM)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if task is not None:
            task.cancel()

    loop.add_signal_handler(signal.SIGTERM, stop)


def _raise_stopped(_number: int, _frame: object) -> None:
    raise Stopped


def main(argv: list[str]) -> None:
    """Run one endpoint: HOME FOLDER LOCK_FD. The inherited lock is held until this process ends."""
    home, folder, _lock = argv
    signal.signal(signal.SIGTERM, _raise_stopped)
    with contextlib.suppress(Stopped, asyncio.CancelledError):
        settings = SupervisorSettings.read(state.endpoint_folder(Path(home), folder))
        store = Store(Path(home), durability=settings.durability, busy_timeout_s=settings.timing.database_busy_s)
        EndpointSupervisor(store, folder, settings).run()
        store.close()
