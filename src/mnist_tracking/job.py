"""
What a training script may call: the same line records on a laptop, in SageMaker and on the embedded SageMaker.

::

    from mnist_tracking.job import log_artifact, log_metric, log_parameter

    log_parameter("optimizer", "adam")
    for epoch in range(epochs):
        log_metric("validation:accuracy", accuracy, step=epoch)
    log_artifact("confusion.png")

Everything is printed. In a training job it also reaches the job's trial component: metrics by way of the log, as
``JobSpec(metrics=["validation:accuracy"])`` asks for them; parameters and artifacts at once.

A mistake in the script raises `ConfigError`, on a laptop as in the job: a value of a type that cannot be recorded, a
file that is not there. What training or the service brings about never does, so that hours of work are not lost over a
record: a number that is not finite, a text that is too long, no network, no permission are a line on standard error.

In a job on several hosts or processes, call these from one of them. Standard library only, and boto3 inside a job on
AWS, where every container has it: this module travels with the job.
"""

import itertools
import json
import math
import mimetypes
import os
import shutil
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

from mnist_tracking._values.checks import check_path
from mnist_tracking._values.recordable import (
    MEDIA_TYPE,
    Scalar,
    check_key,
    check_mapping,
    check_metrics,
    check_step,
    encode,
    metric_regex,
    scalar,
)
from mnist_tracking.errors import ConfigError

__all__ = ["log_artifact", "log_metric", "log_metrics", "log_parameter", "log_parameters", "metric_regex"]

#: Where the job's other output goes, ``s3://.../output.tar.gz``; set by who starts the job.
OUTPUT_URI = "MNIST_TRACKING_OUTPUT_URI"

_JOB_NAME, _JOB_ARN = "TRAINING_JOB_NAME", "TRAINING_JOB_ARN"
_UPDATES = "MNIST_TRACKING_UPDATES"  # the embedded SageMaker's: a folder that takes requests, in place of a network
_PASSING = ("ConflictException", "ResourceNotFound")  # another change at the same moment; a component not made yet
_PAUSES_S = (0.5, 1.0, 2.0, 4.0)

_count = itertools.count()
_said: set[str] = set()
_creating = threading.Lock()
_gave_up = threading.Event()


def log_metric(name: str, value: float, *, step: int | None = None) -> None:
    """
    Record one value of a metric, at full precision; see `log_metrics`.

    Args:
        name: Such as ``"validation:accuracy"``; SageMaker records those that ``JobSpec(metrics=...)`` lists.
        value: A number; also one of numpy or torch.
        step: Which one it is, from 0.

    Example:
        >>> log_metric("validation:accuracy", 0.9734, step=3)
        metric "validation:accuracy"=0.9734 step=3;
    """
    log_metrics({check_key("metric", name): value}, step=step)


def log_metrics(values: Mapping[str, float], *, step: int | None = None) -> None:
    """
    Record one value for each of several metrics, a line for each.

    A value that is not finite is printed, and not recorded: SageMaker takes none.

    Args:
        values: By metric; numbers, also those of numpy and torch.
        step: Which ones they are, from 0.

    Raises:
        ConfigError: If a value is no number, or *step* no whole number from 0. Nothing was printed.

    Example:
        >>> log_metrics({"train:loss": 0.25, "validation:loss": 0.5}, step=0)
        metric "train:loss"=0.25 step=0;
        metric "validation:loss"=0.5 step=0;
    """
    numbers, number_of_step = check_metrics(values), check_step(step)
    shown_step = "" if number_of_step is None else f" step={number_of_step}"
    for name, number in numbers.items():
        if not math.isfinite(number):
            _warn(f"the metric {name!r} is {number}; SageMaker records finite numbers only.")
        _print("metric", name, f"{number!r}{shown_step}")


def log_parameter(name: str, value: object) -> None:
    """
    Record one setting, or another fact that is known once; see `log_parameters`.

    Example:
        >>> log_parameter("optimizer", "sgd")
        parameter "optimizer"="sgd";
    """
    log_parameters({check_key("parameter", name): value})


def log_parameters(values: Mapping[str, object]) -> None:
    """
    Record settings on the job's trial component, at once; a name that was used before is replaced.

    They are read back as they were put in; whole numbers beyond 2**53 as text, since a component keeps no such numbers.

    Args:
        values: Numbers, also those of numpy and torch, texts of up to 2500 characters, booleans and None.

    Raises:
        ConfigError: If a value is of another type. Nothing was recorded.

    Example:
        >>> log_parameters({"lr": 0.1, "shuffle": True, "patience": None})
        parameter "lr"=0.1;
        parameter "shuffle"=true;
        parameter "patience"=null;
    """
    check_mapping("parameter", values)
    scalars = {name: scalar("parameter", name, value) for name, value in values.items()}
    _record("Parameters", dict(_recordable(scalars)))
    for name, value in scalars.items():
        _print("parameter", name, json.dumps(value))


def _recordable(scalars: Mapping[str, Scalar]) -> Iterator[tuple[str, dict[str, object]]]:
    for name, value in scalars.items():
        match encode(value):
            case None:
                _warn(f"the parameter {name!r} is not finite or too long; SageMaker does not record it.")
            case str() as text:
                yield name, {"StringValue": text}
            case number:
                yield name, {"NumberValue": number}


def log_artifact(path: str | os.PathLike[str], *, name: str | None = None) -> None:
    """
    Keep a file or a folder, beside the model: it travels in the job's ``output.tar.gz``.

    The trial component has an output artifact of that name, whose URI is that of the archive, and the name as its
    fragment. On a laptop the file stays where it is.

    Args:
        path: A file or a folder; copied now, so that it may change afterwards.
        name: Its name in the archive and on the component, such as ``"plots/roc.png"``; that of the file by default.
            A name that was used before is replaced.

    Raises:
        ConfigError: If there is no such file, or *name* is no relative path.

    Example:
        >>> _ = Path("notes.txt").write_text("It went well.")
        >>> log_artifact("notes.txt")
        artifact "notes.txt"="...notes.txt";
    """
    source = Path(os.path.abspath(check_path("path", path)))
    if not os.path.exists(source):
        raise ConfigError(f"There is no file or folder {str(source)!r} to be kept.")
    folder = os.environ.get("SM_OUTPUT_DATA_DIR")
    name = check_key("artifact", _name_in(folder, source) if name is None else name)
    parts = PurePosixPath(name).parts
    if not parts or parts[0] == "/" or ".." in parts:
        raise ConfigError(f"{name!r} is no name in an archive; names are relative paths, such as 'plots/roc.png'.")
    place = str(source)
    if folder:
        _copy(source, Path(folder, name))
        place = _record_output(name) or str(Path(folder, name))
    _print("artifact", name, json.dumps(place))


def _name_in(folder: str | None, source: Path) -> str:
    """Return the name of a file that may be in the output folder already."""
    if folder and source.is_relative_to(folder) and source != Path(folder):
        return source.relative_to(folder).as_posix()
    return source.name


def _copy(source: Path, target: Path) -> None:
    origin, place = source.resolve(), target.resolve()
    if origin == place:
        return
    if place.is_relative_to(origin) or origin.is_relative_to(place):
        raise ConfigError(f"{str(source)!r} cannot be kept as {str(target)!r}: one is inside the other.")
    if target.is_dir():
        shutil.rmtree(target)
    else:
        target.unlink(missing_ok=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    copy = shutil.copytree if source.is_dir() else shutil.copy2
    copy(source, target)


def _record_output(name: str) -> str | None:
    archive = os.environ.get(OUTPUT_URI)
    if not archive and not _in_job():
        return None
    if not archive:
        _warn(f"{OUTPUT_URI} does not say where the output goes; artifacts are kept, and not recorded.")
        return None
    uri = f"{archive}#{quote(name)}"
    media_type = mimetypes.guess_type(name)[0] or ""
    kind = {"MediaType": media_type} if MEDIA_TYPE.fullmatch(media_type) else {}
    _record("OutputArtifacts", {name: {"Value": uri, **kind}})
    return uri


def _print(kind: str, name: str, value: str) -> None:
    """Print one line by one write, so that lines of several threads and processes do not mix."""
    sys.stdout.write(f"{kind} {json.dumps(name)}={value};\n")
    sys.stdout.flush()


def _in_job() -> bool:
    """Whether this process is in a training job."""
    return bool(os.environ.get(_JOB_ARN))


def _record(member: str, values: Mapping[str, object]) -> None:
    """
    Put parameters or artifacts on the component of the job that this process is in, if it is in one.

    Never raises: what cannot be recorded is said on standard error, once.

    Args:
        member: A member of UpdateTrialComponent's request, such as ``"Parameters"``.
        values: What it is given.
    """
    if not _in_job() or not values:
        return
    arn = os.environ[_JOB_ARN]
    job = os.environ.get(_JOB_NAME) or arn.rsplit("/", 1)[-1]
    request = {"TrialComponentName": f"{job}-aws-training-job", member: dict(values)}
    if folder := os.environ.get(_UPDATES):
        _leave(Path(folder), request)
    elif not _gave_up.is_set():
        _send(request, arn.split(":")[3])


def _warn(line: str) -> None:
    """Say something on standard error, once."""
    if line not in _said:
        _said.add(line)
        sys.stderr.write(f"mnist_tracking.job: {line}\n")
        sys.stderr.flush()


def _leave(folder: Path, request: Mapping[str, object]) -> None:
    """Leave a request for the embedded SageMaker; the file's name sorts by time, and appears when it is complete."""
    path = folder / f"{time.time_ns():020d}-{next(_count):09d}-{os.getpid()}.json"
    part = path.with_suffix(".part")
    try:
        part.write_text(json.dumps(request), encoding="utf-8")
        part.rename(path)
    except OSError as error:
        _warn(f"not recorded: {error}")


def _send(request: Mapping[str, Any], region: str) -> None:
    """Call SageMaker; where it cannot be reached at all, later calls are not tried, since each would have to wait."""
    try:
        from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

        with _creating:
            client = _client(region, os.getpid())
        _update(client, request)
    except ImportError as error:
        _give_up(error)
    except (ClientError, ParamValidationError) as error:
        _warn(f"not recorded: {error}")
    except BotoCoreError as error:
        _give_up(error)


def _give_up(error: Exception) -> None:
    _gave_up.set()
    _warn(f"what this job logs is printed, and not recorded: {error}")


@cache
def _client(region: str, _process: int) -> Any:
    """Return a client of this process's own: connections do not survive a fork."""
    import boto3
    from botocore.config import Config

    config = Config(connect_timeout=5, read_timeout=20, retries={"mode": "standard", "total_max_attempts": 4})
    return boto3.client("sagemaker", region_name=region, config=config)


def _update(client: Any, request: Mapping[str, Any]) -> None:
    """Send a request, again after a moment where that may help."""
    for pause_s in _PAUSES_S:
        try:
            client.update_trial_component(**request)
        except client.exceptions.ClientError as error:
            if error.response["Error"]["Code"] not in _PASSING:
                raise
            time.sleep(pause_s)
        else:
            return
    client.update_trial_component(**request)
