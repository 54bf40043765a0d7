"""Start a training job by its estimator, and follow it."""

import time
import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from mnist_tracking._aws.convert import TRAINING
from mnist_tracking._aws.errors import is_missing, translated
from mnist_tracking._aws.estimator import refusals
from mnist_tracking._aws.experiments import add_tags, read_component
from mnist_tracking._aws.logs import JobLog
from mnist_tracking._aws.sdk import quiet
from mnist_tracking._values.records import Component, Status
from mnist_tracking._values.specs import JobInput
from mnist_tracking.errors import JobTimeoutError, ServiceError

if TYPE_CHECKING:
    from mnist_tracking.workspace import Workspace

ENDED = frozenset({"Completed", "Failed", "Stopped"})
_VISIBLE_WITHIN_S = 60.0
_NOT_VISIBLE = (
    "The job itself has ended; Search, which is eventually consistent, does not show its trial component yet. "
    "Ask again later."
)


def start_job(estimator: Any, *, job_name: str, trial_name: str, inputs: Mapping[str, JobInput]) -> None:
    """
    Start the job of one trial by its estimator; does not wait.

    Raises:
        ConfigError: If the SDK refuses the inputs.
    """
    with quiet(), translated(), refusals():
        estimator.fit(
            inputs=dict(inputs) or None,
            job_name=job_name,
            wait=False,
            experiment_config={"TrialName": trial_name, "TrialComponentDisplayName": TRAINING},
        )
    if estimator.latest_training_job is None:  # the SDK's telemetry returns from a finally, which drops an interrupt
        raise KeyboardInterrupt


def tag_component(workspace: "Workspace", job_name: str, tags: Mapping[str, str]) -> None:
    """
    Tag the trial component that SageMaker makes of a job, without the job's tags, so that it is found by them.

    SageMaker may need some seconds to make it: then nothing is done yet. Where tags may not be added, a warning says
    so; the job goes on all the same.
    """
    try:
        add_tags(workspace, read_component(workspace, f"{job_name}-aws-training-job").arn, tags)
    except ServiceError as error:
        if not is_missing(error):
            warnings.warn(f"The trial component of the job {job_name!r} has no tags: {error}", stacklevel=2)


def wait_for_job(
    workspace: "Workspace",
    job_name: str,
    *,
    on_line: Callable[[str], None] | None = None,
    timeout_s: float | None = None,
) -> None:
    """
    Wait until a job ends, giving each line of its log to *on_line* as it comes.

    Raises:
        JobTimeoutError: If it takes longer than *timeout_s*.
    """
    begun, pause, logs = time.monotonic(), min(0.02, workspace.poll_s), JobLog(workspace, job_name)
    while True:
        status = job_status(workspace, job_name)
        if on_line is not None:
            for _, line in logs.new_lines():
                on_line(line)
        if status in ENDED:
            return
        if timeout_s is not None and time.monotonic() - begun > timeout_s:
            raise JobTimeoutError(job_name, timeout_s)
        time.sleep(pause)
        pause = min(pause * 1.3, workspace.poll_s)


def job_status(workspace: "Workspace", job_name: str) -> Status:
    """Return how a job stands."""
    with translated():
        status: Status = workspace.client("sagemaker").describe_training_job(TrainingJobName=job_name)[
            "TrainingJobStatus"
        ]
    return status


def failure_reason(workspace: "Workspace", job_name: str) -> str:
    """Return why a job failed, as SageMaker says it; empty if it did not."""
    with translated():
        return str(
            workspace.client("sagemaker").describe_training_job(TrainingJobName=job_name).get("FailureReason", "")
        )


def stop_job(workspace: "Workspace", job_name: str) -> None:
    """Ask a job to stop; one that has ended, or was never started, is fine."""
    try:
        if job_status(workspace, job_name) == "InProgress":
            with translated():
                workspace.client("sagemaker").stop_training_job(TrainingJobName=job_name)
    except ServiceError as error:
        if not is_missing(error) and "job is in status" not in error.detail:
            raise


def wait_for_component(workspace: "Workspace", trial: str, job_name: str) -> Component:
    """
    Wait until Search shows the component of a job that has ended (Search is eventually consistent).

    Raises:
        JobTimeoutError: If it does not within a minute.
    """
    from mnist_tracking._aws.search import iter_components

    begun = time.monotonic()
    while True:
        for component in iter_components(workspace.client("sagemaker"), Parents_TrialName=trial):
            if component.job_name == job_name and component.status in ENDED:
                return component
        if time.monotonic() - begun > _VISIBLE_WITHIN_S:
            raise JobTimeoutError(job_name, _VISIBLE_WITHIN_S, _NOT_VISIBLE)
        time.sleep(workspace.poll_s)
