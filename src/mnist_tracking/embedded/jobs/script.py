"""Run the user's script: start it, read its lines as they come, and stop it when asked."""

import contextlib
import os
import queue
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import IO

_END = None
_STDERR_LINES = 40

Lines = list[tuple[float, str]]


class Script:
    """One run of a script. Its stderr's last lines are kept, for the reason of a failure."""

    def __init__(self, argv: list[str], *, cwd: Path, env: dict[str, str], lock: int, pid_file: Path) -> None:
        self.argv = argv
        self.stderr: deque[str] = deque(maxlen=_STDERR_LINES)
        self._lines: queue.Queue[tuple[float, str] | None] = queue.Queue()
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
        """Give the lines to *on_lines* in batches as they come, until the script ends; return its exit status."""
        streams = (self._process.stdout, self._process.stderr)
        readers = [threading.Thread(target=self._read, args=(stream,), daemon=True) for stream in streams]
        for reader in readers:
            reader.start()
        ended = 0
        while ended < len(readers):
            batch, ends = self._batch()
            ended += ends
            on_lines(batch)
        return self._process.wait()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the script and its children; one that has ended is fine."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    def _read(self, stream: IO[bytes]) -> None:
        is_error = stream is self._process.stderr
        for raw in stream:
            line = raw.decode("utf-8", "replace").rstrip("\r\n")
            if is_error:
                self.stderr.append(line)
            self._lines.put((time.time(), line))
        self._lines.put(_END)

    def _batch(self) -> tuple[Lines, int]:
        """Wait for a line, then take all that are there; return them and how many streams have ended."""
        lines: Lines = []
        ends = 0
        with contextlib.suppress(queue.Empty):
            item = self._lines.get(timeout=1.0)
            while True:
                if item is _END:
                    ends += 1
                else:
                    lines.append(item)
                item = self._lines.get_nowait()
        return lines, ends
