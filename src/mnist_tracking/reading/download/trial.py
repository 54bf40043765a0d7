"""The files of a trial: its model, output, artifacts, log and record; and the files of each of its steps."""

import json
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Literal, Protocol, TextIO
from urllib.parse import unquote

import attrs

from mnist_tracking._aws.account import Account
from mnist_tracking._aws.logs import JobLog
from mnist_tracking._aws.storage import find_object, objects_below
from mnist_tracking._values.json import to_json
from mnist_tracking._values.records import Artifact, Component
from mnist_tracking.errors import NotFoundError, StateError
from mnist_tracking.reading.download.folder import (
    SCHEMA_VERSION,
    FileNames,
    Folder,
    KeyPaths,
    opened_folder,
    safe_name,
)

__all__ = ["DownloadedFile", "FileKind", "TrialDownload", "download_trial", "fetch_artifacts", "fetch_model"]

FileKind = Literal["model", "output", "artifact", "log"]

_TRIAL_RECORD = "trial.json"
_MODEL = "SageMaker.ModelArtifact"
_MODEL_ARCHIVE = "/model.tar.gz"
_OUTPUT_ARCHIVE = "/output.tar.gz"
_IN_OUTPUT = f"{_OUTPUT_ARCHIVE}#"  # in the URIs that `mnist_tracking.job.log_artifact` records
_OBJECT_URI = re.compile("s3://[^/]+/+[^/]")  # SageMaker's debugger records a whole bucket as its output


@attrs.frozen
class DownloadedFile:
    """
    A file of a step, or a folder of files that belong together.

    Attributes:
        component: The step that wrote it.
        kind: ``"model"``, ``"output"``, ``"artifact"`` or ``"log"``.
        name: Its name in the step.
        uri: Its location in S3; empty for a log.
        path: Its path in the folder of the download; None if it is no longer in S3.
        size_bytes: The size of the downloaded files.
    """

    component: str
    kind: FileKind
    name: str
    uri: str
    path: str | None
    size_bytes: int


@attrs.frozen
class TrialDownload:
    """
    The result of downloading a trial.

    Attributes:
        trial: The name of the trial.
        directory: The folder.
        files: The files of each step, including recorded ones that are no longer in S3.
        fetched: The number of objects downloaded; those that were there already do not count.
        fetched_bytes: Their total size.
    """

    trial: str
    directory: Path
    files: tuple[DownloadedFile, ...]
    fetched: int
    fetched_bytes: int

    @property
    def model(self) -> Path | None:
        """The folder of the trial's unpacked model; None if it has no model."""
        model = self.directory / "model"
        return model if any(file.path == "model" for file in self.files) else None

    @property
    def missing(self) -> tuple[str, ...]:
        """The URIs of recorded files that are no longer in S3."""
        return tuple(file.uri for file in self.files if file.path is None)


class _Trial(Protocol):
    """What is downloaded; `Trial`, which builds on this module."""

    @property
    def name(self) -> str: ...
    @property
    def component_name(self) -> str: ...
    @property
    def steps(self) -> tuple[Component, ...]: ...


def download_trial(
    account: Account, trial: _Trial, directory: str | os.PathLike[str], *, model_only: bool
) -> TrialDownload:
    """Download a trial's files to a folder; see `Trial.download`."""
    training = next((step for step in trial.steps if step.name == trial.component_name), None)
    if model_only and not any(map(_is_model, training.outputs if training else ())):
        raise StateError("trial", trial.name, "no-model", "has no model to download")
    with opened_folder(directory, {"trial": trial.name}) as folder:
        folder.forget(_TRIAL_RECORD)
        if model_only and training is not None:
            files = tuple(fetch_model(account, training, folder, "", with_output=False))
            if files[0].path is None:
                raise NotFoundError("object", files[0].uri)
        else:
            files = tuple(file for step in trial.steps for file in _fetch_step(account, step, folder, training))
        _write_record(folder, trial, files)
        if not model_only:
            folder.prune()
        return TrialDownload(trial.name, folder.root, files, folder.fetched, folder.fetched_bytes)


def _write_record(folder: Folder, trial: _Trial, files: Iterable[DownloadedFile]) -> None:
    """Write the trial's record, last of all: a folder that contains it is complete."""
    record = {
        "schema_version": SCHEMA_VERSION,
        **to_json(trial),
        "steps": to_json(trial.steps),
        "files": to_json([*files]),
    }
    folder.write(_TRIAL_RECORD, lambda file: json.dump(record, file, indent=2, ensure_ascii=False))


def _fetch_step(
    account: Account, step: Component, folder: Folder, training: Component | None
) -> Iterator[DownloadedFile]:
    """Download the files of a step; those of the training go to the top of the folder."""
    at = "" if step is training else f"steps/{step.name}/"
    yield from fetch_model(account, step, folder, at)
    yield from fetch_artifacts(account, step, folder, at)
    if step.job_name:
        job_log = JobLog(account, step.job_name)

        def fill(file: TextIO) -> None:
            file.writelines(f"{line}\n" for _, line in job_log.new_lines())

        size = folder.write(f"{at}log.txt", fill)
        yield DownloadedFile(step.name, "log", step.job_name, "", f"{at}log.txt", size)


def fetch_model(
    account: Account, step: Component, folder: Folder, at: str, *, with_output: bool = True
) -> Iterator[DownloadedFile]:
    """Download the unpacked model of a step, and its job's other output, below *at*."""
    for artifact in filter(_is_model, step.outputs):
        yield _fetch(account, folder, DownloadedFile(step.name, "model", "model", artifact.uri, f"{at}model", 0))
    if with_output and step.job_name and (uri := _output_of(step)) is not None:
        output = _fetch(account, folder, DownloadedFile(step.name, "output", "output", uri, f"{at}output", 0))
        if output.path is not None:  # most jobs have no other output
            yield output


def _is_model(artifact: Artifact) -> bool:
    return artifact.name == _MODEL


def _output_of(step: Component) -> str | None:
    """Return the location of a job's other output: as recorded for files in it, or else beside the model."""
    archives = [artifact.uri.partition(_IN_OUTPUT)[0] for artifact in step.outputs if _IN_OUTPUT in artifact.uri]
    models = [artifact.uri for artifact in step.outputs if _is_model(artifact)]
    beside = [uri.removesuffix(_MODEL_ARCHIVE) for uri in models if uri.endswith(_MODEL_ARCHIVE)]
    return next((f"{folder}{_OUTPUT_ARCHIVE}" for folder in (*archives, *beside)), None)


def fetch_artifacts(account: Account, step: Component, folder: Folder, at: str) -> Iterator[DownloadedFile]:
    """Download the other outputs of a step, files and folders in S3, below *at*."""
    names = FileNames()
    for artifact in step.outputs:
        if not _OBJECT_URI.match(artifact.uri) or _is_model(artifact):
            continue
        if _IN_OUTPUT in artifact.uri:
            yield _find_in_output(step, folder, at, artifact)
            continue
        path = f"{at}artifacts/{names.unique(PurePosixPath(artifact.uri).name or artifact.name)}"
        yield _fetch(account, folder, DownloadedFile(step.name, "artifact", artifact.name, artifact.uri, path, 0))


def _find_in_output(step: Component, folder: Folder, at: str, artifact: Artifact) -> DownloadedFile:
    """Return a file that the script of a job logged, which was unpacked with the job's output."""
    member = PurePosixPath(unquote(artifact.uri.partition(_IN_OUTPUT)[2]))
    path = f"{at}output/{member}"
    is_inside = not member.is_absolute() and ".." not in member.parts
    size = folder.size_of(path) if is_inside else None
    found = None if size is None else path
    return DownloadedFile(step.name, "artifact", artifact.name, artifact.uri, found, size or 0)


def _fetch(account: Account, folder: Folder, wanted: DownloadedFile) -> DownloadedFile:
    """Download an object, or all objects in a folder of that name, and return what was found."""
    is_packed, uri, base = wanted.kind != "artifact", wanted.uri, str(wanted.path)
    found = find_object(account, uri)
    if found is not None:
        is_archive = is_packed and uri.endswith((".tar.gz", ".tgz", ".tar"))
        path = base if is_archive or not is_packed else f"{base}/{safe_name(uri.rsplit('/', 1)[-1])}"
        return attrs.evolve(wanted, size_bytes=folder.fetch(account, found, path, unpacked=is_archive))
    paths, prefix = KeyPaths(), f"{uri.rstrip('/')}/"
    sizes = [
        folder.fetch(account, item, f"{base}/{paths.path_of(item.uri.removeprefix(prefix))}")
        for item in objects_below(account, uri)
        if not item.uri.endswith("/")  # the S3 console's marker of an empty folder
    ]
    return attrs.evolve(wanted, path=base if sizes else None, size_bytes=sum(sizes))
