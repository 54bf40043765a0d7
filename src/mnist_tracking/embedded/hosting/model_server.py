"""The process that runs an endpoint's handlers: given requests one at a time, and replaced when it ends or hangs."""

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import threading
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import attrs

from mnist_tracking.embedded import containment
from mnist_tracking.embedded.hosting.log import EndpointLog
from mnist_tracking.embedded.hosting.worker import BEGUN, FRAME
from mnist_tracking.embedded.timing import EngineTiming

_SERVER_ERROR, _TIMED_OUT = 500, 504
_TOO_SLOW = "Your invocation timed out while waiting for a response: {} took longer than {:g} s."
_BROKEN = (asyncio.IncompleteReadError, OSError, ValueError, KeyError, TypeError)  # by its end, or by a handler
_MOST_FRUITLESS = 5  # workers in a row that ended without a request


class EndpointError(Exception):
    """The endpoint fails; the message is its FailureReason."""


class WorkerEnded(Exception):  # noqa: N818 - it describes what happened, and is handled
    """The worker ended; *had_begun* is whether its handlers may have seen the request."""

    def __init__(self, how: str, *, had_begun: bool) -> None:
        super().__init__(how)
        self.had_begun = had_begun


@attrs.frozen
class Reply:
    """A response: HTTP status, headers and body."""

    status: int
    headers: Mapping[str, Any]
    body: bytes


@attrs.frozen
class Command:
    """How to start a worker: the command without its last arguments, the folder and the environment."""

    argv: list[str]
    cwd: Path
    env: dict[str, str]


class _Channel:
    """Frames to and from a worker."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def send(self, facts: Mapping[str, Any], body: bytes) -> None:
        encoded = json.dumps(dict(facts)).encode()
        self._writer.writelines([FRAME.pack(len(encoded), len(body)), encoded, body])
        await self._writer.drain()

    async def receive(self) -> tuple[dict[str, Any], bytes]:
        facts, body = FRAME.unpack(await self._reader.readexactly(FRAME.size))
        return json.loads(await self._reader.readexactly(facts)), await self._reader.readexactly(body)

    async def receive_begun(self) -> None:
        await self._reader.readexactly(len(BEGUN))

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()


class Worker:
    """
    One process that runs the handlers.

    Its output goes to the log; when it ends, so do its children. Started in the event loop of the main thread.

    Attributes:
        has_begun: Whether it has begun any request.
    """

    def __init__(self, process: subprocess.Popen[bytes], channel: _Channel, lifeline: int, stop_s: float) -> None:
        self.has_begun = False
        self._process, self._channel, self._lifeline = process, channel, lifeline
        self._stop_s = stop_s
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[str] = self._loop.create_future()

    @classmethod
    async def start(cls, command: Command, log: EndpointLog, timing: EngineTiming) -> "Worker":
        """
        Start the process.

        Raises:
            OSError: If that is not possible.
        """
        ours, theirs = socket.socketpair()
        channel = _Channel(*await asyncio.open_connection(sock=ours))
        ends, lifeline = os.pipe()
        try:
            process = containment.start(
                [*command.argv, str(theirs.fileno()), str(ends)],
                cwd=command.cwd,
                env=command.env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(theirs.fileno(), ends),
            )
        except BaseException:
            os.close(lifeline)
            raise
        finally:
            theirs.close()
            os.close(ends)
        worker = cls(process, channel, lifeline, timing.server_stop_s)
        worker._watch(log)
        return worker

    def _watch(self, log: EndpointLog) -> None:
        """Start the threads that wait for the process and read its output."""
        waiter = threading.Thread(target=self._wait, daemon=True)
        ended = (self._process.stdout, lambda: not waiter.is_alive())
        self._follower = threading.Thread(target=log.follow, args=ended, daemon=True)
        waiter.start()
        self._follower.start()

    def _wait(self) -> None:
        status = self._process.wait()
        try:
            containment.kill_strays()
        finally:
            self._report(status)

    def _report(self, status: int) -> None:
        how = f"was killed by {containment.signal_name(-status)}" if status < 0 else f"ended with status {status}"
        with contextlib.suppress(RuntimeError):  # the loop is closed: the supervisor ends
            self._loop.call_soon_threadsafe(self._note_end, how)

    def _note_end(self, how: str) -> None:
        if not self._ended.done():
            self._ended.set_result(how)

    async def load(self) -> None:
        """
        Wait until the model is loaded.

        Raises:
            WorkerEnded: If the process ended instead.
        """
        try:
            await self._channel.receive()
        except _BROKEN as error:
            raise WorkerEnded(await self._end_of_process(), had_begun=False) from error

    async def ask(self, headers: Mapping[str, str], body: bytes) -> Reply:
        """
        Return the response to a request.

        Raises:
            WorkerEnded: If the process ended instead, or corrupted the channel.
        """
        has_begun = False
        try:
            await self._channel.send(headers, body)
            await self._channel.receive_begun()
            self.has_begun = has_begun = True
            facts, content = await self._channel.receive()
            return Reply(facts["status"], facts["headers"], content)
        except _BROKEN as error:
            raise WorkerEnded(await self._end_of_process(), had_begun=has_begun) from error

    async def wait(self) -> str:
        """Wait until the process ends, and return how."""
        return await asyncio.shield(self._ended)

    async def _end_of_process(self) -> str:
        """Return how the process ended, or end it: it does not follow the protocol any more."""
        await asyncio.wait({self._ended}, timeout=self._stop_s)
        self.kill()
        return await self.wait()

    def kill(self) -> None:
        """Kill the process, if it runs, and its children."""
        if not self._ended.done():
            containment.kill_tree(self._process.pid)

    async def end(self) -> None:
        """End the process and its children, and wait until its output is in the log."""
        if not self._ended.done():
            self._process.terminate()
        await self._end_of_process()
        await asyncio.to_thread(self._follower.join)
        os.close(self._lifeline)
        await self._channel.close()


class ModelServer:
    """
    Keeps one worker alive, and gives it the requests in order of arrival, one at a time.

    If the handlers take too long, or end the process, the request gets an error as its response, and the next one a new
    worker. A request that the worker had not begun is given to the next one.

    Args:
        start: Starts a worker.
        startup_s: How long a worker may take to load its model.
        timing: How long handlers may take, and when a new worker is started.
    """

    def __init__(self, start: Callable[[], Awaitable[Worker]], startup_s: float, timing: EngineTiming) -> None:
        self._start, self._startup_s, self._timing = start, startup_s, timing
        self._turn = asyncio.Lock()
        self._is_ready = asyncio.Event()
        self._worker: Worker | None = None

    @property
    def is_ready(self) -> bool:
        """Whether a worker runs and has loaded its model."""
        return self._is_ready.is_set()

    async def run(self, on_first: Callable[[], Awaitable[None]]) -> NoReturn:
        """
        Keep a worker running until this is cancelled; *on_first* is awaited when the first one has loaded its model.

        Raises:
            EndpointError: If the first worker does not load its model, or too many in a row end without a request.
        """
        has_loaded, fruitless = False, 0
        while True:
            worker = self._worker = await self._start()
            try:
                how = await self._load(worker)
                if not how:
                    if not has_loaded:
                        await on_first()
                    has_loaded = True
                    self._is_ready.set()
                    how = f"The model server {await worker.wait()}."
            finally:
                self._is_ready.clear()
                await worker.end()
            fruitless = 0 if worker.has_begun else fruitless + 1
            if not has_loaded:
                raise EndpointError(how)
            if fruitless >= _MOST_FRUITLESS:
                raise EndpointError(f"{how} It was started {fruitless} times and never got to a request.")
            await asyncio.sleep(self._timing.restart_pause_s * (2 ** (fruitless - 1) - 1 if fruitless else 0))

    async def _load(self, worker: Worker) -> str:
        """Wait until a worker has loaded its model; return why it has not, or an empty string."""
        try:
            async with asyncio.timeout(self._startup_s):
                await worker.load()
        except TimeoutError:
            return "It took too long to start."
        except WorkerEnded as error:
            return f"The model server {error}."
        return ""

    async def ask(self, headers: Mapping[str, str], body: bytes) -> Reply:
        """Return the response to a request; always within twice the time that handlers may take."""
        limit_s = self._timing.invocation_timeout_s
        deadline = asyncio.get_running_loop().time() + limit_s
        try:
            async with asyncio.timeout_at(deadline):
                await self._turn.acquire()
        except TimeoutError:
            return _error(_TOO_SLOW.format("earlier requests", limit_s), _TIMED_OUT)
        try:
            return await self._in_turn(headers, body, deadline)
        finally:
            self._turn.release()

    async def _in_turn(self, headers: Mapping[str, str], body: bytes, deadline: float) -> Reply:
        limit_s = self._timing.invocation_timeout_s
        while True:
            try:
                async with asyncio.timeout_at(deadline):
                    worker = await self._next()
            except TimeoutError:
                return _error(_TOO_SLOW.format("the start of a new model server", limit_s), _TIMED_OUT)
            try:
                async with asyncio.timeout(limit_s):
                    return await worker.ask(headers, body)
            except TimeoutError:
                self._discard(worker)
                return _error(_TOO_SLOW.format("the model", limit_s), _TIMED_OUT)
            except WorkerEnded as error:
                self._discard(worker)
                if error.had_begun:
                    return _error(f"The model server {error} while it handled this request. It is started anew.")

    async def _next(self) -> Worker:
        await self._is_ready.wait()
        assert self._worker is not None, "it is ready"  # noqa: S101 - for the type checker
        return self._worker

    def _discard(self, worker: Worker) -> None:
        """Give no more requests to a worker, and make sure that it ends."""
        if worker is self._worker:
            self._is_ready.clear()
        worker.kill()


def _error(message: str, status: int = _SERVER_ERROR) -> Reply:
    return Reply(status, {"content-type": "text/plain; charset=utf-8"}, message.encode())
