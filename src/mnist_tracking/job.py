"""
Record metrics, parameters and artifacts from a training script: on a laptop, in SageMaker, or embedded.

::

    from mnist_tracking.job import log_artifact, log_metric, log_parameter

    log_parameter("optimizer", "adam")
    for epoch in range(epochs):
        log_metric("validation:accuracy", accuracy, step=epoch)
    log_artifact("confusion.png")

Everything is printed. In a training job, it is also recorded on the job's trial component: metrics through the log, if
``JobSpec(metrics=["validation:accuracy"])`` lists them; parameters and artifacts at once.

A mistake in the script raises `ConfigError`, on a laptop and in a job alike: a value of a type that cannot be recorded,
a file that does not exist. What happens at run time never raises, so that a record cannot cost hours of training: a
number that is not finite, a string that is too long, no network or no permission is reported on standard error.

In a job with several hosts or processes, call these functions from one of them. This module travels with jobs: it needs
only the standard library, and boto3 in jobs on AWS, where every container has it.
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
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

from mnist_tracking._values.checks import check_path
from mnist_tracking._values.exact import exact_parameters
from mnist_tracking._values.files import copy_tree
from mnist_tracking._values.markers import NON_FINITE
from mnist_tracking._values.recordable import (
    MEDIA_TYPE,
    ParameterValue,
    check_key,
    check_mapping,
    check_metrics,
    check_step,
    encode,
    metric_regex,
    plain_value,
)
from mnist_tracking._values.runtime import RUNTIME, runtime
from mnist_tracking.errors import ConfigError

__all__ = ["log_artifact", "log_metric", "log_metrics", "log_parameter", "log_parameters", "metric_regex"]

#: The variable with the location of the job's other output, ``s3://.../output.tar.gz``; set when the job is started.
OUTPUT_URI = "MNIST_TRACKING_OUTPUT_URI"

_JOB_NAME, _JOB_ARN = "TRAINING_JOB_NAME", "TRAINING_JOB_ARN"
_UPDATES = "MNIST_TRACKING_UPDATES"  # set by the embedded SageMaker: a folder for requests, instead of a network
_MOMENTARY = ("ConflictException", "ResourceNotFound")  # a simultaneous change; a component that is not created yet
_PAUSES_S = (0.5, 1.0, 2.0, 4.0)

_count = itertools.count()
_warnings: set[str] = set()
_non_finite: dict[str, str] = {}  # by metric, the last value if it was not finite
_beside_names: set[str] = set()  # the names of parameters that were recorded beside others
_creating_client = threading.Lock()
_gave_up = threading.Event()


def log_metric(name: str, value: float, *, step: int | None = None) -> None:
    """
    Record one value of a metric, at full precision; see `log_metrics`.

    Args:
        name: Such as ``"validation:accuracy"``; SageMaker records those that ``JobSpec(metrics=...)`` lists.
        value: A number, including NumPy and torch scalars.
        step: The step of the value, from 0.

    Example:
        >>> log_metric("validation:accuracy", 0.9734, step=3)
        metric "validation:accuracy"=0.9734 step=3;
    """
    log_metrics({check_key("metric", name): value}, step=step)


def log_metrics(values: Mapping[str, float], *, step: int | None = None) -> None:
    """
    Record one value for each of several metrics, printing a line for each.

    A value that is not finite is printed but not recorded, since SageMaker accepts only finite ones. The trial is
    marked as ending with it, until a finite value follows; a marked trial is never the best.

    Args:
        values: The values by metric: numbers, including NumPy and torch scalars.
        step: The step of the values, from 0.

    Raises:
        ConfigError: If a value is not a number, or *step* is not an integer >= 0. Nothing was printed.

    Example:
        >>> log_metrics({"train:loss": 0.25, "validation:loss": 0.5}, step=0)
        metric "train:loss"=0.25 step=0;
        metric "validation:loss"=0.5 step=0;
    """
    numbers, number_of_step = check_metrics(values), check_step(step)
    _mark_non_finite(numbers)
    shown_step = "" if number_of_step is None else f" step={number_of_step}"
    for name, number in numbers.items():
        if not math.isfinite(number):
            _warn(f"the metric {name!r} is {number}; SageMaker records finite numbers only.")
        _print("metric", name, f"{number!r}{shown_step}")


def _mark_non_finite(numbers: Mapping[str, float]) -> None:
    """Record which metrics are not finite now, and no longer those that are finite again."""
    ends = {name: "" if math.isfinite(number) else str(number) for name, number in numbers.items()}
    changed = {name: last for name, last in ends.items() if _non_finite.get(name, "") != last}
    _non_finite.update(changed)
    _record("Parameters", {f"{NON_FINITE}{name}": {"StringValue": last} for name, last in changed.items() if last})
    _record("ParametersToRemove", [f"{NON_FINITE}{name}" for name, last in changed.items() if not last])


def log_parameter(name: str, value: object) -> None:
    """
    Record one setting, or any other value that has no steps; see `log_parameters`.

    Example:
        >>> log_parameter("optimizer", "sgd")
        parameter "optimizer"="sgd";
    """
    log_parameters({check_key("parameter", name): value})


def log_parameters(values: Mapping[str, object]) -> None:
    """
    Record settings on the job's trial component; a parameter of the same name is replaced.

    Values are read back as they were recorded.

    Args:
        values: Numbers, including NumPy and torch scalars, strings of up to 2500 characters, booleans, None, and lists
            and mappings of them.

    Raises:
        ConfigError: If a value is of another type. Nothing was recorded.

    Example:
        >>> log_parameters({"lr": 0.1, "shuffle": True, "patience": None})
        parameter "lr"=0.1;
        parameter "shuffle"=true;
        parameter "patience"=null;
    """
    check_mapping("parameter", values)
    plain = {name: plain_value("parameter", name, value) for name, value in values.items()}
    recorded = dict(_recordable(plain))
    if recorded and _is_in_job():
        _record("Parameters", {**recorded, **_beside(plain)})
    for name, value in plain.items():
        _print("parameter", name, json.dumps(value))


def _beside(plain: Mapping[str, ParameterValue]) -> dict[str, dict[str, object]]:
    """Return what is recorded beside parameters: their exact values, and once, what this process runs in."""
    exact = exact_parameters(plain, known=_beside_names)
    texts = exact if RUNTIME in _beside_names else {**exact, RUNTIME: json.dumps(runtime())}
    _beside_names.update(texts)
    return {name: {"StringValue": text} for name, text in texts.items()}


def _recordable(plain: Mapping[str, ParameterValue]) -> Iterator[tuple[str, dict[str, object]]]:
    for name, value in plain.items():
        match encode(value):
            case None:
                _warn(f"the parameter {name!r} is not finite or too long; SageMaker does not record it.")
            case str() as text:
                yield name, {"StringValue": text}
            case number:
                yield name, {"NumberValue": number}


def log_artifact(path: str | os.PathLike[str], *, name: str | None = None) -> None:
    """
    Keep a file or a folder in addition to the model: it is uploaded with the job's ``output.tar.gz``.

    The trial component gets an output artifact of that name; its URI is that of the archive, with the name as the
    fragment. On a laptop, the file stays where it is.

    Args:
        path: A file or a folder; it is copied at once, and may change afterwards.
        name: Its name in the archive and on the component, such as ``"plots/roc.png"``; by default that of the file.
            An artifact of the same name is replaced.

    Raises:
        ConfigError: If the file does not exist or is a special one, or *name* is not a relative path.

    Example:
        >>> _ = Path("notes.txt").write_text("All good.")
        >>> log_artifact("notes.txt")
        artifact "notes.txt"="...notes.txt";
    """
    source = Path(os.path.abspath(check_path("path", path)))
    if not os.path.exists(source):
        raise ConfigError(f"The file or folder {str(source)!r} does not exist.")
    if not (source.is_file() or source.is_dir()):
        raise ConfigError(f"{str(source)!r} is neither a file nor a folder.")
    folder = os.environ.get("SM_OUTPUT_DATA_DIR")
    name = check_key("artifact", _name_in(folder, source) if name is None else name)
    parts = PurePosixPath(name).parts
    if not parts or parts[0] == "/" or ".." in parts:
        raise ConfigError(f"{name!r} is not a name in an archive; expected a relative path, such as 'plots/roc.png'.")
    location = str(source)
    if folder:
        _copy(source, Path(folder, name))
        location = _record_output(name) or str(Path(folder, name))
    _print("artifact", name, json.dumps(location))


def _name_in(folder: str | None, source: Path) -> str:
    """Return the default name of a file, which may be in the output folder already."""
    if folder and source.is_relative_to(folder) and source != Path(folder):
        return source.relative_to(folder).as_posix()
    return source.name


def _copy(source: Path, target: Path) -> None:
    origin, destination = Path(os.path.realpath(source)), Path(os.path.realpath(target))
    if origin == destination:
        return
    if destination.is_relative_to(origin) or origin.is_relative_to(destination):
        raise ConfigError(f"{str(source)!r} cannot be copied to {str(target)!r}: one is inside the other.")
    if target.is_dir():
        shutil.rmtree(target)
    else:
        target.unlink(missing_ok=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        copy_tree(source, target, lambda path, why: _warn(f"{str(path)!r} {why}, so it is left out of the artifact."))
    else:
        shutil.copy2(source, target)


def _record_output(name: str) -> str | None:
    archive = os.environ.get(OUTPUT_URI)
    if not archive and not _is_in_job():
        return None
    if not archive:
        _warn(f"{OUTPUT_URI} is not set; artifacts are kept, but not recorded.")
        return None
    uri = f"{archive}#{quote(name)}"
    media_type = mimetypes.guess_type(name)[0] or ""
    kind = {"MediaType": media_type} if MEDIA_TYPE.fullmatch(media_type) else {}
    _record("OutputArtifacts", {name: {"Value": uri, **kind}})
    return uri


def _print(kind: str, name: str, value: str) -> None:
    """Print a line in a single write, so that the lines of several threads and processes do not mix."""
    sys.stdout.write(f"{kind} {json.dumps(name)}={value};\n")
    sys.stdout.flush()


def _is_in_job() -> bool:
    return bool(os.environ.get(_JOB_ARN))


def _record(member: str, values: Mapping[str, object] | Sequence[str]) -> None:
    """
    Change parameters or artifacts of the trial component of this process's job, if it is in a job.

    Never raises: what cannot be recorded is reported on standard error, once.

    Args:
        member: A member of UpdateTrialComponent's request, such as ``"Parameters"``.
        values: Its value.
    """
    if not _is_in_job() or not values:
        return
    arn = os.environ[_JOB_ARN]
    job = os.environ.get(_JOB_NAME) or arn.rsplit("/", 1)[-1]
    request = {"TrialComponentName": f"{job}-aws-training-job", member: values}
    if folder := os.environ.get(_UPDATES):
        _write_request(Path(folder), request)
    elif not _gave_up.is_set():
        _send(request, arn.split(":")[3])


def _write_request(folder: Path, request: Mapping[str, object]) -> None:
    """Write a request for the embedded SageMaker to a file whose name sorts by time, and which is never incomplete."""
    path = folder / f"{time.time_ns():020d}-{next(_count):09d}-{os.getpid()}.json"
    draft = path.with_suffix(".part")
    try:
        draft.write_text(json.dumps(request), encoding="utf-8")
        draft.rename(path)
    except OSError as error:
        _warn(f"not recorded: {error}")


def _send(request: Mapping[str, Any], region: str, *, pauses_s: Sequence[float] = _PAUSES_S) -> None:
    """
    Send a request to SageMaker, and retry after momentary errors.

    If SageMaker cannot be reached, no more is sent, since each attempt would take long.
    """
    try:
        from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

        with _creating_client:
            client = _client(region, os.getpid())
        _update(client, request, pauses_s)
    except ImportError as error:
        _give_up(error)
    except (ClientError, ParamValidationError) as error:
        _warn(f"not recorded: {error}")
    except BotoCoreError as error:
        _give_up(error)


def _give_up(error: Exception) -> None:
    _gave_up.set()
    _warn(f"values are printed, but not recorded: {error}")


@cache
def _client(region: str, _process_id: int) -> Any:
    """Return the client of this process: connections do not survive a fork."""
    import boto3
    from botocore.config import Config

    config = Config(connect_timeout=5, read_timeout=20, retries={"mode": "standard", "total_max_attempts": 4})
    return boto3.client("sagemaker", region_name=region, config=config)


def _update(client: Any, request: Mapping[str, Any], pauses_s: Sequence[float]) -> None:
    for pause_s in pauses_s:
        try:
            client.update_trial_component(**request)
        except client.exceptions.ClientError as error:
            if error.response["Error"]["Code"] not in _MOMENTARY:
                raise
            time.sleep(pause_s)
        else:
            return
    client.update_trial_component(**request)


def _warn(line: str) -> None:
    """Print a warning on standard error, once."""
    if line not in _warnings:
        _warnings.add(line)
        sys.stderr.write(f"mnist_tracking.job: {line}\n")
        sys.stderr.flush()
