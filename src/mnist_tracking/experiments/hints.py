"""What to do about the two mistakes that most often fail a script's first job."""

import re
from collections.abc import Iterable, Sequence

_NO_MODULE = re.compile(r"No module named '([^']+)'")
_NO_CHANNEL = re.compile(r"(?:SM_CHANNEL_|[/\\]input[/\\]data[/\\])(\w+)")
_MISSING = re.compile(r"KeyError|NotFound|No such file|not found|is not set|missing", re.IGNORECASE)


def failure_hint(lines: Iterable[str], channels: Sequence[str]) -> str:
    """
    Return what to do about a failure; empty if the log shows neither a missing module nor a missing input channel.

    Args:
        lines: The end of the job's log.
        channels: The job's input channels.

    Example:
        >>> failure_hint(["KeyError: 'SM_CHANNEL_TRAIN'"], ["training"])  # doctest: +ELLIPSIS
        "The job has no input channel 'train'. Its channels: 'training'. ..."
    """
    for line in reversed(list(lines)):
        if module := _NO_MODULE.search(line):
            return _module_hint(module[1])
        channel = _NO_CHANNEL.search(line)
        if channel and _MISSING.search(line) and channel[1].lower() not in {name.lower() for name in channels}:
            return _channel_hint(channel[1].lower() if "SM_CHANNEL_" in line else channel[1], channels)
    return ""


def _module_hint(module: str) -> str:
    return (
        f"If {module!r} is a file next to the script, send the whole folder: source_dir='.' in Python, --source-dir . "
        "on the command line. If it is a package, list it in a requirements.txt in that folder."
    )


def _channel_hint(channel: str, channels: Sequence[str]) -> str:
    there = f"Its channels: {', '.join(map(repr, channels))}" if channels else "It has no channels at all"
    return (
        f"The job has no input channel {channel!r}. {there}. runner.upload_dataset(folder), or --data FOLDER on the "
        f"command line, adds the channel 'training'; JobSpec(inputs={{{channel!r}: 's3://...'}}), or "
        f"--input {channel}=s3://..., adds this one."
    )
