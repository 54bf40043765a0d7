"""The data of an experiment: read, uploaded, and recorded as the step that its jobs train on."""

import hashlib
import os
import re
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple, Protocol, cast

from mnist_tracking._aws.account import Account
from mnist_tracking._aws.components import check_parameters
from mnist_tracking._aws.staging import check_names, read_errors_translated, sendable
from mnist_tracking._aws.storage import upload_files
from mnist_tracking._values.checks import check_path, is_in_s3
from mnist_tracking._values.dotted import resolve
from mnist_tracking._values.files import is_home
from mnist_tracking._values.names import suggest_name
from mnist_tracking._values.records import Component, ParameterValue
from mnist_tracking._values.shared import FINGERPRINT, PREPROCESSING, data_uri, latest_data
from mnist_tracking._values.specs import JobInput, JobSpec, is_local
from mnist_tracking._values.text import short_repr
from mnist_tracking.errors import ConfigError, DatasetError
from mnist_tracking.experiments.shared_steps import SharedSteps
from mnist_tracking.experiments.steps import Step

__all__ = ["DatasetFiles", "ExperimentData"]

_SHA_256 = re.compile(r"[0-9a-f]{64}")


class DatasetFiles(Protocol):
    """What a job's dataset reader returns: files below a folder, and what to record about them."""

    @property
    def directory(self) -> Path:
        """The folder that holds the files."""

    @property
    def paths(self) -> Sequence[Path]:
        """The files to upload, below the folder."""

    @property
    def fingerprint(self) -> str:
        """Identifies the content: equal for equal data, wherever it is."""

    @property
    def input_name(self) -> str:
        """The name of the step's input: ``"dataset"`` or ``"mnist-dataset"``."""

    def parameters(self) -> Mapping[str, ParameterValue]:
        """Return what to record about the data."""


class ExperimentData:
    """
    The data that an experiment's jobs train on, and the step that recorded it.

    Args:
        account: Where the data goes.
        shared: The experiment's shared steps, which the data's step joins.
        step: Opens a new shared step of that name.
        folder: Returns where uploads go, ``s3://bucket/prefix``.
    """

    def __init__(
        self,
        account: Account,
        shared: SharedSteps,
        step: Callable[[str], AbstractContextManager[Step]],
        folder: Callable[[], str],
    ) -> None:
        self._account = account
        self._shared = shared
        self._step = step
        self._folder = folder
        self._inputs: dict[str, _Upload] = {}
        self._uploading = threading.Lock()
        self.component = latest_data(shared.earlier)

    @property
    def uri(self) -> str | None:
        """Where the data is in S3; None before there is any."""
        return data_uri(self.component)

    def prepare(self, job: JobSpec | None, data: object, options: Mapping[str, object]) -> Component:
        """Read, upload and record a dataset by the job's reader; see `ExperimentRunner.prepare_dataset`."""
        if job is None or job.dataset_reader is None:
            raise ConfigError(
                "The runner's job has no dataset reader. Call upload_dataset() to send a folder as it is, or pass "
                "job=JobSpec(..., dataset_reader='package.module:function')."
            )
        reader = cast("Callable[..., DatasetFiles]", resolve("dataset_reader", job.dataset_reader))
        try:
            dataset = reader(data, **options)
        except TypeError as error:
            raise ConfigError(f"The dataset reader {job.dataset_reader!r} rejects its arguments: {error}.") from error
        uri = self._upload(dataset.directory, dataset.fingerprint, dataset.paths)
        return self._use(uri, dataset.fingerprint, dataset.parameters(), input_name=dataset.input_name)

    def upload(
        self,
        directory: str | os.PathLike[str],
        *,
        parameters: Mapping[str, ParameterValue] | None,
        fingerprint: str | None,
        files: Sequence[Path] | None,
    ) -> Component:
        """Upload and record a folder; see `ExperimentRunner.upload_dataset`."""
        folder = check_path("directory", directory)
        chosen = data_files(folder, files)
        given = check_parameters("parameter", {} if parameters is None else parameters)
        if fingerprint is None:
            fingerprint = fingerprint_of(folder, chosen)
        elif not isinstance(fingerprint, str) or not fingerprint:
            raise ConfigError(f"fingerprint={short_repr(fingerprint)}; expected a string, such as a SHA-256.")
        return self._use(self._upload(folder, fingerprint, chosen), fingerprint, given)

    def use(self, uri: str, *, parameters: Mapping[str, ParameterValue] | None) -> Component:
        """Record data that is in S3 already; see `ExperimentRunner.use_dataset`."""
        if not is_in_s3(uri):
            raise ConfigError(
                f"{short_repr(uri)} is not a location in S3, such as 's3://bucket/prefix'. upload_dataset() uploads a "
                "local folder."
            )
        return self._use(uri, uri, check_parameters("parameter", {} if parameters is None else parameters))

    def in_s3(self, inputs: Mapping[str, JobInput]) -> dict[str, JobInput]:
        """
        Return the inputs of a job with local folders and files replaced by their locations in S3.

        What is new or has changed is uploaded and recorded as a shared step, whose output it is.

        Raises:
            ConfigError: If a file cannot be sent.
            DatasetError: If a folder or file does not exist, or a folder is empty.
        """
        with self._uploading:
            return {
                channel: self._input_uri(channel, Path(given)) if is_local(given) else given
                for channel, given in inputs.items()
            }

    def _input_uri(self, channel: str, path: Path) -> str:
        folder = path if path.is_dir() else path.parent
        files = data_files(folder, None if path.is_dir() else [path])
        stamps = tuple((str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files)
        known = self._inputs.get(channel)
        if known is None or known.stamps != stamps:  # hashing large data for every trial would take long
            fingerprint = fingerprint_of(folder, files)
            uri = self._data_folder(fingerprint)
            self._record_input(channel, folder, files, fingerprint, uri)
            known = self._inputs[channel] = _Upload(uri, stamps)
        return known.uri

    def _record_input(self, channel: str, folder: Path, files: Sequence[Path], fingerprint: str, uri: str) -> None:
        name = suggest_name(f"Data-{channel}", 120)
        earlier = self._shared.find(name)
        if earlier is not None and earlier.parameters.get(FINGERPRINT) == fingerprint:
            return
        with self._step(name) as step:
            upload_files(self._account, folder, uri, files)
            step.log_parameters({FINGERPRINT: fingerprint, "files": len(files)})
            step.log_output(channel, uri, media_type="s3/uri")

    def _upload(self, directory: Path, fingerprint: str, files: Sequence[Path]) -> str:
        uri = self._data_folder(fingerprint)
        if not _is_same_data(self.component, uri, fingerprint):
            upload_files(self._account, directory, uri, files)
        return uri

    def _data_folder(self, fingerprint: str) -> str:
        """Return where data goes: the folder's name is a hash, so that two fingerprints never share one."""
        is_hash = _SHA_256.fullmatch(fingerprint) is not None
        digest = fingerprint if is_hash else hashlib.sha256(fingerprint.encode()).hexdigest()
        return f"{self._folder()}/data/{digest[:16]}"

    def _use(
        self, uri: str, fingerprint: str, parameters: Mapping[str, ParameterValue], input_name: str = "dataset"
    ) -> Component:
        if self.component is None or not _is_same_data(self.component, uri, fingerprint):
            with self._step(PREPROCESSING) as step:
                step.log_parameters({**parameters, FINGERPRINT: fingerprint})
                step.log_input(input_name, uri, media_type="s3/uri")
            self.component = self._shared.find(PREPROCESSING)
        assert self.component is not None, "recorded just now"  # noqa: S101 - for the type checker
        return self.component


class _Upload(NamedTuple):
    """An uploaded input: where it is in S3, and the names, sizes and times of its files."""

    uri: str
    stamps: tuple[tuple[str, int, int], ...]


def _is_same_data(component: Component | None, uri: str, fingerprint: str) -> bool:
    return component is not None and component.parameters.get(FINGERPRINT) == fingerprint and data_uri(component) == uri


def fingerprint_of(directory: Path, files: Iterable[Path] | None = None) -> str:
    """
    Return a SHA-256 over the names and contents of a folder's files: equal for equal data in any place.

    Raises:
        ConfigError: If one of *files* is not below the folder, or cannot be read.
        DatasetError: If one of them does not exist.
    """
    chosen = data_files(directory, files)
    whole = hashlib.sha256()
    for path in chosen:
        with read_errors_translated(), path.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        whole.update(f"{path.relative_to(directory).as_posix()}\0{digest}\n".encode())
    return whole.hexdigest()


def data_files(directory: Path, files: Iterable[Path] | None = None) -> list[Path]:
    """
    Return the files of a folder of data, sorted: the given ones, or all, in linked folders too.

    A missing folder or file is a `DatasetError`, like everywhere else where data is missing.

    Raises:
        ConfigError: If one of *files* is not below the folder, or something cannot be sent, such as a FIFO.
        DatasetError: If the folder or a file does not exist, or the folder is empty.
    """
    if not os.path.isdir(directory):
        raise DatasetError(f"{str(directory)!r} is not a folder of data.")
    if files is None:
        chosen = [path for path in sendable(directory) if path.is_file()]
    else:
        chosen = _paths(files)
        check_names(chosen)
    if not chosen:
        raise DatasetError(f"The folder {str(directory)!r} contains no files.")
    for path in chosen:
        if not path.is_relative_to(directory):
            raise ConfigError(f"The file {str(path)!r} is not below the folder {str(directory)!r}.")
        if any(map(is_home, path.parents)):
            raise ConfigError(f"The file {str(path)!r} belongs to the home of an embedded SageMaker.")
        if not os.path.isfile(path):
            raise DatasetError(f"The file {str(path)!r} does not exist.")
    return chosen


def _paths(files: object) -> list[Path]:
    if isinstance(files, str | os.PathLike) or not isinstance(files, Iterable):
        raise ConfigError(f"files={short_repr(files)}; expected a list of paths.")
    return sorted(check_path("files", path) for path in files)
