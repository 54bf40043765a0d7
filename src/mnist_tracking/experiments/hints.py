"""What to do about the mistakes that most often fail a script's first job: one table of patterns."""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from mnist_tracking._values.metric_lines import NOTE

Advice = Callable[[re.Match[str], Sequence[str]], str]
"""Returns what to do about a line that matches, given the job's channels; empty if the facts say otherwise."""


class _Diagnosis(NamedTuple):
    """A mistake: how a line of the log shows it, and what to do."""

    pattern: re.Pattern[str]
    advice: Advice


def failure_hint(lines: Iterable[str], channels: Sequence[str]) -> str:
    """
    Return what to do about a failure; empty if the log shows none of the known mistakes.

    Args:
        lines: The end of the job's log.
        channels: The job's input channels.

    Example:
        >>> failure_hint(["KeyError: 'SM_CHANNEL_TRAIN'"], ["training"])  # doctest: +ELLIPSIS
        "The job has no input channel 'train'. Its channels: 'training'. ..."
    """
    for line in reversed(list(lines)):
        for pattern, advice in _DIAGNOSES:
            match = pattern.search(line)
            hint = advice(match, channels) if match else ""
            if hint:
                return hint
    return ""


def loss_hint(lines: Iterable[str]) -> str:
    """Return why a completed job has no model; empty if its log does not show it."""
    return next((line.removeprefix(NOTE) for line in lines if line.startswith(NOTE) and _LOST.search(line)), "")


def _variable_channel(match: re.Match[str], channels: Sequence[str]) -> str:
    return _channel_hint(match[1].lower(), channels)


def _folder_channel(match: re.Match[str], channels: Sequence[str]) -> str:
    return _channel_hint(match[1], channels)


def _channel_hint(channel: str, channels: Sequence[str]) -> str:
    if channel.lower() in {name.lower() for name in channels}:
        return ""
    there = f"Its channels: {', '.join(map(repr, channels))}" if channels else "It has no channels at all"
    return (
        f"The job has no input channel {channel!r}. {there}. runner.upload_dataset(folder), or --data FOLDER on the "
        f"command line, adds the channel 'training'; JobSpec(inputs={{{channel!r}: folder or 's3://...'}}), or "
        f"--input {channel}=..., adds this one."
    )


def _said(text: str) -> Advice:
    """Return the same advice for every match; its braces stand for the match's groups."""
    return lambda match, _channels: text.format(*match.groups())


_MISSING = r"(?:KeyError|NotFound|No such file|not found|is not set|missing)"
_LOST = re.compile(r"of this machine is not the job's|so nothing of it is kept|so it is not in model\.tar\.gz")
_DIAGNOSES = tuple(
    _Diagnosis(re.compile(pattern, re.IGNORECASE), advice)
    for pattern, advice in (
        (
            r"No module named '(sagemaker_containers|sagemaker_training)\b",
            _said(
                "{0!r} is a toolkit of SageMaker's containers that scripts need not import. Read what it provides from "
                "the variables, such as os.environ['SM_MODEL_DIR'] and os.environ['SM_CHANNEL_TRAINING']."
            ),
        ),
        (
            r"No module named '?([\w.-]+/[\w./-]+)",
            _said(
                "The code has a setup.py, so SageMaker runs the entry point as a module, which {0!r} cannot be. Pass "
                "the folder of the script as source_dir, or a script at the top of source_dir."
            ),
        ),
        (
            r"No module named '([^']+)'",
            _said(
                "If {0!r} is a file next to the script, send the whole folder: source_dir='.' in Python, --source-dir "
                ". on the command line. If it is a package, list it in a requirements.txt in that folder."
            ),
        ),
        (rf"(?:(?={_MISSING}).*|(?=.*{_MISSING}).*)SM_CHANNEL_(\w+)", _variable_channel),
        (rf"(?:(?={_MISSING}).*|(?=.*{_MISSING}).*)[/\\]input[/\\]data[/\\](\w+)", _folder_channel),
        (r"(.* is a path of SageMaker's containers.*)", _said("{0}")),  # logged by the embedded SageMaker
        (
            r"NoCredentialsError|Unable to locate credentials",
            _said(
                "The job has no AWS credentials: jobs of the embedded SageMaker never have any, and jobs on AWS have "
                "those of their role. Pass data in S3 as an input channel: JobSpec(inputs={{'train': 's3://...'}})."
            ),
        ),
        (
            r"(?:unrecognized arguments: |unexpected extra arguments? \()(?:True|False)\b",
            _said(
                "SageMaker passes each hyperparameter as --name value, so a flag of the script gets a value. Pass "
                "flags as JobSpec(arguments=['{{amp:--amp}}', ...]), where amp is the hyperparameter."
            ),
        ),
        (
            r"(?:unrecognized arguments:|No such option:?|Unknown command line flag) ['\"]?(?:--)?([\w.-]+)",
            _said(
                "The script does not accept --{0}. SageMaker passes each hyperparameter as --name value; if the script "
                "takes name=value, flags or a subcommand, describe its arguments: JobSpec(arguments=['{{}}={{}}'])."
            ),
        ),
        (
            r"entry point '(/[^']*)'",
            _said("{0!r} is a path of this machine. entry_point is relative to source_dir, such as 'train.py'."),
        ),
    )
)
