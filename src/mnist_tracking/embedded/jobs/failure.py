"""
Why a script failed: its own failure file, or what SageMaker's training toolkit finds in its output.

The toolkit takes the lines of both streams from the first one on that has the name of a Python error. SageMaker shows
the first 1024 characters of it. See aws/sagemaker-training-toolkit, ``process.py``.
"""

import re
from collections import deque
from collections.abc import Iterable, Sequence
from pathlib import Path

from mnist_tracking.embedded.containment import signal_name
from mnist_tracking.embedded.disk import open_regular

_ERRORS = re.compile(  # as the toolkit's lists: parts of a line, whatever is around them
    "(?:Arithmetic|Assertion|Attribute|BrokenPipe|Buffer|ChildProcess|Connection(?:Aborted|Refused|Reset)?|EOF|"
    "Environment|ExecuteUserScript|FileExists|FileNotFound|FloatingPoint|IO|Import|Indentation|Index|Interrupted|"
    "InvalidArgument|IsADirectory|Key|Lookup|Memory|ModuleNotFound|Name|NotADirectory|NotImplemented|OS|OutOfRange|"
    "Overflow|Permission|Recursion|Reference|ResourceExhausted|Runtime|Syntax|System|Tab|Timeout|Type|UnboundLocal|"
    "Unicode(?:Decode|Encode|Translate)?|Value|ZeroDivision)Error|Exception|Invalid requirement|mpirun.real|ORTE"
)
_TAIL, _HEAD = 40, 1 << 12
_OUT_OF_MEMORY = 137
"""The exit status of a shell whose command was killed by SIGKILL, as by the kernel when memory runs out."""


class ErrorLines:
    """The lines of one stream that explain a failure, and its last lines, for a failure that none explains."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self.last: deque[str] = deque(maxlen=_TAIL)
        self._size = 0

    def extend(self, lines: Iterable[str]) -> None:
        """Add the next lines of the stream."""
        for line in lines:
            self.last.append(line)
            is_begun = bool(self.found) or _ERRORS.search(line) is not None
            if is_begun and self._size < _HEAD:
                self.found.append(line.strip(" :\n"))
                self._size += len(line)


def error_message(output: ErrorLines, errors: ErrorLines) -> str:
    """
    Return the error of a script as the toolkit does: each line once, from standard output first.

    Example:
        >>> output, errors = ErrorLines(), ErrorLines()
        >>> errors.extend(["Traceback:", "  raise ValueError('x')", "ValueError: x"])
        >>> print(error_message(output, errors))
        raise ValueError('x')
         ValueError: x
    """
    text = " ".join(" ".join(f"{line}\n" for line in stream.found) for stream in (output, errors))
    return "\n".join(dict.fromkeys(text.split("\n"))).strip()


def failure_reason(
    argv: Sequence[str], exit_status: int, output: ErrorLines, errors: ErrorLines, *, most: int, where: str = ""
) -> str:
    """
    Return why a script failed, in at most *most* characters.

    Where SageMaker would show no message at all, it is the end of standard error.

    Args:
        argv: The command.
        exit_status: Negative for the number of a signal.
        output: Of standard output.
        errors: Of standard error.
        most: How long the reason may be.
        where: What to add to the kind of error, such as the host.
    """
    code = f"{exit_status}" if exit_status > 0 else f"{exit_status} (killed by {signal_name(-exit_status)})"
    extra = '\nExtraInfo "OutOfMemory: Process killed by SIGKILL (signal 9)"' if exit_status == _OUT_OF_MEMORY else ""
    head = f'AlgorithmError: ExecuteUserScriptError{where}:\nExitCode {code}\nErrorMessage "'
    tail = f'"{extra}\nCommand "{" ".join(argv)[:200]}", exit code: 1'
    room = most - len(head) - len(tail)
    message = error_message(output, errors)[:room] or "\n".join(errors.last)[-room:]
    return head + message + tail


def written_reason(path: Path, most: int) -> str:
    """Return the reason in the failure file of a script, which SageMaker shows instead of its own; empty if none."""
    file = open_regular(path)
    if file is None:
        return ""
    with file:
        text = file.read(4 * most).decode("utf-8", "replace").strip()
    head, tail = "AlgorithmError: ", ", exit code: 1"
    return f"{head}{text[: most - len(head) - len(tail)]}{tail}" if text else ""
