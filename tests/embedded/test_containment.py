"""Nothing that a supervisor starts outlives it, however the supervisor, its guard and the daemons behave."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest
from tests.support.processes import is_alive, until

from mnist_tracking.embedded.containment import kill_marked

LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux has subreapers")
WAIT = "import threading; threading.Event().wait()"
DAEMON = """
import os, sys, threading
if os.fork() == 0:
    os.setsid()
    if os.fork(): os._exit(0)
    os.closerange(0, 3)
    with open(sys.argv[1] + ".part", "w") as file: file.write(f"{os.getpid()}\\n")
    os.replace(file.name, sys.argv[1])
    os.execve(sys.executable, [sys.executable, "-c", "import threading; threading.Event().wait()"], {})
os.wait()
threading.Event().wait()
"""
SUPERVISOR = f"""
import os, sys, threading
from mnist_tracking.embedded import containment
containment._prctl = containment._prctl if sys.argv[2] else None
containment.split()
process = containment.start([sys.executable, "-c", {DAEMON!r}, sys.argv[1] + "/daemon"])
open(sys.argv[1] + "/supervisor", "w").write(f"{{os.getpid()}}\\n")
open(sys.argv[1] + "/script", "w").write(f"{{process.pid}}\\n")
"""


@attrs.frozen
class Family:
    """A guard and what it guards: a supervisor, its script, and a daemon of the script without environment."""

    guard: subprocess.Popen[bytes]
    folder: Path

    def pid(self, name: str) -> int:
        """Wait for one of them and return its process id."""
        path = self.folder / name
        until(lambda: path.exists() and path.read_text().endswith("\n"))
        return int(path.read_text())


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder for process ids; what runs in the end is killed."""
    yield tmp_path
    for name in ("supervisor", "script", "daemon"):
        if (tmp_path / name).exists() and is_alive(pid := int((tmp_path / name).read_text())):
            os.kill(pid, signal.SIGKILL)


def family(folder: Path, then: str = WAIT, *, no_prctl: bool = False) -> Family:
    arguments = [SUPERVISOR + then, str(folder), "" if no_prctl else "prctl"]
    return Family(subprocess.Popen([sys.executable, "-c", *arguments], start_new_session=True), folder)


@LINUX
def test_killed_supervisor_takes_everything_with_it(folder: Path) -> None:
    started = family(folder)
    daemon, script = started.pid("daemon"), started.pid("script")
    os.kill(started.pid("supervisor"), signal.SIGKILL)

    started.guard.wait()
    assert not is_alive(script)
    assert not is_alive(daemon)


@LINUX
def test_daemon_is_killed_when_the_supervisor_ends(folder: Path) -> None:
    """Which waits for the daemon, and does not end it itself; the guard passes on its exit status."""
    wait = "import time\nwhile not os.path.exists(sys.argv[1] + '/daemon'): time.sleep(0.001)\nsys.exit(7)"
    started = family(folder, wait)

    assert started.guard.wait() == 7
    assert not is_alive(started.pid("daemon"))
    assert not is_alive(started.pid("script"))


@LINUX
def test_strays_are_killed_while_the_supervisor_continues(folder: Path) -> None:
    wait = "import time\nwhile not os.path.exists(sys.argv[1] + '/daemon'): time.sleep(0.001)\n"
    started = family(
        folder, f"{wait}containment.kill_strays()\nopen(sys.argv[1] + '/killed', 'w').write('1\\n')\n{WAIT}"
    )
    started.pid("killed")

    assert not is_alive(started.pid("daemon"))
    assert is_alive(started.pid("supervisor"))
    os.kill(started.pid("supervisor"), signal.SIGKILL)
    assert started.guard.wait() == 256 - signal.SIGKILL


@LINUX
def test_script_ends_with_supervisor_and_guard(folder: Path) -> None:
    """The kernel sees to it."""
    started = family(folder)
    script = started.pid("script")
    os.killpg(started.guard.pid, signal.SIGKILL)
    started.guard.wait()

    until(lambda: not is_alive(script))


@LINUX
def test_supervisor_without_its_guard_continues_as_one(folder: Path) -> None:
    """It loses only the daemons that the guard had adopted."""
    then = (
        "import signal, time\nos.kill(os.getppid(), signal.SIGKILL)\n"
        "while containment._guard: time.sleep(0.001)\n"
        f"again = containment.start([sys.executable, '-c', {DAEMON!r}, sys.argv[1] + '/again'])\n"
        "while not os.path.exists(sys.argv[1] + '/again'): time.sleep(0.001)\n"
        "containment.kill_strays()\nopen(sys.argv[1] + '/killed', 'w').write('1\\n')\n" + WAIT
    )
    started = family(folder, then)
    started.pid("killed")
    started.guard.wait()

    assert not is_alive(started.pid("again"))
    assert is_alive(started.pid("supervisor"))


def test_guard_kills_process_groups_where_the_kernel_does_not(folder: Path) -> None:
    """As on macOS, where a daemon that has left its group survives."""
    started = family(folder, no_prctl=True)
    script, _daemon = started.pid("script"), started.pid("daemon")
    os.kill(started.pid("supervisor"), signal.SIGKILL)
    started.guard.wait()

    until(lambda: not is_alive(script))


def test_started_process_inherits_no_descriptor(folder: Path) -> None:
    """A lock that it held would outlive its supervisor."""
    code = "import os, sys; print([fd for fd in range(3, 64) if os.path.exists(f'/dev/fd/{fd}')])"
    script = (
        "import os, sys\nfrom mnist_tracking.embedded import containment\n"
        "os.set_inheritable(os.open(os.devnull, os.O_RDONLY), True)\ncontainment.split()\n"
        f"containment.start([sys.executable, '-c', {code!r}]).wait()"
    )

    assert subprocess.check_output([sys.executable, "-c", script], text=True) == "[]\n"


@LINUX
def test_marked_process_is_found_while_it_becomes_another_program(tmp_path: Path) -> None:
    """For a moment of each ``execve``, the kernel shows no variables; this program does nothing else."""
    script = tmp_path / "again.sh"
    script.write_text(f"exec /bin/sh {script}\n")
    for _ in range(50):
        process = subprocess.Popen(["/bin/sh", str(script)], env={"MARK": str(tmp_path)})
        kill_marked("MARK", str(tmp_path))

        assert process.wait(timeout=60) == -signal.SIGKILL
