"""ExperimentRunner: an experiment whose trials are trained by jobs."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol

import attrs

from mnist_tracking._aws.estimator import make_estimator
from mnist_tracking._aws.jobs import start_job, stop_job, tag_component
from mnist_tracking._values.names import unique_name
from mnist_tracking._values.object_checks import check_observer
from mnist_tracking._values.records import NamedTrial, Scalar, TrialResult
from mnist_tracking._values.specs import JobSpec
from mnist_tracking.errors import ConfigError
from mnist_tracking.experiments.recorder import ExperimentRecorder
from mnist_tracking.experiments.submission import SubmittedTrial, check_timeout, follow

if TYPE_CHECKING:
    from mnist_tracking.upkeep.cleanup import CleanupPlan, CleanupReport
    from mnist_tracking.workspace import Workspace

__all__ = ["ExperimentRunner", "TrialObserver"]


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


class ExperimentRunner(ExperimentRecorder):
    """
    Runs trials of one experiment. Constructing it loads the experiment, or creates it.

    **Idempotence.** Constructing it again finds the experiment and its steps again; a different description never
    overwrites. **Thread safety.** `run`, `submit`, `step` and `trial` may be called from several threads at once.

    Args:
        workspace: Where the calls go.
        name: The experiment's name.
        description: For a new experiment.
        job: What each trial trains.
        tags: Put on everything this runner makes, beside the workspace's.
        create: Ask for a new experiment; one that exists is then an error.

    Raises:
        ConfigError: If SageMaker would refuse the name, and the message shows one that would do; or another argument.
        AlreadyExistsError: If *create* is true and the experiment exists.

    Example:
        >>> from pathlib import Path
        >>> _ = Path("train.py").write_text("print('accuracy=0.9')")
        >>> with Workspace.embedded() as workspace:
        ...     job = JobSpec("train.py", metrics={"accuracy": "accuracy=(.*)"})
        ...     trial = ExperimentRunner(workspace, "churn", job=job).run(name="baseline")
        >>> trial.status, trial.metrics["accuracy"].last
        ('Completed', 0.9)
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
        if job is not None and not isinstance(job, JobSpec):
            raise ConfigError(f"job={job!r}; a job is needed, such as JobSpec('train.py').")
        super().__init__(workspace, name, description=description, tags=tags, create=create)
        self.job = job

    def submit(self, hyperparameters: Mapping[str, Scalar] | None = None, *, name: str | None = None) -> SubmittedTrial:
        """
        Start the training of one model as a trial of this experiment, and do not wait.

        Args:
            hyperparameters: What differs from the job's own hyperparameters.
            name: Trial name, unique in the account and region. Defaults to a sortable, generated one.

        Returns:
            What to look at it with, wait for it, and stop it. The job goes on without; `Workspace.submitted` gives
            another one.

        Raises:
            ConfigError: If there is no job, a hyperparameter is wrong, or *name* is refused. Nothing was sent.
            AlreadyExistsError: If *name* is taken.
        """
        merged = self._require_job().merged({} if hyperparameters is None else hyperparameters)
        return self._submit(merged, name, unique_name(self.name, "training job"))

    def run(
        self,
        hyperparameters: Mapping[str, Scalar] | None = None,
        *,
        name: str | None = None,
        timeout_s: float | None = None,
        observer: TrialObserver | None = None,
    ) -> TrialResult:
        """
        Train one model and record it as a trial of this experiment: `submit`, and wait.

        Blocks until the job ends. The trial exists, with status "Failed", even when training fails. Interrupted from
        the keyboard, it asks the job to stop.

        Args:
            hyperparameters: What differs from the job's own hyperparameters.
            name: Trial name, unique in the account and region. Defaults to a sortable, generated one.
            timeout_s: Give up waiting after this many seconds; the job keeps running.
            observer: Told how it goes.

        Returns:
            The finished trial, as recorded. Its status is "Completed", or "Stopped" if somebody stopped the job.

        Raises:
            ConfigError: If there is no job, an argument is wrong, or *name* is refused. Nothing was sent.
            AlreadyExistsError: If *name* is taken.
            JobFailedError: If training fails; carries the last lines of the log.
            JobTimeoutError: If it takes longer than *timeout_s*.
        """
        check_timeout(timeout_s)
        check_observer(observer)
        merged = self._require_job().merged({} if hyperparameters is None else hyperparameters)
        job_name = unique_name(self.name, "training job")
        try:
            submitted = self._submit(merged, name, job_name)
            return follow(submitted, merged, observer or _Silent(), timeout_s=timeout_s)
        except KeyboardInterrupt:
            stop_job(self.workspace, job_name)  # at whatever moment: it may not have been started yet
            raise

    def _submit(self, hyperparameters: Mapping[str, Scalar], name: str | None, job_name: str) -> SubmittedTrial:
        job = self._require_job()
        inputs = job.inputs_with(self.data_uri)
        estimator = make_estimator(
            self.workspace,
            job,
            job_name=job_name,
            hyperparameters=hyperparameters,
            prefix=self.prefix,
            tags=self._tags,
        )
        trial_name = self._trial_name(name)
        with self._new_trial(trial_name):
            start_job(estimator, job_name=job_name, trial_name=trial_name, inputs=inputs)
        tag_component(self.workspace, job_name, self._tags)
        return SubmittedTrial(self.workspace, trial_name, job_name)

    def cleanup_plan(
        self,
        *,
        trials: Iterable[NamedTrial | str] | None = None,
        older_than: timedelta | datetime | None = None,
        keep_data: bool = False,
        include_foreign: bool = False,
    ) -> "CleanupPlan":
        """
        List what a cleanup of this experiment would delete, as `Workspace.cleanup_plan` does, with its arguments.

        Raises:
            NotFoundError: If the experiment, or one of *trials*, does not exist.
            ConfigError: If one of *trials* is no trial, or *older_than* is a time without a time zone.
        """
        plan = self.workspace.cleanup_plan(
            self.name, trials=trials, older_than=older_than, keep_data=keep_data, include_foreign=include_foreign
        )
        return attrs.evolve(plan, on_end=self._find_steps)  # a runner knows its steps, some of which may be gone then

    def cleanup(self) -> "CleanupReport":
        """
        Delete the experiment and all that it made: endpoints, models, components, trials and S3 objects.

        Jobs that still run are stopped first. What this library did not make is left alone and reported. Training jobs
        themselves cannot be deleted on AWS. It is `cleanup_plan` and its ``execute()`` in one: what failed is in the
        report, and calling again carries on.

        Raises:
            NotFoundError: If the experiment does not exist, or no more.
        """
        return self.cleanup_plan().execute()

    def _require_job(self) -> JobSpec:
        if self.job is None:
            raise ConfigError("This runner has no job. Pass job=JobSpec(...) or job=mnist_job() to ExperimentRunner.")
        return self.job
