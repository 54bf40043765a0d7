"""Run the scripts of a job: the command of each host, what it prints, and how all of them end together."""

import contextlib
import os
import queue
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from signal import Signals
from typing import IO, Any

from mnist_tracking._values.metric_lines import last_redraw
from mnist_tracking.embedded.containment import kill_marked, kill_strays, kill_tree, start
from mnist_tracking.embedded.jobs.container import UPDATES, Placement, arguments, left_out
from mnist_tracking.embedded.jobs.distribution import torchrun
from mnist_tracking.embedded.jobs.failure import ErrorLines
from mnist_tracking.embedded.jobs.fixed_paths import leftover_note
from mnist_tracking.embedded.jobs.metric_values import Lines
from mnist_tracking.embedded.jobs.transfers import JobError
from mnist_tracking.embedded.lines import lines_of
from mnist_tracking.embedded.timing import EngineTiming

Line = tuple[float, str]
"""When a line was printed, in seconds since the epoch, and the line."""
Event = tuple["Script", Line | None]
"""What a script has printed, or None for the end of each stream and of the process."""
_ENDS = 3
_WAITING = 1 << 14  # KiB of output; scripts that print faster than the store must wait, as with any full pipe
_COMMAND = 'exec "./$0" "$@"'
_PACKAGE = (  # $0 is the interpreter, $1 the folder for the package, $2 the module; the script's arguments follow
    'PIP_CONFIG_FILE=/dev/null "$0" -m pip install --quiet --no-deps --no-build-isolation --no-index --no-cache-dir '
    '--disable-pip-version-check --root-user-action=ignore --target "$1" . || exit; '
    'module=$2; shift 2; exec "$0" -m "$module" "$@"'
)
_NOT_INSTALLED = "requirements.txt is not installed; the job uses its Python environment as it is."
_TOO_LONG = (
    "{} would be longer than the 128 KiB that Linux allows for a variable and are not set; the hyperparameters are in "
    "the arguments, in SM_HP_* and in input/config/hyperparameters.json."
)
_WITHOUT_DEPENDENCIES = "setup.py is installed without its dependencies; the job uses its Python environment as it is."


class Events(queue.Queue[Event]):
    """A queue of events that is full by their weight, not by their number: lines may be long."""

    def _init(self, maxsize: int) -> None:
        super()._init(maxsize)
        self._weight = 0

    def _qsize(self) -> int:
        return self._weight

    def _put(self, item: Event) -> None:
        super()._put(item)
        self._weight += weight_of(item)

    def _get(self) -> Event:
        item = super()._get()
        self._weight -= weight_of(item)
        return item


def weight_of(event: Event) -> int:
    """Return the weight of an event in KiB."""
    line = event[1]
    return 1 + (len(line[1]) >> 10 if line else 0)


class Script:
    """
    One run of a script, in its own session.

    When the script ends, its children are killed, daemons too, as with a container.

    Attributes:
        host: The name of the host that it runs on.
        argv: The command.
        output: What of its standard output may explain a failure.
        errors: What of its standard error may.
        exit_status: None while it runs.
        ended_at: When it ended, by the monotonic clock.
    """

    def __init__(
        self,
        host: str,
        *,
        argv: list[str],
        cwd: Path,
        env: dict[str, str],
        events: Events,
        poll_s: float,
        now: Callable[[], float],
    ) -> None:
        self.host, self.argv = host, argv
        self.output, self.errors = ErrorLines(), ErrorLines()
        self.exit_status: int | None = None
        self.ended_at = float("inf")
        self._events, self._updates = events, env[UPDATES]
        self._ends, self._poll_s, self._now = 0, poll_s, now
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        self._process = start(argv, cwd=cwd, env=env, **pipes)
        read_output = partial(self._read, self._process.stdout, self.output)
        read_errors = partial(self._read, self._process.stderr, self.errors)
        for work in (self._wait, read_output, read_errors):
            threading.Thread(target=work, daemon=True).start()

    def note_end(self) -> None:
        """Count one of its ends that was taken from the queue."""
        self._ends += 1

    def is_over(self) -> bool:
        """Whether it has ended, and all its output was taken from the queue."""
        return self._ends == _ENDS

    def terminate(self) -> None:
        """Send SIGTERM to the script and its children; one that has ended is fine."""
        if self.exit_status is None:
            self._signal_group(Signals.SIGTERM)

    def kill(self) -> None:
        """Kill the script if it still runs, and all its children, including those that left its group."""
        if self.exit_status is None:
            kill_tree(self._process.pid)

    def _signal_group(self, number: Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    def _wait(self) -> None:
        exit_status = self._process.wait()
        self._signal_group(Signals.SIGKILL)  # at once, before its process id can be reused
        kill_marked(UPDATES, self._updates)
        self.ended_at = time.monotonic()
        self.exit_status = exit_status
        self._events.put((self, None))

    def _read(self, stream: IO[bytes] | None, explaining: ErrorLines) -> None:
        assert stream is not None, "both are pipes"  # noqa: S101 - for the type checker
        with stream:
            for lines in lines_of(stream.fileno(), lambda: self.exit_status is not None, self._poll_s):
                explaining.extend(map(last_redraw, lines))
                for line in filter(None, lines):  # CloudWatch has no empty events
                    self._events.put((self, (self._now(), line)))
        self._events.put((self, None))


class ScriptGroup:
    """
    The scripts of one job, one for each host: when one fails, the others are ended.

    Args:
        timing: When a terminated script is killed, and how long to wait for output.
        now: Returns the time in seconds since the epoch.
    """

    def __init__(self, timing: EngineTiming, *, now: Callable[[], float] = time.time) -> None:
        self._timing, self._now = timing, now
        self._scripts: list[Script] = []
        self._events = Events(_WAITING)
        self._is_ending = False

    def start(self, host: str, **how: Any) -> None:
        """Start the script of another host; *how* are the arguments of `Script`."""
        script = Script(host, events=self._events, poll_s=self._timing.output_poll_s, now=self._now, **how)
        self._scripts.append(script)
        if self._is_ending:  # since before this one was started
            script.kill()

    def run(self, on_lines: Callable[[str, Lines], None]) -> Script | None:
        """
        Follow the scripts until all have ended, and return the one that failed first, or None.

        Calls *on_lines* with the name of a host and its new lines, in batches; regularly with an empty one.
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
        """Make all scripts end, once: send SIGTERM if that is wanted, and kill those that run after the grace time."""
        if self._is_ending:
            return
        self._is_ending = True
        for script in self._scripts if self._timing.sigterm else ():
            script.terminate()
        timer = threading.Timer(min(self._timing.stop_grace_s, threading.TIMEOUT_MAX), self.kill)
        timer.daemon = True
        timer.start()

    def kill(self) -> None:
        """Kill all scripts that still run."""
        for script in self._scripts:
            script.kill()

    def leave_nothing(self) -> None:
        """Kill all scripts, and every process that they have left behind."""
        self.kill()
        kill_strays()

    def _batch(self) -> dict[Script, Lines]:
        """Wait for a line, then return all available ones, by script."""
        found: dict[Script, Lines] = {}
        wait_s: float | None = self._timing.output_poll_s
        weight = 0
        with contextlib.suppress(queue.Empty):
            while weight < _WAITING:
                script, line = self._events.get(block=wait_s is not None, timeout=wait_s)
                wait_s = None
                weight += weight_of((script, line))
                if line is None:
                    script.note_end()
                else:
                    found.setdefault(script, []).append(line)
        return found


def command(placement: Placement, python: str) -> list[str]:
    """
    Return the command of a host, to be run in the folder of its code.

    Raises:
        JobError: If torchrun would have to run a package.
    """
    program, given = placement.program, arguments(placement.hyperparameters)
    if placement.host.name in placement.distribution_hosts:
        if placement.is_package:
            raise JobError("ClientError: Python packages are not supported for torch_distributed; it runs scripts.")
        launcher = torchrun(
            python, placement.distribution_hosts, placement.host.name, placement.port, len(placement.gpus)
        )
        return [*launcher, program, *given]
    if placement.is_package:
        module = program.removesuffix(".py")
        return ["/bin/sh", "-c", _PACKAGE, python, str(placement.layout.packages), module, *given]
    if program.endswith(".py"):
        return [python, program, *given]
    (placement.layout.code / program).chmod(0o700)  # the toolkit allows everybody, who is nobody in a container
    return ["/bin/sh", "-c", _COMMAND, program, *given]


def notes(placement: Placement) -> Iterator[str]:
    """Yield notes for the log on how this run differs from one in a container."""
    if (placement.layout.code / "requirements.txt").is_file():
        yield _NOT_INSTALLED
    if names := left_out(placement):
        yield _TOO_LONG.format(", ".join(names))
    if placement.is_package:
        yield _WITHOUT_DEPENDENCIES
    elif note := leftover_note(placement.layout.code / placement.program):
        yield note
