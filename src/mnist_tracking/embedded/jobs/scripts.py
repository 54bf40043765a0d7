"""Run the scripts of all hosts of a job together: when one fails, or when asked, the others are ended."""

import contextlib
import queue
import threading
from collections.abc import Callable
from typing import Any

from mnist_tracking.embedded.jobs.metric_values import Lines
from mnist_tracking.embedded.jobs.script import Events, Script
from mnist_tracking.embedded.timing import Timing

_WAITING_LINES = 10_000  # scripts that write faster than the store takes it have to wait, as at any full pipe


class Scripts:
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
