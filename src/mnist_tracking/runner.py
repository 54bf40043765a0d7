"""ExperimentRunner: an experiment, its data, and its trials."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from mnist_tracking._sagemaker.convert import trial_from_component
from mnist_tracking._sagemaker.errors import translated
from mnist_tracking._sagemaker.experiments import (
    attach,
    create_trial,
    delete_trial,
    load_or_create_experiment,
    record_step,
)
from mnist_tracking._sagemaker.logs import log_tail
from mnist_tracking._sagemaker.names import check_name, unique_name
from mnist_tracking._sagemaker.objects import upload_directory
from mnist_tracking._sagemaker.search import iter_components
from mnist_tracking._sagemaker.training import (
    failure_reason,
    start_job,
    stop_job,
    wait_for_component,
    wait_for_job,
)
from mnist_tracking.errors import ConfigError, JobFailedError, MnistTrackingError
from mnist_tracking.jobs import JobSpec
from mnist_tracking.records import Component, Scalar, TrialResult

if TYPE_CHECKING:
    from mnist_tracking.cleanup import CleanupReport
    from mnist_tracking.workspace import Workspace

__all__ = ["ExperimentRunner", "TrialObserver"]

PREPROCESSING = "Preprocessing"


class TrialObserver(Protocol):
    """What wants to know how trials go. Called from the threads that run them; it must not raise."""

    def started(self, trial_name: str, job_name: str, hyperparameters: Mapping[str, Scalar]) -> None:
        """Take note that a trial's job was started."""

    def logged(self, trial_name: str, line: str) -> None:
        """Take note of a line that a trial's job logged."""

    def ended(self, trial: TrialResult) -> None:
        """Take note of how a trial ended."""


class _Silent:
    def started(self, trial_name: str, job_name: str, hyperparameters: Mapping[str, Scalar]) -> None: ...

    def logged(self, trial_name: str, line: str) -> None: ...

    def ended(self, trial: TrialResult) -> None: ...


class ExperimentRunner:
    """
    Runs trials of one experiment. Constructing it loads the experiment, or creates it.

    **Idempotence.** Constructing it again finds the experiment and its data again; a different description never
    overwrites. **Thread safety.** `run` may be called from several threads at once.

    Args:
        workspace: Where the calls go.
        name: The experiment's name.
        description: For a new experiment.
        job: What each trial trains.
        tags: Put on everything this runner makes, beside the workspace's.
        create: Ask for a new experiment; one that exists is then an error.

    Raises:
        ConfigError: If SageMaker would refuse the name; the message shows one that would do.
        AlreadyExistsError: If *create* is true and the experiment exists.
    """

    def __init__(
        self,
        workspace: "Workspace",
        name: str,
        *,
        description: str | None = None,
        job: JobSpec | None = None,
        tags: Mapping[str, str] | None = None,
        create: bool = False,
    ) -> None:
        self.workspace = workspace
        self.name = check_name("experiment", name)
        self.job = job
        self._tags = {**(tags or {}), **workspace.tags}
        load_or_create_experiment(workspace, name, description=description, tags=self._tags, create=create)
        self._data = self._find_data()

    def __repr__(self) -> str:
        return f"<ExperimentRunner {self.name!r} on {self.workspace!r}>"

    @property
    def prefix(self) -> str:
        """Where everything of this experiment goes: ``s3://bucket/prefix/experiment``."""
        parts = [self.workspace.bucket, self.workspace.prefix, self.name]
        return "s3://" + "/".join(part for part in parts if part)

    @property
    def data_uri(self) -> str | None:
        """Where the prepared dataset is in S3; None before `prepare_dataset`."""
        return self._data.inputs[0].uri if self._data and self._data.inputs else None

    def prepare_dataset(
        self, data_dir: str | os.PathLike[str] | None = None, *, require_mnist: bool = False
    ) -> Component:
        """
        Check a dataset, upload it, and record that as the step ``Preprocessing``, attached to all later trials.

        The same data are not uploaded twice.

        Args:
            data_dir: A folder of MNIST's four IDX files, raw or .gz. Without it: ``MNIST_DATA_DIR``, else the cached
                download.
            require_mnist: Refuse data that are not MNIST, bit for bit.

        Returns:
            The recorded step.

        Raises:
            DatasetError: If files are missing, truncated, corrupt, or not what *require_mnist* asks for.
        """
        from mnist_tracking.datasets import find_mnist

        dataset = find_mnist(data_dir, require_mnist=require_mnist)
        return self.use_prepared(
            dataset.directory,
            fingerprint=dataset.fingerprint,
            parameters=dataset.parameters(),
            files=[file.path for file in dataset.files],
        )

    def use_prepared(
        self,
        directory: str | os.PathLike[str],
        *,
        fingerprint: str,
        parameters: Mapping[str, Scalar],
        files: Sequence[Path] | None = None,
    ) -> Component:
        """
        Upload any folder of data and record that as the step ``Preprocessing``, attached to all later trials.

        Args:
            directory: The folder.
            fingerprint: Names the content; an equal one is taken for the same data, which are not uploaded again.
            parameters: What to record of it.
            files: The files below it that are sent; by default all.
        """
        uri = f"{self.prefix}/data/{fingerprint[:16]}"
        known = self._data
        if known and known.parameters.get("fingerprint") == fingerprint and self.data_uri == uri:
            return known
        upload_directory(self.workspace, directory, uri, files=files)
        name = unique_name(f"{self.name}-preprocessing", "trial component")
        record_step(
            self.workspace,
            name,
            PREPROCESSING,
            parameters={**parameters, "fingerprint": fingerprint},
            inputs={"mnist-dataset" if self._is_mnist else "dataset": uri},
            outputs={},
            tags={**self._tags, _EXPERIMENT: self.name},
        )
        self._data = self._component(name)
        return self._data

    @property
    def _is_mnist(self) -> bool:
        return self.job is not None and self.job.adapter == "digits"

    def run(
        self,
        hyperparameters: Mapping[str, Scalar] | None = None,
        *,
        name: str | None = None,
        timeout_s: float | None = None,
        observer: TrialObserver | None = None,
    ) -> TrialResult:
        """
        Train one model and record it as a trial of this experiment.

        Blocks until the job ends. The trial exists, with status "Failed", even when training fails. Interrupted from
        the keyboard, it asks the job to stop.

        Args:
            hyperparameters: What differs from the job's own hyperparameters.
            name: Trial name, unique in the account and region. Defaults to a sortable, generated one.
            timeout_s: Give up waiting after this many seconds; the job keeps running.
            observer: Told how it goes.

        Returns:
            The finished trial, as recorded.

        Raises:
            ConfigError: If there is no job, a hyperparameter is wrong, or *name* is refused. Nothing was sent.
            AlreadyExistsError: If *name* is taken.
            JobFailedError: If training fails; carries the last lines of the log.
            JobTimeoutError: If it takes longer than *timeout_s*.
        """
        observer = observer or _Silent()
        trial_name, job_name = self._start(hyperparameters or {}, name, observer)
        try:
            wait_for_job(
                self.workspace,
                job_name,
                on_line=lambda line: observer.logged(trial_name, line),
                timeout_s=timeout_s,
            )
        except KeyboardInterrupt:
            stop_job(self.workspace, job_name)
            raise
        component = wait_for_component(self.workspace, trial_name, job_name)
        trial = trial_from_component(component, trial_name)
        observer.ended(trial)
        if trial.status == "Failed":
            reason = failure_reason(self.workspace, job_name)
            raise JobFailedError(job_name, reason, log_tail(self.workspace, job_name))
        return trial

    def _start(
        self, hyperparameters: Mapping[str, Scalar], name: str | None, observer: TrialObserver
    ) -> tuple[str, str]:
        merged = self._require_job().merged(hyperparameters)
        trial_name = check_name("trial", name) if name is not None else unique_name(self.name, "trial")
        job_name = unique_name(self.name, "training job")
        create_trial(self.workspace, trial_name, self.name, self._tags)
        if self._data is not None:
            attach(self.workspace, trial_name, self._data.name)
        try:
            self._start_job(job_name, trial_name, merged)
        except MnistTrackingError:
            delete_trial(self.workspace, trial_name)
            raise
        observer.started(trial_name, job_name, merged)
        return trial_name, job_name

    def _start_job(self, job_name: str, trial_name: str, hyperparameters: Mapping[str, Scalar]) -> None:
        job = self._require_job()
        start_job(
            self.workspace,
            job,
            job_name=job_name,
            trial_name=trial_name,
            hyperparameters=hyperparameters,
            inputs=job.inputs or ({"training": self.data_uri} if self.data_uri else {}),
            prefix=self.prefix,
        )

    def _require_job(self) -> JobSpec:
        if self.job is None:
            raise ConfigError("This runner has no job. Pass job=JobSpec(...) or job=mnist_job() to ExperimentRunner.")
        return self.job

    def cleanup(self) -> "CleanupReport":
        """
        Delete the experiment and all that it made: endpoints, models, components, trials and S3 objects.

        Jobs that still run are stopped first. What this library did not make is left alone and reported. Training jobs
        themselves cannot be deleted on AWS.
        """
        from mnist_tracking.cleanup import clean_experiment

        report = clean_experiment(self.workspace, self.name, self.prefix)
        self._data = None
        return report

    def _component(self, name: str) -> Component:
        found = iter_components(self.workspace.client("sagemaker"), TrialComponentName=name)
        with translated():
            return next(found)

    def _find_data(self) -> Component | None:
        client = self.workspace.client("sagemaker")
        found = list(iter_components(client, **{f"Tags.{_EXPERIMENT}": self.name}))
        return found[-1] if found else None


_EXPERIMENT = "mnist-tracking:experiment"
