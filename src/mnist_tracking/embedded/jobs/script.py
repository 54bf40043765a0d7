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

from mnist_tracking.embedded.jobs.environment import UPDATES
from mnist_tracking.embedded.jobs.output import lines_of
from mnist_tracking.embedded.jobs.process_trees import kill_marked, kill_tree

Line = tuple[float, str]
"""When a line was printed, in seconds since the epoch, and the line."""

Events = queue.Queue[tuple["Script", Line | None]]
"""What scripts print, and None for each end: of either stream, and of the process."""

_ENDS = 3
_STDERR_LINES = 40


class Script:
    """
    One run of a script, in a process group of its own.

    With the script, its children end, daemons too, as all processes of a container do.

    Attributes:
        host: The name of the host that it runs on.
        argv: What was run.
        stderr: The last lines of its standard error, to say why it failed.
        exit_status: None as long as it runs.
        ended_at: When it ended, by the monotonic clock.
    """

    def __init__(
        self,
        host: str,
        *,
        argv: list[str],
        cwd: Path,
        env: dict[str, str],
        lock: int,
        pid_file: Path,
        events: Events,
        poll_s: float,
    ) -> None:
        self.host, self.argv = host, argv
        self.stderr: deque[str] = deque(maxlen=_STDERR_LINES)
        self.exit_status: int | None = None
        self.ended_at = float("inf")
        self._events, self._updates = events, env[UPDATES]
        self._ends, self._poll_s = 0, poll_s
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

    def note_end(self) -> None:
        """Note that one of its ends was taken from the queue."""
        self._ends += 1

    def is_over(self) -> bool:
        """Whether it has ended, and all that it printed was taken from the queue."""
        return self._ends == _ENDS

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
        kill_marked(UPDATES, self._updates)
        self.ended_at = time.monotonic()
        self.exit_status = exit_status
        self._events.put((self, None))

    def _read(self, stream: IO[bytes] | None) -> None:
        assert stream is not None, "both are pipes"  # noqa: S101 - for the type checker
        with stream:
            for line in lines_of(stream.fileno(), lambda: self.exit_status is not None, self._poll_s):
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
