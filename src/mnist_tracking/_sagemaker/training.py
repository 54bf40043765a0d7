"""Start a training job with the real PyTorch estimator, and follow it."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mnist_tracking._sagemaker.convert import ADAPTER, TRAINING
from mnist_tracking._sagemaker.errors import translated
from mnist_tracking._sagemaker.experiments import aws_tags
from mnist_tracking._sagemaker.logs import JobLog
from mnist_tracking._sagemaker.packing import dependencies_of, environment_of
from mnist_tracking._sagemaker.sdk import quiet
from mnist_tracking.errors import ConfigError, JobTimeoutError, MnistTrackingError
from mnist_tracking.jobs import JobSpec
from mnist_tracking.records import Component, Scalar, Status

if TYPE_CHECKING:
    from mnist_tracking.workspace import Workspace

ENDED = frozenset({"Completed", "Failed", "Stopped"})
_VISIBLE_WITHIN_S = 60.0


def start_job(
    workspace: "Workspace",
    spec: JobSpec,
    *,
    job_name: str,
    trial_name: str,
    hyperparameters: Mapping[str, Scalar],
    inputs: Mapping[str, str],
    prefix: str,
) -> None:
    """
    Start the job of one trial; does not wait. *prefix* is where its code and its model go, ``s3://...``.

    Raises:
        ConfigError: If the SDK refuses the job, such as for a version that no container has.
    """
    tags = {**workspace.tags, **({ADAPTER: spec.adapter} if spec.adapter else {})}
    with quiet(), translated(), _refusals():
        from sagemaker.pytorch import PyTorch

        dependencies = dependencies_of(spec)
        environment = environment_of(spec, dependencies, f"{prefix}/jobs/{job_name}/output")
        estimator = PyTorch(
            entry_point=spec.entry_point,
            source_dir=spec.source_dir,
            dependencies=dependencies,
            role=workspace.role,
            framework_version=spec.framework_version,
            py_version=spec.py_version,
            instance_type=spec.instance_type,
            instance_count=spec.instance_count,
            hyperparameters=dict(hyperparameters),
            metric_definitions=[{"Name": m.name, "Regex": m.regex} for m in spec.metrics] or None,
            environment=environment or None,
            max_run=spec.max_run_s,
            output_path=f"{prefix}/jobs",
            code_location=f"{prefix}/jobs",
            sagemaker_session=workspace.sagemaker_session,
            debugger_hook_config=False,
            disable_profiler=True,
            tags=aws_tags(tags),
        )
        estimator.fit(
            inputs=dict(inputs) or None,
            job_name=job_name,
            wait=False,
            experiment_config={"TrialName": trial_name, "TrialComponentDisplayName": TRAINING},
        )


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except MnistTrackingError:
        raise
    except (ValueError, OSError) as error:
        raise ConfigError(f"The SageMaker SDK refuses the job: {error}") from error


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
    """Ask a job to stop; one that has ended already is fine."""
    client = workspace.client("sagemaker")
    with translated():
        if client.describe_training_job(TrainingJobName=job_name)["TrainingJobStatus"] == "InProgress":
            client.stop_training_job(TrainingJobName=job_name)


def wait_for_component(workspace: "Workspace", trial: str, job_name: str) -> Component:
    """
    Wait until Search shows the component of a job that has ended (Search is eventually consistent).

    Raises:
        JobTimeoutError: If it does not within a minute.
    """
    from mnist_tracking._sagemaker.search import iter_components

    begun = time.monotonic()
    while True:
        for component in iter_components(workspace.client("sagemaker"), Parents_TrialName=trial):
            if component.job_name == job_name and component.status in ENDED:
                return component
        if time.monotonic() - begun > _VISIBLE_WITHIN_S:
            raise JobTimeoutError(f"the trial component of {job_name}", _VISIBLE_WITHIN_S)
        time.sleep(workspace.poll_s)
