"""
Containment: nothing that a supervisor starts outlives it, however both of them end.

A supervisor calls `split` before anything else: from then on it runs in a child of a small process, its guard, which
only waits. Orphans of the supervisor's processes (daemons, too, whatever their session and environment) are given to
the guard, since it is a "subreaper". When the supervisor has ended, by itself or by SIGKILL, the guard kills all of
them and ends last. So a lock that both hold is free only when no process is left.

What the supervisor starts by `start` is killed by the kernel when the supervisor ends, even if the guard was killed
with it. `kill_strays` ends what such a process has left behind while the supervisor continues.

Other systems than Linux have no subreapers and no signal at a parent's death. There, the guard kills the process groups
of what was started; only processes that left their group survive a supervisor that was killed.
"""

import contextlib
import ctypes
import mmap
import os
import signal
import subprocess
import sys
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

_PROC = "/proc"
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_PASSES, _PAUSE_S = 500, 0.002  # a killed process may have started another one, and takes a moment to end
_IGNORED_BY_GUARD = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
_GROUPS_SIZE = 4096  # bytes, for the ids of the process groups that were started
_ZOMBIE = "Z"
_ENVIRONMENT = slice(47, 49)  # of the fields of a process: where its variables begin and end in memory
_PRIVATE = 0o077


def _find_prctl() -> Callable[..., int] | None:
    found: Callable[..., int] | None = getattr(ctypes.CDLL(None), "prctl", None) if sys.platform == "linux" else None
    return found


_prctl = _find_prctl()  # looked up before any fork
_guard: int | None = None
_umask = -1  # of what is started: that of the user, or this process's own
_groups: mmap.mmap | None = None  # shared with the guard
_started: list[subprocess.Popen[bytes]] = []


def split() -> None:
    """
    Continue in a child process, and leave this process behind as its guard; see the module's description.

    Call it in the main thread, before other threads are started and before a database is opened. The guard ends with
    the exit status of the child. Files and folders that either creates are accessible to this user only.
    """
    global _guard, _groups, _umask  # noqa: PLW0603 - one supervisor for each process
    _umask = os.umask(_PRIVATE)
    _groups = mmap.mmap(-1, _GROUPS_SIZE)
    _set(_PR_SET_CHILD_SUBREAPER, 1)
    guard = os.getpid()
    if child := os.fork():
        _guard_until_ended(child)
    _guard = guard
    signal.signal(signal.SIGUSR1, _take_over)
    _set(_PR_SET_PDEATHSIG, signal.SIGUSR1)
    warnings.filterwarnings("ignore", ".*multi-threaded.*fork", DeprecationWarning)  # `_end_with` needs no locks


def start(argv: list[str], **how: Any) -> subprocess.Popen[bytes]:
    """
    Start a process in its own session, with the user's umask, which is killed when this process ends.

    It inherits standard streams and *pass_fds*, but no other descriptor, and no lock. Call it in the main thread: the
    kernel takes the end of the thread for that of the process.

    Args:
        argv: The command.
        how: Further arguments of `subprocess.Popen`.

    Raises:
        OSError: If it cannot be started.
        ValueError: If an argument or a variable cannot be passed to a process.
    """
    parent = os.getpid()
    before = (lambda: _end_with(parent)) if _prctl else None
    process = subprocess.Popen(argv, start_new_session=True, umask=_umask, preexec_fn=before, **how)  # noqa: PLW1509 - see `split`
    _started[:] = [*(other for other in _started if other.poll() is None), process]
    if _groups is not None:
        _groups[:] = " ".join(str(each.pid) for each in _started).encode().ljust(_GROUPS_SIZE)
    return process


def kill_strays() -> None:
    """Kill all processes that were started by `start`, their descendants, and the daemons among these."""
    root = os.getpid() if _guard is None else _guard
    _kill_all(lambda: [pid for pid in descendants(root) if pid != os.getpid()])


def kill_tree(pid: int) -> None:
    """Kill the process group of *pid*, and all descendants of *pid*; not the daemons that they have started."""
    found = descendants(pid)
    _kill_group(pid)
    for child in found:
        _kill(child)


def kill_marked(variable: str, value: str) -> None:
    """
    Kill all processes whose environment has a variable with this value, whatever their parents.

    Only Linux exposes the environment of processes; elsewhere this does nothing.
    """
    mark = os.fsencode(f"{variable}={value}")
    _kill_all(lambda: _marked(mark))


def signal_name(number: int) -> str:
    """
    Return the name of a signal; real-time signals only have a number.

    Example:
        >>> signal_name(9), signal_name(45)
        ('SIGKILL', 'signal 45')
    """
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def descendants(pid: int) -> list[int]:
    """Return the process ids of all descendants that have not ended."""
    children = defaultdict(list)
    ended = set()
    for child, parent, state in _processes():
        children[parent].append(child)
        if state.startswith(_ZOMBIE):
            ended.add(child)
    found, todo = [], [pid]
    while todo:
        more = children.pop(todo.pop(), [])
        found += more
        todo += more
    return [child for child in found if child not in ended]


def _guard_until_ended(child: int) -> None:
    for number in _IGNORED_BY_GUARD:
        signal.signal(number, signal.SIG_IGN)
    ended, status = os.wait()
    while ended != child:
        ended, status = os.wait()
    _kill_groups()
    with contextlib.suppress(ChildProcessError):  # when none is left
        while True:
            if os.waitpid(-1, os.WNOHANG) == (0, 0):  # some have not ended
                _kill_all(lambda: descendants(os.getpid()))
    os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def _kill_groups() -> None:
    """Kill the groups of what was started, where the kernel does not."""
    if _prctl is None and _groups is not None:
        for pid in map(int, _groups[:].split(b"\0")[0].split()):
            _kill_group(pid)


def _take_over(*_: object) -> None:
    """The guard was killed: be the guard of everything that is started from now on."""
    global _guard  # noqa: PLW0603 - as in `split`
    _guard = None
    _set(_PR_SET_CHILD_SUBREAPER, 1)


def _end_with(parent: int) -> None:
    """Have the kernel kill this new process when its parent ends."""
    _set(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it has ended already
        os._exit(1)


def _set(option: int, value: int) -> None:
    if _prctl is not None:
        _prctl(option, value, 0, 0, 0)


def _kill_all(find: Callable[[], list[int]]) -> None:
    for _ in range(_PASSES):
        found = find()
        if not found:
            return
        for pid in found:
            _kill(pid)
        time.sleep(_PAUSE_S)


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _marked(mark: bytes) -> list[int]:
    """Return the processes with a variable; look again while the kernel has not yet set those of a new program."""
    found: list[int] = []
    before: dict[int, int] = {}
    for _ in range(_PASSES):
        contents = dict(_read_all("environ"))
        found = [pid for pid, content in contents.items() if mark in content.split(b"\0")]
        empty = [pid for pid, content in contents.items() if not content and os.path.exists(f"{_PROC}/{pid}/exe")]
        settled = _places_without_variables()
        if found or all(pid in settled and settled[pid] == before.get(pid) for pid in empty):
            break
        before = settled
        time.sleep(_PAUSE_S)
    return found


def _places_without_variables() -> dict[int, int]:
    """Return each process that has no variables, with the address of where they would be: a new program has another."""
    places = {}
    for pid, content in _read_all("stat"):
        start, end = map(int, _fields(content)[_ENVIRONMENT])
        if start == end != 0:  # 0 until the kernel has set them
            places[pid] = start
    return places


def _read_all(name: str) -> Iterator[tuple[int, bytes]]:
    """Yield each process whose file of that name in ``/proc`` can be read, and its content."""
    with contextlib.suppress(FileNotFoundError):  # not Linux
        for pid in filter(str.isdigit, os.listdir(_PROC)):
            with contextlib.suppress(OSError), open(f"{_PROC}/{pid}/{name}", "rb", buffering=0) as file:
                yield int(pid), file.read()


def _fields(stat: bytes) -> list[str]:
    """Return the fields of ``/proc/<pid>/stat`` after the name, from the third one on; see proc_pid_stat(5)."""
    return stat.decode(errors="replace").rpartition(")")[2].split()


def _processes() -> Iterator[tuple[int, int, str]]:
    """Yield each process of this machine, with its parent and its state."""
    if os.path.exists(f"{_PROC}/self/stat"):
        for pid, content in _read_all("stat"):
            state, parent = _fields(content)[:2]
            yield pid, int(parent), state
        return
    with subprocess.Popen(["/bin/ps", "-A", "-o", "pid=,ppid=,stat="], stdout=subprocess.PIPE, text=True) as ps:
        for line in ps.communicate()[0].splitlines():
            child, parent, state = line.split()
            if int(child) != ps.pid:
                yield int(child), int(parent), state
