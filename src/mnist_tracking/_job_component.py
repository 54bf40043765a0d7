"""How a training job changes its own trial component. Standard library only, and boto3 inside a job on AWS."""

import itertools
import json
import os
import sys
import threading
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["in_job", "record", "warn"]

_JOB_NAME, _JOB_ARN = "TRAINING_JOB_NAME", "TRAINING_JOB_ARN"
_UPDATES = "MNIST_TRACKING_UPDATES"  # the embedded SageMaker's: a folder that takes requests, in place of a network
_PASSING = ("ConflictException", "ResourceNotFound")  # another change at the same moment; a component not made yet
_PAUSES_S = (0.5, 1.0, 2.0, 4.0)

_count = itertools.count()
_said: set[str] = set()
_creating = threading.Lock()
_gave_up = threading.Event()


def in_job() -> bool:
    """Whether this process is in a training job."""
    return bool(os.environ.get(_JOB_ARN))


def record(member: str, values: Mapping[str, object]) -> None:
    """
    Put parameters or artifacts on the component of the job that this process is in, if it is in one.

    Never raises: what cannot be recorded is said on standard error, once.

    Args:
        member: A member of UpdateTrialComponent's request, such as ``"Parameters"``.
        values: What it is given.
    """
    if not in_job() or not values:
        return
    arn = os.environ[_JOB_ARN]
    job = os.environ.get(_JOB_NAME) or arn.rsplit("/", 1)[-1]
    request = {"TrialComponentName": f"{job}-aws-training-job", member: dict(values)}
    if folder := os.environ.get(_UPDATES):
        _leave(Path(folder), request)
    elif not _gave_up.is_set():
        _send(request, arn.split(":")[3])


def warn(line: str) -> None:
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
        warn(f"not recorded: {error}")


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
        warn(f"not recorded: {error}")
    except BotoCoreError as error:
        _give_up(error)


def _give_up(error: Exception) -> None:
    _gave_up.set()
    warn(f"what this job logs is printed, and not recorded: {error}")


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
