"""Run the user's script: start it, read its lines as they come, and stop it when asked."""

import contextlib
import os
import queue
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from signal import Signals
from typing import IO

from mnist_tracking.embedded.jobs.metrics import Lines

_END = None
_STDERR_LINES = 40
_LOOK_S = 1.0  # how long to wait for a line before looking at the metric files, and at the process
_LAST_WORDS_S = 10.0  # how long to read on when the script has ended but a stray child keeps writing
_WAITING_LINES = 10_000  # a script that writes faster than the store takes it has to wait, as at any full pipe
_LONGEST_LINE = 1 << 18  # bytes, as in CloudWatch; a longer line is cut in parts


class Script:
    """One run of a script, in a process group of its own. Its stderr's last lines are kept, to say why it failed."""

    def __init__(self, argv: list[str], *, cwd: Path, env: dict[str, str], lock: int, pid_file: Path) -> None:
        self.argv = argv
        self.stderr: deque[str] = deque(maxlen=_STDERR_LINES)
        self._lines: queue.Queue[tuple[float, str] | None] = queue.Queue(_WAITING_LINES)
        self._process = subprocess.Popen(
            argv,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            pass_fds=(lock,),
        )
        pid_file.write_text(str(self._process.pid))

    def run(self, on_lines: Callable[[Lines], None]) -> int:
        """
        Give the lines to *on_lines* in batches as they come, until the script ends; return its exit status.

        With the script, its children end, as all processes of a container do. *on_lines* also gets an empty batch
        now and then.
        """
        streams = (self._process.stdout, self._process.stderr)
        for stream in streams:
            threading.Thread(target=self._read, args=(stream,), daemon=True).start()
        still_open, deadline = len(streams), float("inf")
        while still_open and time.monotonic() < deadline:
            batch, ends = self._batch()
            still_open -= ends
            on_lines(batch)
            if deadline < float("inf") and not batch and not ends:
                break  # a stray child keeps the pipe open
            if deadline == float("inf") and self._process.poll() is not None:
                self._kill_group()  # at once, before its id can mean another
                deadline = time.monotonic() + _LAST_WORDS_S
        exit_status = self._process.wait()
        self._kill_group()
        return exit_status

    def signal(self, number: Signals) -> None:
        """Send a signal to the script and its children; one that has ended is fine."""
        if self._process.returncode is None:
            self._kill_group(number)

    def end(self) -> None:
        """Kill the script if it still runs."""
        self.signal(Signals.SIGKILL)
        self._process.wait()

    def _kill_group(self, number: Signals = Signals.SIGKILL) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    def _read(self, stream: IO[bytes]) -> None:
        is_error = stream is self._process.stderr
        while raw := stream.readline(_LONGEST_LINE):
            line = raw.decode("utf-8", "replace").rstrip("\r\n")
            if is_error:
                self.stderr.append(line)
            if line:  # no event of CloudWatch is empty
                self._lines.put((time.time(), line))
        self._lines.put(_END)

    def _batch(self) -> tuple[Lines, int]:
        """Wait for a line, then take all that are there; return them and how many streams have ended."""
        lines: Lines = []
        ends = 0
        with contextlib.suppress(queue.Empty):
            item = self._lines.get(timeout=_LOOK_S)
            while True:
                if item is _END:
                    ends += 1
                else:
                    lines.append(item)
                if len(lines) >= _WAITING_LINES:
                    break
                item = self._lines.get_nowait()
        return lines, ends


def failure_reason(exit_status: int, stderr: list[str], argv: list[str], most: int) -> str:
    """Say why a script failed, as the service does: at most *most* characters, the end of the traceback kept."""
    code = f"{exit_status}" if exit_status > 0 else f"{exit_status} (killed by {_signal_name(-exit_status)})"
    head = f'AlgorithmError: ExecuteUserScriptError:\nExitCode {code}\nErrorMessage "'
    tail = f'"\nCommand "{" ".join(argv)[:200]}", exit code: 1'
    return head + "\n".join(stderr)[-(most - len(head) - len(tail)) :] + tail


def _signal_name(number: int) -> str:
    try:
        return Signals(number).name
    except ValueError:
        return f"signal {number}"  # a real-time signal
