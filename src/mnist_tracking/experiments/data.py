"""The steps of an experiment that its later trials share, and the data among them."""

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mnist_tracking._aws.convert import EXPERIMENT_TAG
from mnist_tracking._aws.experiments import attach, read_component
from mnist_tracking._aws.search import iter_components
from mnist_tracking._values.path_checks import check_path
from mnist_tracking._values.records import Component, Scalar
from mnist_tracking._values.shown import shortened
from mnist_tracking.errors import ConfigError, DatasetError
from mnist_tracking.experiments.steps import Step

if TYPE_CHECKING:
    from mnist_tracking.workspace import Workspace

FINGERPRINT = "fingerprint"
_DATA_INPUTS = ("dataset", "mnist-dataset")
_SPOILT = ("Failed", "Stopping", "Stopped")


def latest_good(steps: Iterable[Component]) -> dict[str, str]:
    """Return the components that later trials share, by display name, out of shared steps in order of creation."""
    return {step.display_name: step.name for step in steps if step.status not in _SPOILT}


def latest_data(steps: Iterable[Component]) -> Component | None:
    """Return the step whose data later jobs read, out of shared steps in order of creation."""
    return next((step for step in reversed(list(steps)) if step.status not in _SPOILT and data_uri(step)), None)


class SharedSteps:
    """
    The latest good step of each name that was recorded without a trial.

    Those that were recorded before come from Search, which may miss what another program recorded some seconds ago.

    Args:
        workspace: Where the experiment is.
        experiment: Its name.

    Attributes:
        data: The step whose data later jobs read, of those that were recorded before.
    """

    def __init__(self, workspace: "Workspace", experiment: str) -> None:
        self._workspace = workspace
        self._experiment = experiment
        client = workspace.client("sagemaker")
        found = list(iter_components(client, **{f"Tags.{EXPERIMENT_TAG}": experiment}))
        self._shared = {component: step for step, component in latest_good(found).items()}
        self._found = {step.name: step for step in found}
        self.data = latest_data(found)

    @contextmanager
    def adding(self, step: str, component: str) -> Iterator[None]:
        """Share a step with the trials that follow, in place of an earlier one of that name, unless the block fails."""
        self._shared[component] = step
        try:
            yield
        except BaseException:
            del self._shared[component]
            raise

    def _latest(self) -> dict[str, str]:
        """Return the latest component of each step, by the step's name."""
        return {step: component for component, step in list(self._shared.items())}  # other threads may be adding

    def attach_to(self, trial: str) -> None:
        """Attach all of them to a trial."""
        for component in self._latest().values():
            attach(self._workspace, trial, component)

    def find(self, name: str) -> Component | None:
        """Return the shared step of that name; Search is behind, so it is not asked for one that was recorded since."""
        component = self._latest().get(name)
        if component is None:
            return None
        return self._found.get(component) or read_component(self._workspace, component)


def record_data(step: Step, uri: str, *, input_name: str, fingerprint: str, parameters: Mapping[str, Scalar]) -> None:
    """Record which data a step prepared."""
    step.log_parameters({**parameters, FINGERPRINT: fingerprint})
    step.log_input(input_name, uri, media_type="s3/uri")


def is_same_data(component: Component | None, uri: str, fingerprint: str) -> bool:
    """Whether a step recorded these very data."""
    return component is not None and component.parameters.get(FINGERPRINT) == fingerprint and data_uri(component) == uri


def data_uri(component: Component | None) -> str | None:
    """Return where the data are that a step recorded with `record_data`; None for any other step, of whatever name."""
    if component is None or FINGERPRINT not in component.parameters:
        return None
    return next((item.uri for item in component.inputs if item.name in _DATA_INPUTS), None)


def fingerprint_of(directory: Path, files: Iterable[Path] | None = None) -> str:
    """
    Return a SHA-256 over the names and contents of a folder's files: equal for equal data, wherever they are.

    Raises:
        ConfigError: If one of *files* is not below the folder.
        DatasetError: If one of them is not there.
    """
    chosen = data_files(directory, files)
    whole = hashlib.sha256()
    for path in chosen:
        with path.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        whole.update(f"{path.relative_to(directory).as_posix()}\0{digest}\n".encode())
    return whole.hexdigest()


def data_files(directory: Path, files: Iterable[Path] | None = None) -> list[Path]:
    """
    Return the files of a folder of data, in order: those that are named, or all.

    A folder or a file that is not there is a `DatasetError`, as wherever data are looked for: it is the data that are
    missing, and whoever catches that for a download or a wrong disk catches it here.

    Raises:
        ConfigError: If one of *files* is not below the folder.
        DatasetError: If there is no such folder or file, or none at all.
    """
    if not os.path.isdir(directory):
        raise DatasetError(f"{str(directory)!r} is no folder of data.")
    chosen = sorted(path for path in directory.rglob("*") if path.is_file()) if files is None else _paths(files)
    if not chosen:
        raise DatasetError(f"The folder {str(directory)!r} holds no files.")
    for path in chosen:
        if not path.is_relative_to(directory):
            raise ConfigError(f"The file {str(path)!r} is not below the folder {str(directory)!r}.")
        if not os.path.isfile(path):
            raise DatasetError(f"There is no file {str(path)!r}.")
    return chosen


def _paths(files: object) -> list[Path]:
    if isinstance(files, str | os.PathLike) or not isinstance(files, Iterable):
        raise ConfigError(f"files={shortened(files)}; a list of paths is needed.")
    return sorted(check_path("files", path) for path in files)
