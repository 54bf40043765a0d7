"""Run the scripts of a job: the command of each host, what it prints, and how all of them end together."""

import os
import select
from collections.abc import Callable, Iterator
from io import BufferedReader, RawIOBase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer
import contextlib
import queue
import subprocess
import threading
import time
from collections import deque
from pathlib import Path
from signal import Signals
from typing import IO, Any

from mnist_tracking.embedded.jobs.container import UPDATES, Placement, arguments
from mnist_tracking.embedded.jobs.distribution import torchrun
from mnist_tracking.embedded.jobs.metric_values import Lines
from mnist_tracking.embedded.jobs.process_trees import kill_marked, kill_tree
from mnist_tracking.embedded.jobs.transfers import JobError
from mnist_tracking.embedded.timing import Timing

_LONGEST_LINE = 1 << 18  # bytes, as in CloudWatch; a longer line is cut in parts
_PIPE = 1 << 20  # bytes; the most that a pipe holds


def lines_of(pipe: int, has_ended: Callable[[], bool], poll_s: float) -> Iterator[str]:
    """
    Yield the lines of a pipe as they come.

    They end with the pipe, or with the script: a stray child may hold the pipe open for ever. What the script itself
    printed is in the pipe when it has ended, so that all of it is told, however late it is read.

    Args:
        pipe: The descriptor that is read.
        has_ended: Whether the script has.
        poll_s: How long to wait for output before asking again whether the script has ended.
    """
    with BufferedReader(_Output(pipe, has_ended, poll_s)) as reader:
        while raw := reader.readline(_LONGEST_LINE):
            yield raw.decode("utf-8", "replace").rstrip("\r\n")


class _Output(RawIOBase):
    def __init__(self, pipe: int, has_ended: Callable[[], bool], poll_s: float) -> None:
        self._pipe, self._has_ended, self._poll_ms = pipe, has_ended, poll_s * 1000
        self._rest = _PIPE  # what is read once the script has ended
        self._events = select.poll()
        self._events.register(pipe, select.POLLIN)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Wait for more, and read it; 0 at the end."""
        while self._rest > 0:
            has_ended = self._has_ended()  # asked first: what was printed before is in the pipe then
            if self._events.poll(0 if has_ended else self._poll_ms):
                count = os.readv(self._pipe, [buffer])
                self._rest -= count if has_ended else 0
                return count
            if has_ended:
                return 0
        return 0


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


_WAITING_LINES = 10_000  # scripts that write faster than the store takes it have to wait, as at any full pipe


class ScriptGroup:
    """
    The scripts of one job, one for each host.

    Args:
        timing: How long a script that is asked to end may take until it is killed, and how long to wait for output.
    """

    def __init__(self, timing: Timing) -> None:
        self._timing = timing
        self._scripts: list[Script] = []
        self._events: Events = queue.Queue(_WAITING_LINES)
        self._is_ending = False

    def start(self, host: str, **how: Any) -> None:
        """Start the script of one more host; *how* is what `Script` takes."""
        script = Script(host, events=self._events, poll_s=self._timing.output_poll_s, **how)
        self._scripts.append(script)
        if self._is_ending:  # asked while it was being started
            script.terminate()

    def run(self, on_lines: Callable[[str, Lines], None]) -> Script | None:
        """
        Follow the scripts until all have ended, and return the one that failed first, or None.

        Gives *on_lines* the name of a host and what was printed there, in batches as it comes; an empty batch for each
        host now and then.
        """
        running, failed = list(self._scripts), None
        while running:
            batch = self._batch()
            for script in running:
                on_lines(script.host, batch.get(script, []))
            failed = failed or self._first_failed()
            if failed is not None:
                self.terminate()
            running = [script for script in running if not script.is_over()]
        return failed

    def _first_failed(self) -> Script | None:
        failed = [script for script in self._scripts if script.exit_status]
        return min(failed, key=lambda script: script.ended_at, default=None)

    def terminate(self) -> None:
        """Ask all scripts to end, the first time this is called, and kill after the grace time those that have not."""
        if self._is_ending:
            return
        self._is_ending = True
        for script in self._scripts:
            script.terminate()
        timer = threading.Timer(min(self._timing.stop_grace_s, threading.TIMEOUT_MAX), self.kill)
        timer.daemon = True
        timer.start()

    def kill(self) -> None:
        """Kill what still runs."""
        for script in self._scripts:
            script.kill()

    def _batch(self) -> dict[Script, Lines]:
        """Wait for a line, then take all that are there, by script."""
        found: dict[Script, Lines] = {}
        wait_s: float | None = self._timing.output_poll_s
        with contextlib.suppress(queue.Empty):
            for _ in range(_WAITING_LINES):
                script, line = self._events.get(block=wait_s is not None, timeout=wait_s)
                wait_s = None
                if line is None:
                    script.note_end()
                else:
                    found.setdefault(script, []).append(line)
        return found


_COMMAND = 'exec "./$0" "$@"'
_PACKAGE = (  # $0 is the interpreter, $1 the folder for the package, $2 the module; the script's arguments follow
    'PIP_CONFIG_FILE=/dev/null "$0" -m pip install --quiet --no-deps --no-build-isolation --no-index --no-cache-dir '
    '--disable-pip-version-check --root-user-action=ignore --target "$1" . || exit; '
    'module=$2; shift 2; exec "$0" -m "$module" "$@"'
)
_NOT_INSTALLED = "requirements.txt is not installed here; the job's interpreter is used as it is."
_WITHOUT_DEPENDENCIES = (
    "setup.py is installed without the packages that it needs; the job's interpreter is used as it is."
)


def command(placement: Placement, python: str) -> list[str]:
    """
    Return what is run on a host, in the folder of its code.

    Raises:
        JobError: If torchrun is to run a package, which it cannot.
    """
    program, given = placement.program, arguments(placement.hyperparameters)
    if placement.host.name in placement.distribution_hosts:
        if placement.is_package:
            raise JobError("ClientError: Python packages are not supported for torch_distributed: it runs a script.")
        launcher = torchrun(python, placement.distribution_hosts, placement.host.name, placement.port)
        return [*launcher, program, *given]
    if placement.is_package:
        module = program.removesuffix(".py")
        return ["/bin/sh", "-c", _PACKAGE, python, str(placement.layout.packages), module, *given]
    if program.endswith(".py"):
        return [python, program, *given]
    (placement.layout.code / program).chmod(0o777)  # in the job's own folder, as the toolkit does
    return ["/bin/sh", "-c", _COMMAND, program, *given]


def notes(placement: Placement) -> Iterator[str]:
    """Yield what is to be said in the log of how this differs from a container."""
    if (placement.layout.code / "requirements.txt").is_file():
        yield _NOT_INSTALLED
    if placement.is_package:
        yield _WITHOUT_DEPENDENCIES
