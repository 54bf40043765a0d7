"""An experiment, its data and its steps: what a program records of its own work."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mnist_tracking._aws.components import check_parameters, create_component
from mnist_tracking._aws.convert import EXPERIMENT_TAG, TRAINING
from mnist_tracking._aws.experiments import (
    attach,
    create_trial,
    delete_trial,
    load_or_create_experiment,
    require_trial,
)
from mnist_tracking._aws.storage import experiment_folder, upload_directory
from mnist_tracking._values.job_checks import is_in_s3
from mnist_tracking._values.names import check_name, unique_name
from mnist_tracking._values.object_checks import check_workspace
from mnist_tracking._values.path_checks import check_path
from mnist_tracking._values.records import Component, NamedTrial, Scalar, trial_name_of
from mnist_tracking._values.settings import check_tags, copied_tags
from mnist_tracking._values.shown import shortened
from mnist_tracking.errors import ConfigError, MnistTrackingError
from mnist_tracking.experiments.data import SharedSteps, data_files, data_uri, fingerprint_of, is_same_data, record_data
from mnist_tracking.experiments.steps import LocalTrial, Step

if TYPE_CHECKING:
    from mnist_tracking.mnist.datasets import Dataset
    from mnist_tracking.workspace import Workspace

__all__ = ["ExperimentRecorder"]

PREPROCESSING = "Preprocessing"


class ExperimentRecorder:
    """
    What `ExperimentRunner` does without a job. Constructing it loads the experiment, or creates it.

    Args:
        workspace: Where the calls go.
        name: The experiment's name.
        description: For a new experiment.
        tags: Put on everything this makes, beside the workspace's.
        create: Ask for a new experiment; one that exists is then an error.

    Raises:
        ConfigError: If SageMaker would refuse the name, and the message shows one that would do; or the tags.
        AlreadyExistsError: If *create* is true and the experiment exists.
    """

    def __init__(
        self,
        workspace: "Workspace",
        name: str,
        *,
        description: str | None = None,
        tags: Mapping[str, str] | None = None,
        create: bool = False,
    ) -> None:
        check_workspace(workspace)
        self.workspace = workspace
        self.name = check_name("experiment", name)
        own = copied_tags(tags)
        check_tags({**own, **workspace.settings.tags})
        self._tags = {**own, **workspace.tags}
        load_or_create_experiment(workspace, name, description=description, tags=self._tags, create=create)
        self._find_steps()

    def _find_steps(self) -> None:
        self._shared = SharedSteps(self.workspace, self.name)
        self._data = self._shared.data

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r} on {self.workspace!r}>"

    @property
    def prefix(self) -> str:
        """Where everything of this experiment goes: ``s3://bucket/prefix/experiment``."""
        return experiment_folder(self.workspace, self.workspace.bucket, self.name)

    @property
    def data_uri(self) -> str | None:
        """Where the prepared dataset is in S3; None before there is one."""
        return data_uri(self._data)

    def prepare_dataset(
        self, data: "str | os.PathLike[str] | Dataset | None" = None, *, require_mnist: bool = False
    ) -> Component:
        """
        Check MNIST, or data in its format, and record and upload them as `upload_dataset` does.

        Args:
            data: A folder of MNIST's four IDX files, raw or .gz, or what `find_mnist` has found. Without it:
                ``MNIST_DATA_DIR``, else the cached download.
            require_mnist: Refuse data that are not MNIST, bit for bit.

        Returns:
            The recorded step.

        Raises:
            DatasetError: If files are missing, truncated, corrupt, or not what *require_mnist* asks for.
        """
        from mnist_tracking.mnist.datasets import Dataset, find_mnist

        if data is not None and not isinstance(data, Dataset):
            data = check_path("data", data)
        dataset = data if isinstance(data, Dataset) else find_mnist(data, require_mnist=require_mnist)
        files = [file.path for file in dataset.files]
        uri = self._upload(dataset.directory, dataset.fingerprint, files)
        return self._use_data(uri, dataset.fingerprint, dataset.parameters(), input_name="mnist-dataset")

    def upload_dataset(
        self,
        directory: str | os.PathLike[str],
        *,
        parameters: Mapping[str, Scalar] | None = None,
        fingerprint: str | None = None,
        files: Sequence[Path] | None = None,
    ) -> Component:
        """
        Upload a folder of data and record that as the step ``Preprocessing``, attached to all later trials.

        Their jobs see the folder as the channel ``training``. Unchanged data are not uploaded twice.

        Args:
            directory: The folder.
            parameters: What to record of the data.
            fingerprint: Names the content: an equal one is taken for the same data. By default a SHA-256 of all of it.
            files: The files below the folder that are sent; by default all.

        Returns:
            The recorded step.

        Raises:
            ConfigError: If an argument is wrong, such as one of *files* that is not below the folder.
            DatasetError: If there is no such folder or file, or none at all, as with `prepare_dataset`.
        """
        folder = check_path("directory", directory)
        chosen = data_files(folder, files)
        given = _checked(parameters)
        if fingerprint is None:
            fingerprint = fingerprint_of(folder, chosen)
        elif not isinstance(fingerprint, str) or not fingerprint:
            raise ConfigError(f"fingerprint={shortened(fingerprint)}; a text is needed, such as a SHA-256.")
        uri = self._upload(folder, fingerprint, chosen)
        return self._use_data(uri, fingerprint, given)

    def _upload(self, directory: Path, fingerprint: str, files: Sequence[Path]) -> str:
        uri = f"{self.prefix}/data/{fingerprint[:16]}"
        if not is_same_data(self._data, uri, fingerprint):
            upload_directory(self.workspace, directory, uri, files=files)
        return uri

    def use_dataset(self, uri: str, *, parameters: Mapping[str, Scalar] | None = None) -> Component:
        """
        Take data that are in S3 already, and record that as `upload_dataset` does; nothing is copied.

        Args:
            uri: Where they are, ``s3://bucket/prefix``.
            parameters: What to record of the data.

        Raises:
            ConfigError: If *uri* is no location in S3.
        """
        if not is_in_s3(uri):
            raise ConfigError(
                f"{shortened(uri)} is no location in S3, such as 's3://bucket/prefix'. upload_dataset() sends one."
            )
        return self._use_data(uri, uri, _checked(parameters))

    def _use_data(
        self, uri: str, fingerprint: str, parameters: Mapping[str, Scalar], input_name: str = "dataset"
    ) -> Component:
        if self._data is not None and is_same_data(self._data, uri, fingerprint):
            return self._data
        with self.step(PREPROCESSING) as step:
            record_data(step, uri, input_name=input_name, fingerprint=fingerprint, parameters=parameters)
        self._data = self._shared.find(PREPROCESSING)
        assert self._data is not None, "recorded just before"  # noqa: S101 - for the type checker
        return self._data

    def step(self, name: str, *, trial: NamedTrial | str | None = None) -> Step:
        """
        Track a step that this program does itself: before, after or beside training.

        Entering the block marks the step ``InProgress``, leaving it ``Completed``; an exception marks it ``Failed``
        with its message, an interrupt from the keyboard ``Stopped``, and goes on.

        Args:
            name: What kind of step it is, such as ``"Evaluation"``.
            trial: The trial that it belongs to. Without one it is attached to all trials that follow, until another
                step of that name takes its place.

        Raises:
            ConfigError: If SageMaker would refuse the name.
            NotFoundError: On entering, if there is no such trial.

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

    @contextmanager
    def _around_step(self, name: str, component: str, trial: str | None) -> Iterator[None]:
        if trial is not None:
            require_trial(self.workspace, trial)
            create_component(self.workspace, component, name, self._tags)
            attach(self.workspace, trial, component)
            yield
        else:
            create_component(self.workspace, component, name, {**self._tags, EXPERIMENT_TAG: self.name})
            with self._shared.adding(name, component):
                yield

    def trial(self, hyperparameters: Mapping[str, Scalar] | None = None, *, name: str | None = None) -> LocalTrial:
        """
        Track a trial that is computed right here, without a training job, on the same leaderboard.

        The block is its training; it ends as that of `step` does.

        Args:
            hyperparameters: What the trial is tried with.
            name: Trial name, unique in the account and region. Defaults to a sortable, generated one.

        Raises:
            ConfigError: If a hyperparameter cannot be recorded, or *name* is refused. Nothing was sent.
            AlreadyExistsError: On entering, if *name* is taken.

        Example:
            >>> workspace = Workspace.embedded()
            >>> runner = ExperimentRunner(workspace, "churn")
            >>> with runner.trial({"C": 1.0}, name="baseline") as trial:
            ...     trial.log_metric("validation:accuracy", 0.91)
            >>> [(trial.trial_name, trial.status) for trial in Leaderboard.load(workspace, "churn")]
            [('baseline', 'Completed')]
            >>> workspace.close()
        """
        given = check_parameters("hyperparameter", {} if hyperparameters is None else hyperparameters)
        trial_name = self._trial_name(name)
        component = self._component_name(TRAINING)
        return LocalTrial(
            self.workspace,
            TRAINING,
            component,
            self._steps_folder,
            around=self._around_trial(trial_name, component),
            parameters=given,
            trial_name=trial_name,
            output_uri=f"{self.prefix}/jobs/{trial_name}/output",
        )

    @contextmanager
    def _around_trial(self, trial: str, component: str) -> Iterator[None]:
        with self._new_trial(trial):
            create_component(self.workspace, component, TRAINING, self._tags)
            attach(self.workspace, trial, component)
        yield

    def _trial_name(self, name: str | None) -> str:
        return unique_name(self.name, "trial") if name is None else check_name("trial", name)

    @contextmanager
    def _new_trial(self, name: str) -> Iterator[None]:
        """Create a trial with the shared steps; it is taken back if the block cannot give it its training."""
        create_trial(self.workspace, name, self.name, self._tags)
        try:
            self._shared.attach_to(name)
            yield
        except MnistTrackingError as error:
            try:
                delete_trial(self.workspace, name)
            except MnistTrackingError as second:  # the first error is the one to be told
                error.add_note(f"The trial {name!r} could not be taken back: {second}")
            raise

    def _component_name(self, display_name: str) -> str:
        return unique_name(f"{self.name}-{display_name.lower()}", "trial component")

    @property
    def _steps_folder(self) -> str:
        return f"{self.prefix}/steps"


def _checked(parameters: Mapping[str, Scalar] | None) -> dict[str, Scalar]:
    """Return what is to be recorded of data, before the data are sent."""
    return check_parameters("parameter", {} if parameters is None else parameters)
