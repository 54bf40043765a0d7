"""
The outcome of a training job: when its trial component shows all of it.

DescribeTrainingJob is never behind. The component is: its status and the values of its metrics may reach it some time
after the job has ended, each at its own time.
"""

import ctypes
import math
from collections.abc import Mapping
from typing import Any

import attrs

from mnist_tracking._aws.account import Account
from mnist_tracking._aws.convert import JOB_COMPONENT, component_of_job
from mnist_tracking._aws.errors import if_exists
from mnist_tracking._aws.experiments import claimed_job, read_component
from mnist_tracking._aws.jobs import ENDED, STOPPED, describe_job, end_of, find_job, stop_reason
from mnist_tracking._aws.waiting import Polling, is_settled
from mnist_tracking._values.markers import STOP_REASON
from mnist_tracking._values.records import Component, Metric
from mnist_tracking._values.warning import warn

_PRECISION, _SMALLEST = 2.0**-22, 2.0**-126  # of 32-bit floating-point numbers, with one bit to spare


def started_training(account: Account, trial: str, experiment: str) -> Component | None:
    """Return the training of a trial whose job has no component yet, as the job shows it; None without a job."""
    name = claimed_job(account, trial, experiment)
    job = None if name is None else find_job(account, name)
    return None if job is None else component_of_job(job)


def with_reason(account: Account, component: Component) -> Component:
    """Return the component of a job with the reason why the job was stopped; this needs calls if nobody recorded it."""
    if component.status not in STOPPED or component.job_name is None or STOP_REASON in component.parameters:
        return component
    reason = stop_reason(account, describe_job(account, component.job_name), "")
    return attrs.evolve(component, parameters={**component.parameters, STOP_REASON: reason})


def wait_for_outcome(account: Account, job: Mapping[str, Any]) -> tuple[Component, tuple[str, ...]]:
    """
    Wait until the component of a job shows how the job ended, and the final value of each metric.

    Return the component, without its trials and tags, and the metrics whose final value is outstanding. If something is
    outstanding after `Timing.settled_within_s`, it warns; a component that does not show the end is then read from the
    job itself.

    Args:
        account: Where the job is.
        job: The response of DescribeTrainingJob after the end of the job.
    """
    name, within_s = job["TrainingJobName"], account.timing.settled_within_s
    component, missing, late = None, tuple[str, ...](), list[str]()
    for _ in Polling(account, timeout_s=0.0 if is_settled(account, end_of(job)) else within_s):
        component = if_exists(lambda: read_component(account, name + JOB_COMPONENT))  # SageMaker creates it later
        if component is not None and component.status in ENDED:
            missing = outstanding_metrics(job, component.metrics)
            if not missing:
                return component, ()
    if component is None or component.status not in ENDED:
        component, late = component_of_job(job), ["its end"]
        missing = outstanding_metrics(job, component.metrics)
    late += [f"the final value of {', '.join(map(repr, missing))}"] if missing else []
    warn(
        f"The job {name!r} has ended, and its trial component does not show {' and '.join(late)} within {within_s:g} s."
    )
    return component, missing


def outstanding_metrics(job: Mapping[str, Any], metrics: Mapping[str, Metric]) -> tuple[str, ...]:
    """
    Return the metrics whose final value has not reached the component of a job.

    Args:
        job: The response of DescribeTrainingJob.
        metrics: The metrics that the component shows.
    """
    finals = final_values(job).items()
    return tuple(name for name, value in finals if name not in metrics or not is_final(metrics[name].last, value))


def final_values(job: Mapping[str, Any]) -> dict[str, float]:
    """Return the final value of each metric that DescribeTrainingJob shows."""
    return {final["MetricName"]: final["Value"] for final in job.get("FinalMetricDataList", ())}


def is_final(value: float, final: float) -> bool:
    """Whether a value of a metric is *final*, which has the precision of 32 bits."""
    last = ctypes.c_float(value).value
    return last == final or math.isclose(last, final, rel_tol=_PRECISION, abs_tol=_SMALLEST)
