"""Run the user's script on one host: start it, read its lines as they come, and stop it when asked."""

import contextlib
import os
import queue
import subprocess
import threading
import time
from collections import deque
from pathlib import Path
from signal import Signals
from typing import IO

from mnist_tracking.embedded.jobs.process_trees import kill_tree

LOOK_S = 1.0
"""How long to wait for a line before looking at what else there is, such as the metric files."""

Line = tuple[float, str]
"""When a line was printed, in seconds since the epoch, and the line."""

Events = queue.Queue[tuple["Script", Line | None]]
"""What scripts print, and None for each end: of either stream, and of the process."""

_ENDS = 3
_STDERR_LINES = 40
_LAST_WORDS_S = 10.0  # how long to read on when the script has ended but a stray child keeps writing
_LONGEST_LINE = 1 << 18  # bytes, as in CloudWatch; a longer line is cut in parts


class Script:
    """
    One run of a script, in a process group of its own.

    With the script, its children end, as all processes of a container do.

    Attributes:
        host: The name of the host that it runs on.
        argv: What was run.
        stderr: The last lines of its standard error, to say why it failed.
        exit_status: None as long as it runs.
        ended_at: When it ended, by the monotonic clock.
    """

    def __init__(
        self, host: str, *, argv: list[str], cwd: Path, env: dict[str, str], lock: int, pid_file: Path, events: Events
    ) -> None:
        self.host, self.argv = host, argv
        self.stderr: deque[str] = deque(maxlen=_STDERR_LINES)
        self.exit_status: int | None = None
        self.ended_at = float("inf")
        self._events = events
        self._ends, self._heard_at = 0, 0.0
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
        for work in (self._wait, lambda: self._read(self._process.stdout), lambda: self._read(self._process.stderr)):
            threading.Thread(target=work, daemon=True).start()

    def note_heard(self, *, is_end: bool) -> None:
        """Note that an event of this script was taken from the queue."""
        self._heard_at = time.monotonic()
        self._ends += is_end

    def is_over(self) -> bool:
        """Whether it has ended and nothing more is to be read: a stray child may keep its output open for ever."""
        if self._ends == _ENDS:
            return True
        now = time.monotonic()
        is_quiet = now - max(self.ended_at, self._heard_at) >= LOOK_S
        return self.exit_status is not None and (is_quiet or now - self.ended_at >= _LAST_WORDS_S)

    def terminate(self) -> None:
        """Send SIGTERM to the script and its children; one that has ended is fine."""
        if self.exit_status is None:
            self._signal_group(Signals.SIGTERM)

    def kill(self) -> None:
        """Kill the script if it still runs, and all its children, also those that left its group."""
        if self.exit_status is None:
            kill_tree(self._process.pid)

    def _signal_group(self, number: Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    def _wait(self) -> None:
        exit_status = self._process.wait()
        self._signal_group(Signals.SIGKILL)  # at once, before its id can mean another
        self.ended_at = time.monotonic()
        self.exit_status = exit_status
        self._events.put((self, None))

    def _read(self, stream: IO[bytes] | None) -> None:
        while stream and (raw := stream.readline(_LONGEST_LINE)):
            line = raw.decode("utf-8", "replace").rstrip("\r\n")
            if stream is self._process.stderr:
                self.stderr.append(line)
            if line:  # no event of CloudWatch is empty
                self._events.put((self, (time.time(), line)))
        self._events.put((self, None))


def failure_reason(script: Script, most: int, *, is_alone: bool) -> str:
    """Say why a script failed, as the service does: at most *most* characters, the end of the traceback kept."""
    where = "" if is_alone else f" on {script.host}"
    head = f'AlgorithmError: ExecuteUserScriptError{where}:\nExitCode {_exit_code(script)}\nErrorMessage "'
    tail = f'"\nCommand "{" ".join(script.argv)[:200]}", exit code: 1'
    return head + "\n".join(script.stderr)[-(most - len(head) - len(tail)) :] + tail


def _exit_code(script: Script) -> str:
    status = script.exit_status or 0
    return f"{status}" if status > 0 else f"{status} (killed by {signal_name(-status)})"


def signal_name(number: int) -> str:
    """
    Name a signal; a real-time signal has but a number.

    Example:
        >>> signal_name(9), signal_name(45)
        ('SIGKILL', 'signal 45')
    """
    try:
        return Signals(number).name
    except ValueError:
        return f"signal {number}"
