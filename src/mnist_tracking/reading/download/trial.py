"""One trial as files: its model, its output, its artifacts, its log, and its record."""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol, TextIO

import attrs

from mnist_tracking._aws.account import Account
from mnist_tracking._aws.logs import JobLog
from mnist_tracking._values.json import to_json
from mnist_tracking._values.records import Component
from mnist_tracking.errors import NotFoundError, StateError
from mnist_tracking.reading.download.components import DownloadedFile, fetch_artifacts, fetch_model, is_model
from mnist_tracking.reading.download.folder import SCHEMA_VERSION, Folder, opened_folder

__all__ = ["TrialDownload", "download_trial"]

_RECORD = "trial.json"


@attrs.frozen
class TrialDownload:
    """
    What a download of a trial has written.

    Attributes:
        trial_name: The trial.
        directory: The folder.
        files: What lies there, by step; and what a step has recorded that is no longer in S3.
        fetched: How many objects were fetched; what was there already was not.
        fetched_bytes: Their size.
    """

    trial_name: str
    directory: Path
    files: tuple[DownloadedFile, ...]
    fetched: int
    fetched_bytes: int

    @property
    def model(self) -> Path | None:
        """The folder of the trial's model, unpacked; None if it has none."""
        model = self.directory / "model"
        return model if any(file.path == "model" for file in self.files) else None

    @property
    def missing(self) -> tuple[str, ...]:
        """Where something was, by the record, that is no longer in S3."""
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
    """Write a trial's files below a folder; see `Trial.download`."""
    training = _training_of(trial)
    if model_only and not any(map(is_model, training.outputs if training else ())):
        raise StateError("trial", trial.name, "no-model", "has no model to download")
    with opened_folder(directory, {"trial": trial.name}) as folder:
        folder.forget(_RECORD)
        if model_only and training is not None:
            files = tuple(fetch_model(account, training, folder, "", with_output=False))
            if files[0].path is None:
                raise NotFoundError("object", files[0].uri)
        else:
            files = tuple(file for step in trial.steps for file in _files_of(account, step, folder, training))
        _write_record(folder, trial, files)
        if not model_only:
            folder.prune()
        return TrialDownload(trial.name, folder.root, files, folder.fetched, folder.fetched_bytes)


def _training_of(trial: _Trial) -> Component | None:
    return next((step for step in trial.steps if step.name == trial.component_name), None)


def _files_of(
    account: Account, step: Component, folder: Folder, training: Component | None
) -> Iterable[DownloadedFile]:
    """Fetch the files of a step: those of the training lie at the top."""
    at = "" if step is training else f"steps/{step.name}/"
    yield from fetch_model(account, step, folder, at)
    yield from fetch_artifacts(account, step, folder, at)
    if step.job_name:
        size = folder.write(f"{at}log.txt", lambda file: _copy_log(account, str(step.job_name), file))
        yield DownloadedFile(step.name, "log", step.job_name, "", f"{at}log.txt", size)


def _copy_log(account: Account, job_name: str, file: TextIO) -> None:
    for _, line in JobLog(account, job_name).new_lines():
        file.write(f"{line}\n")


def _write_record(folder: Folder, trial: _Trial, files: Iterable[DownloadedFile]) -> None:
    """Write what the trial is, last of all: a folder that has it is whole."""
    told = {
        "schema_version": SCHEMA_VERSION,
        **to_json(trial),
        "steps": to_json(trial.steps),
        "files": to_json([*files]),
    }
    folder.write(_RECORD, lambda file: json.dump(told, file, indent=2, ensure_ascii=False))
