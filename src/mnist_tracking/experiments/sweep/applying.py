"""What a point means for the job of its trial: hyperparameters, inputs, instance type and environment."""

import json
from collections.abc import Mapping
from typing import Any

import attrs

from mnist_tracking._values.records import ParameterValue
from mnist_tracking._values.specs import JobSpec
from mnist_tracking._values.text import did_you_mean, short_repr
from mnist_tracking.errors import ConfigError

__all__ = ["INPUTS", "INSTANCE_TYPE", "JOB", "apply_point", "check_job_name"]

JOB = "job:"
"""Begins the names of dimensions that are not hyperparameters."""

INSTANCE_TYPE = f"{JOB}instance_type"
"""The name of the dimension that is the instance type."""

INPUTS, _ENVIRONMENT = f"{JOB}inputs.", f"{JOB}environment."
"""Begin the names of those that are an input channel, or an environment variable; its name follows."""


def check_job_name(name: str) -> None:
    """Check the name of a dimension that is not a hyperparameter; ConfigError if a job has no such attribute."""
    if name == INSTANCE_TYPE or (name.startswith((INPUTS, _ENVIRONMENT)) and not name.endswith(".")):
        return
    forms = (INSTANCE_TYPE, f"{INPUTS}<channel>", f"{_ENVIRONMENT}<NAME>")
    attribute = name.partition(".")[0]
    suggestion = did_you_mean(attribute, [form.partition(".")[0] for form in forms if form.partition(".")[0] != name])
    raise ConfigError(
        f"{name!r} is not a setting of a job that can vary; expected one of {', '.join(map(repr, forms))}.{suggestion}"
    )


def apply_point(job: JobSpec, point: Mapping[str, ParameterValue]) -> tuple[JobSpec, dict[str, ParameterValue]]:
    """
    Return the job of a trial, and the hyperparameters that the point gives it.

    Args:
        job: The sweep's job.
        point: Values by name; the names that begin with ``job:`` change the job.

    Raises:
        ConfigError: If the job cannot have one of the values.

    Example:
        >>> from pathlib import Path
        >>> _ = Path("train.py").write_text("")
        >>> job, hyperparameters = apply_point(JobSpec("train.py"), {"lr": 0.1, "job:instance_type": "ml.g5.xlarge"})
        >>> job.instance_type, hyperparameters
        ('ml.g5.xlarge', {'lr': 0.1})
    """
    instance_type: Any = job.instance_type
    inputs, environment = dict(job.inputs), dict(job.environment)
    for name, value in point.items():
        if name == INSTANCE_TYPE:
            instance_type = value  # which the job checks
        elif name.startswith(INPUTS):
            inputs[name.removeprefix(INPUTS)] = _string(name, value)
        elif name.startswith(_ENVIRONMENT):
            environment[name.removeprefix(_ENVIRONMENT)] = value if isinstance(value, str) else json.dumps(value)
    hyperparameters = {name: value for name, value in point.items() if not name.startswith(JOB)}
    if len(hyperparameters) == len(point):
        return job, hyperparameters
    changed = attrs.evolve(job, instance_type=instance_type, inputs=inputs, environment=environment)
    return changed, hyperparameters


def _string(name: str, value: ParameterValue) -> str:
    if not isinstance(value, str):
        raise ConfigError(f"{name}={short_repr(value)}; expected an S3 location, or the path of a folder or file.")
    return value
