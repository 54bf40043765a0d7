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

import json
import math
import mimetypes
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from mnist_tracking._job_component import in_job, record, warn
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
            warn(f"the metric {name!r} is {number}; SageMaker records finite numbers only.")
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
    record("Parameters", dict(_recordable(scalars)))
    for name, value in scalars.items():
        _print("parameter", name, json.dumps(value))


def _recordable(scalars: Mapping[str, Scalar]) -> Iterator[tuple[str, dict[str, object]]]:
    for name, value in scalars.items():
        match encode(value):
            case None:
                warn(f"the parameter {name!r} is not finite or too long; SageMaker does not record it.")
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
    if not archive and not in_job():
        return None
    if not archive:
        warn(f"{OUTPUT_URI} does not say where the output goes; artifacts are kept, and not recorded.")
        return None
    uri = f"{archive}#{quote(name)}"
    media_type = mimetypes.guess_type(name)[0] or ""
    kind = {"MediaType": media_type} if MEDIA_TYPE.fullmatch(media_type) else {}
    record("OutputArtifacts", {name: {"Value": uri, **kind}})
    return uri


def _print(kind: str, name: str, value: str) -> None:
    """Print one line by one write, so that lines of several threads and processes do not mix."""
    sys.stdout.write(f"{kind} {json.dumps(name)}={value};\n")
    sys.stdout.flush()
