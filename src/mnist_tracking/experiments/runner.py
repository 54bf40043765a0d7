"""ExperimentRunner: an experiment, its data, its steps, and the trials that are trained for it."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import attrs

from mnist_tracking._aws.account import Account, check_account
from mnist_tracking._aws.components import check_parameters, create_component
from mnist_tracking._aws.convert import EXPERIMENT_TAG, LEAVING_TAG, TRAINING
from mnist_tracking._aws.experiments import (
    attach,
    create_trial,
    load_or_create_experiment,
    remember_objective,
    require_trial,
)
from mnist_tracking._aws.jobs import CHECKPOINTS, checkpoints_of, code_of, make_estimator
from mnist_tracking._aws.removal import delete_trial
from mnist_tracking._aws.storage import experiment_folder
from mnist_tracking._values.checks import check_timeout
from mnist_tracking._values.names import attempt_name, check_name, unique_name
from mnist_tracking._values.provenance import program_code
from mnist_tracking._values.records import Component, NamedTrial, ParameterValue, trial_name_of
from mnist_tracking._values.scripts import mistakes
from mnist_tracking._values.settings import check_tags, copied_tags
from mnist_tracking._values.specs import JobInput, JobSpec
from mnist_tracking._values.sweeps import SweepPlace
from mnist_tracking._values.text import plural
from mnist_tracking._values.warning import warn
from mnist_tracking.errors import ConfigError, MnistTrackingError
from mnist_tracking.experiments.data import ExperimentData
from mnist_tracking.experiments.launch import Launch
from mnist_tracking.experiments.observers import TrialObserver, check_observer
from mnist_tracking.experiments.progress import Showing, check_progress, reporting
from mnist_tracking.experiments.shared_steps import SharedSteps
from mnist_tracking.experiments.steps import LocalTrial, Step
from mnist_tracking.experiments.submission import SubmittedTrial, follow
from mnist_tracking.reading.trial import Trial
from mnist_tracking.upkeep.cleanup import CleanupPlan, CleanupReport, make_plan

__all__ = ["ExperimentRunner"]


class ExperimentRunner:
    """
    Runs and records the trials of one experiment. Constructing it loads the experiment, or creates it.

    **Idempotence.** Constructing it again finds the experiment and its steps; a different description never
    overwrites. **Thread safety.** `run`, `submit`, `step` and `trial` may be called from several threads at once.

    Args:
        workspace: Where the calls go.
        name: The experiment's name.
        description: For a new experiment.
        job: What each trial trains; not needed for steps and for trials that are computed in this process.
        tags: Added to everything that this runner creates, besides the workspace's tags.
        create: Require a new experiment; an existing one is then an error.

    Raises:
        ConfigError: If SageMaker would reject the name (the message suggests one that is allowed), or another argument
            is wrong.
        AlreadyExistsError: If *create* is true and the experiment exists.

    Attributes:
        workspace: Where the calls go.
        name: The experiment's name. SageMaker ignores case in names: this is the name of the existing experiment.
        job: What each trial trains, if anything.

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
        workspace: Account,
        name: str,
        *,
        description: str | None = None,
        job: JobSpec | None = None,
        tags: Mapping[str, str] | None = None,
        create: bool = False,
    ) -> None:
        if job is not None and not isinstance(job, JobSpec):
            raise ConfigError(f"job={job!r}; expected a job, such as JobSpec('train.py').")
        check_account(workspace)
        self.workspace = workspace
        check_name("experiment", name)
        self.job = job
        own = copied_tags(tags)
        check_tags({**own, **workspace.settings.tags})
        self._tags = {**own, **workspace.tags}
        self.name, is_new = load_or_create_experiment(
            workspace,
            name,
            description=description,
            objective=job.objective if job else None,
            tags=self._tags,
            create=create,
        )
        self._is_objective_remembered = is_new and job is not None
        self._find_steps()

    def _find_steps(self) -> None:
        self._shared = SharedSteps(self.workspace, self.name)
        self._data = ExperimentData(self.workspace, self._shared, self.step, lambda: self.prefix)

    def __repr__(self) -> str:
        return f"<ExperimentRunner {self.name!r} on {self.workspace!r}>"

    @property
    def prefix(self) -> str:
        """Where everything of this experiment goes: ``s3://bucket/prefix/experiment``."""
        return experiment_folder(self.workspace, self.workspace.bucket, self.name)

    @property
    def data_uri(self) -> str | None:
        """Where the experiment's data is in S3; None before there is any."""
        return self._data.uri

    def prepare_dataset(self, data: object = None, **options: object) -> Component:
        """
        Read a dataset with the job's own reader, then record and upload it as `upload_dataset` does.

        The reader is ``JobSpec.dataset_reader``. The one of `mnist_job` is `mnist_tracking.mnist.read_mnist`: *data* is
        a folder with MNIST's four IDX files, raw or .gz, or a `mnist_tracking.mnist.Dataset`; without it, the folder in
        ``MNIST_DATA_DIR``, else a cached download. With ``require_mnist=True`` it rejects data that is not MNIST, bit
        for bit.

        Args:
            data: What the reader reads; None for its default.
            **options: Passed to the reader.

        Returns:
            The recorded step.

        Raises:
            ConfigError: If the job has no dataset reader, or the reader does not take the arguments.
            DatasetError: If the data is missing, damaged, or not the expected data.
        """
        return self._data.prepare(self.job, data, options)

    def upload_dataset(
        self,
        directory: str | os.PathLike[str],
        *,
        parameters: Mapping[str, ParameterValue] | None = None,
        fingerprint: str | None = None,
        files: Sequence[Path] | None = None,
    ) -> Component:
        """
        Upload a folder of data, and record it as the step ``Preprocessing`` of all later trials.

        Their jobs read the folder as the channel ``training``. Unchanged data is not uploaded twice.

        Args:
            directory: The folder.
            parameters: What to record about the data.
            fingerprint: Identifies the content: data with an equal fingerprint counts as the same. By default, a
                SHA-256 of all files.
            files: The files below the folder to upload; by default all.

        Returns:
            The recorded step.

        Raises:
            ConfigError: If an argument is wrong, such as a file that is not below the folder.
            DatasetError: If the folder or a file does not exist, or the folder is empty.
        """
        return self._data.upload(directory, parameters=parameters, fingerprint=fingerprint, files=files)

    def use_dataset(self, uri: str, *, parameters: Mapping[str, ParameterValue] | None = None) -> Component:
        """
        Record data that is in S3 already, as `upload_dataset` does; nothing is copied.

        Args:
            uri: The data's location, ``s3://bucket/prefix``.
            parameters: What to record about the data.

        Raises:
            ConfigError: If *uri* is not a location in S3.
        """
        return self._data.use(uri, parameters=parameters)

    def step(self, name: str, *, trial: NamedTrial | str | None = None) -> Step:
        """
        Track a step that this program does itself: before, after or alongside training.

        Entering the block marks the step ``InProgress``, leaving it ``Completed``; an exception marks it ``Failed``
        with its message, Ctrl-C ``Stopped``; both propagate.

        Args:
            name: The kind of step, such as ``"Evaluation"``.
            trial: The trial it belongs to. Without one, it is attached to all later trials, until another step of that
                name replaces it.

        Raises:
            ConfigError: If SageMaker would reject the name.
            NotFoundError: On entering, if the trial does not exist.

        Example:
            >>> workspace = Workspace.embedded()
            >>> runner = ExperimentRunner(workspace, "churn")
            >>> with runner.step("Cleaning") as step:
            ...     step.log_parameters({"rows": 10_000, "shuffled": True})
            ...     step.log_metric("dropped", 12)
            >>> workspace.close()
        """
        check_name("step", name)
        trial_name = None if trial is None else trial_name_of(trial)
        component = self._component_name(name)
        around = self._around_step(name, component, trial_name)
        return Step(self.workspace, name, component, self._steps_folder, around=around)

    def trial(
        self, hyperparameters: Mapping[str, ParameterValue] | None = None, *, name: str | None = None
    ) -> LocalTrial:
        """
        Track a trial that is computed in this process, without a training job, on the same leaderboard.

        The block is its training; it is marked as `step` marks a step.

        Args:
            hyperparameters: The trial's hyperparameters.
            name: Trial name, unique in the account and region. Defaults to a sortable, generated one.

        Raises:
            ConfigError: If a hyperparameter cannot be recorded, or *name* is not allowed. Nothing was sent.
            AlreadyExistsError: On entering, if *name* is taken.

        Example:
            >>> workspace = Workspace.embedded()
            >>> runner = ExperimentRunner(workspace, "churn")
            >>> with runner.trial({"C": 1.0}, name="baseline") as trial:
            ...     trial.log_metric("validation:accuracy", 0.91)
            >>> [(trial.name, trial.status) for trial in Leaderboard.load(workspace, "churn")]
            [('baseline', 'Completed')]
            >>> workspace.close()
        """
        given = check_parameters("hyperparameter", {} if hyperparameters is None else hyperparameters)
        trial_name = self._trial_name(name)
        component = self._component_name(TRAINING)
        return LocalTrial(
            self.workspace,
            trial_name,
            component,
            self._steps_folder,
            experiment=self.name,
            around=self._around_trial(trial_name, component),
            parameters=given,
            output_uri=f"{self.prefix}/jobs/{trial_name}/output",
        )

    def submit(
        self,
        hyperparameters: Mapping[str, ParameterValue] | None = None,
        *,
        name: str | None = None,
        resume_from: NamedTrial | str | None = None,
    ) -> SubmittedTrial:
        """
        Start training one model as a trial of this experiment, without waiting for it.

        After an error or an interrupt, the trial is deleted again, or its job is stopped if that was started.

        Args:
            hyperparameters: Overrides of the job's own hyperparameters.
            name: Trial name, unique in the account and region. Defaults to a sortable, generated one.
            resume_from: A trial whose checkpoints the job starts with and adds to. By default, its checkpoints are
                below the job's ``checkpoint_s3_uri``, if it has one, in a folder with the trial's name.

        Returns:
            A handle to follow it, wait for it and stop it. The job runs without it; `Workspace.submitted` returns
            another one.

        Raises:
            ConfigError: If there is no job, a hyperparameter is wrong, or *name* is not allowed. Nothing was sent.
            AlreadyExistsError: If *name* is taken.
            NotFoundError: If the trial to resume from does not exist.
            StateError: If it has no checkpoints.
        """
        return launch_of(self, hyperparameters, name, resume_from=resume_from).submit()

    def run(
        self,
        hyperparameters: Mapping[str, ParameterValue] | None = None,
        *,
        name: str | None = None,
        resume_from: NamedTrial | str | None = None,
        timeout_s: float | None = None,
        observer: TrialObserver | None = None,
        progress: Showing = None,
    ) -> Trial:
        """
        Train one model as a trial of this experiment: `submit`, and wait.

        Blocks until the job ends. The trial exists, with status "Failed", even when training fails. Ctrl-C also
        requests the job to stop.

        Args:
            hyperparameters: Overrides of the job's own hyperparameters.
            name: Trial name, unique in the account and region. Defaults to a sortable, generated one.
            resume_from: A trial whose checkpoints the job starts with and adds to, as for `submit`.
            timeout_s: Give up waiting after this many seconds; the job keeps running.
            observer: Called as the trial progresses.
            progress: Whether to show the progress on standard error; ``"plain"`` shows lines instead of a table, for
                example for a screen reader. By default it is shown on a terminal and in a notebook, unless there is an
                *observer*.

        Returns:
            The finished trial, as recorded. Its status is "Completed", or "Stopped" if the job was stopped.

        Raises:
            ConfigError: If there is no job, an argument is wrong, or *name* is not allowed. Nothing was sent.
            AlreadyExistsError: If *name* is taken.
            NotFoundError: If the trial to resume from does not exist.
            StateError: If it has no checkpoints.
            JobFailedError: If training fails; carries the last lines of the log.
            JobTimeoutError: If it takes longer than *timeout_s*.
        """
        check_timeout(timeout_s)
        check_observer(observer)
        check_progress(progress)
        launch = launch_of(self, hyperparameters, name, resume_from=resume_from)
        merged = launch.hyperparameters
        try:
            submitted = launch.submit()
            with reporting(self._require_job(), [merged], observer=observer, progress=progress) as report:
                return follow(submitted, merged, report, timeout_s=timeout_s)
        except KeyboardInterrupt:
            launch.stop()
            raise

    def cleanup_plan(
        self,
        *,
        trials: Iterable[NamedTrial | str] | None = None,
        older_than: timedelta | datetime | None = None,
        keep_data: bool = False,
        include_foreign: bool = False,
        ignore_readers: bool = False,
    ) -> CleanupPlan:
        """
        Plan a cleanup of this experiment, as `Workspace.cleanup_plan` does, with its arguments.

        Raises:
            NotFoundError: If the experiment, or one of *trials*, does not exist.
            ConfigError: If one of *trials* is not a trial, or *older_than* is a time without a time zone.
        """
        plan = make_plan(
            self.workspace,
            self.name,
            trials=trials,
            older_than=older_than,
            keep_data=keep_data,
            include_foreign=include_foreign,
            ignore_readers=ignore_readers,
        )
        return attrs.evolve(plan, on_end=self._find_steps)  # the runner must forget steps that are gone then

    def cleanup(self) -> CleanupReport:
        """
        Delete the experiment and everything it created: endpoints, models, components, trials and S3 objects.

        Running jobs are stopped first. What this library did not create is kept and reported. Training jobs themselves
        cannot be deleted on AWS. This is `cleanup_plan` and its ``execute()`` in one call: failures are in the report,
        and a second call continues.

        Raises:
            NotFoundError: If the experiment does not exist.
        """
        return self.cleanup_plan().execute()

    @contextmanager
    def _around_step(self, name: str, component: str, trial: str | None) -> Iterator[None]:
        if trial is not None:
            require_trial(self.workspace, trial)
            self._create_attached(trial, component, name)
            yield
        else:
            create_component(self.workspace, component, name, {**self._tags, EXPERIMENT_TAG: self.name})
            with self._shared.adding(name, component):
                yield

    @contextmanager
    def _around_trial(self, trial: str, component: str) -> Iterator[None]:
        self._remember_objective()
        with self._new_trial(trial):
            self._create_attached(trial, component, TRAINING)
        yield

    def _create_attached(self, trial: str, component: str, display_name: str) -> None:
        """Create a trial's component; if a killed program has not attached it, a cleanup finds it by its tag."""
        create_component(self.workspace, component, display_name, {**self._tags, LEAVING_TAG: self.name})
        attach(self.workspace, trial, component)

    def _trial_name(self, name: str | None) -> str:
        return unique_name(self.name, "trial") if name is None else check_name("trial", name)

    @contextmanager
    def _new_trial(self, name: str) -> Iterator[None]:
        """Create a trial with the shared steps; delete it again if the block fails."""
        create_trial(self.workspace, name, self.name, self._tags, program_code())
        try:
            self._shared.attach_to(name)
            yield
        except BaseException as error:
            try:
                delete_trial(self.workspace, name)
            except MnistTrackingError as second:  # the first error is the one to report
                error.add_note(f"The trial {name!r} could not be deleted again: {second}")
            raise

    def _prepare(self, inputs: Mapping[str, JobInput]) -> dict[str, JobInput]:
        """Do what precedes the creation of a trial with a job, and return the inputs of the job, in S3."""
        self._remember_objective()
        return self._data.in_s3(inputs)

    def _component_name(self, display_name: str) -> str:
        return unique_name(f"{self.name}-{display_name.lower()}", "trial component")

    @property
    def _steps_folder(self) -> str:
        return f"{self.prefix}/steps"

    def _remember_objective(self) -> None:
        """Tag the experiment with the job's objective, once, so that a leaderboard ranks by it by default."""
        if self.job is not None and self.job.objective is not None and not self._is_objective_remembered:
            self._is_objective_remembered = remember_objective(self.workspace, self.name, self.job.objective)

    def _require_job(self) -> JobSpec:
        if self.job is None:
            raise ConfigError("This runner has no job. Pass job=JobSpec(...) or job=mnist_job() to ExperimentRunner.")
        return self.job


def launch_of(
    runner: ExperimentRunner,
    hyperparameters: Mapping[str, ParameterValue] | None,
    trial_name: str | None = None,
    *,
    job: JobSpec | None = None,
    place: SweepPlace | None = None,
    resume_from: NamedTrial | str | None = None,
) -> Launch:
    """
    Return the launch of a trial; nothing of it has been sent.

    Args:
        runner: The experiment.
        hyperparameters: The trial's own hyperparameters.
        trial_name: The trial's name; None generates one.
        job: What it trains; by default the runner's job.
        place: Its place in a sweep. The attempts at a slot share their checkpoints.
        resume_from: A trial whose checkpoints the job starts with and adds to.

    Raises:
        ConfigError: If the runner has no job, a hyperparameter is wrong, or *trial_name* is not allowed.
        NotFoundError: If the trial to resume from does not exist.
        StateError: If it has no checkpoints.
    """
    job, tags = job or runner._require_job(), runner._tags
    merged = job.merged({} if hyperparameters is None else hyperparameters)
    inputs = job.inputs_with(runner.data_uri)
    for mistake in mistakes(job, merged):
        warn(mistake)
    name = runner._trial_name(trial_name)
    own = name if place is None else attempt_name(place.sweep, place.slot, 1)
    checkpoint_uri = _checkpoint_uri(runner, job, own, resume_from)
    return Launch(
        runner.workspace,
        runner.name,
        name,
        merged,
        tags,
        code_of(job),
        partial(runner._prepare, inputs),
        partial(
            make_estimator,
            runner.workspace,
            job,
            hyperparameters=merged,
            prefix=runner.prefix,
            tags=tags,
            reserved={} if place is None else place.hyperparameters(),
            checkpoint_uri=checkpoint_uri,
        ),
        runner._shared.attach_to,
    )


def check_room(runner: ExperimentRunner, *, trials: int, more: int) -> None:
    """
    Check that an experiment has room for more trials, and each of them for its training and the shared steps.

    Args:
        runner: The experiment.
        trials: How many trials it has.
        more: How many are to be created.

    Raises:
        ConfigError: If a quota of the workspace is too small.
    """
    settings, components = runner.workspace.settings, len(runner._shared) + 1
    if settings.trial_quota is not None and trials + more > settings.trial_quota:
        has = f", and the experiment {runner.name!r} has {plural(trials, 'trial')}" if trials else ""
        raise ConfigError(
            f"{plural(more, 'trial')} to train{has}; an experiment can have {settings.trial_quota}. Train fewer, use "
            "another experiment, or pass trial_quota= to the workspace if AWS has raised yours."
        )
    if settings.component_quota is not None and components > settings.component_quota:
        raise ConfigError(
            f"Each trial would have {components} components, its training and the shared steps of {runner.name!r}; a "
            f"trial can have {settings.component_quota}. Record steps with trial=, or pass component_quota= to the "
            "workspace if AWS has raised yours."
        )


def _checkpoint_uri(
    runner: ExperimentRunner, job: JobSpec, trial_name: str, resume_from: NamedTrial | str | None
) -> str | None:
    """Return the location of a trial's checkpoints: its own, below the job's, or that of the trial that it resumes."""
    if resume_from is not None:
        return checkpoints_of(runner.workspace, trial_name_of(resume_from))
    location = job.estimator.get(CHECKPOINTS)
    return f"{location.rstrip('/')}/{trial_name}" if isinstance(location, str) else None
