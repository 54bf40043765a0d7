"""All output of a script is read, however late."""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.processes import is_alive, until

from mnist_tracking.embedded.jobs.container import UPDATES
from mnist_tracking.embedded.jobs.metric_values import Lines
from mnist_tracking.embedded.jobs.scripts import ScriptGroup
from mnist_tracking.embedded.timing import EngineTiming

SPEAKS = """
import os
print(os.getpid(), flush=True)
while not os.path.exists("go"): pass
print("loss=0.5\\nloss=0.25")
"""
CHATTERS = "while True: print('still here', flush=True)"
LEAVES_ONE_BEHIND = f"""
import subprocess, sys
print(subprocess.Popen([sys.executable, "-c", {CHATTERS!r}], start_new_session=True, env={{}}).pid, flush=True)
"""

Run = Callable[..., None]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run a script to its end, on one host."""

    def run(script: str, on_lines: Callable[[str, Lines], None], poll_s: float = 1.0) -> None:
        scripts = ScriptGroup(EngineTiming(stop_grace_s=0.0, output_poll_s=poll_s))
        argv, env = [sys.executable, "-c", script], {UPDATES: str(tmp_path)}
        scripts.start("algo-1", argv=argv, cwd=tmp_path, env=env)
        scripts.run(on_lines)

    return run


def test_output_is_read_even_long_after_the_script_has_ended(run: Run, tmp_path: Path) -> None:
    """The store may be busy, or the whole machine, until long after the script has ended."""
    told: list[str] = []

    def held_up(_: str, lines: Lines) -> None:
        if lines and not told:
            (tmp_path / "go").touch()
            until(lambda: not is_alive(int(lines[0][1])))
        told.extend(line for _, line in lines)

    run(SPEAKS, held_up, poll_s=0.0)

    assert told[1:] == ["loss=0.5", "loss=0.25"]


def test_script_ends_despite_a_child_that_keeps_printing(run: Run) -> None:
    told: list[str] = []
    try:
        run(LEAVES_ONE_BEHIND, lambda _, lines: told.extend(line for _, line in lines))
    finally:
        os.kill(int(next(line for line in told if line.isdigit())), signal.SIGKILL)

    assert told[0].isdigit()
