"""A whole experiment as files, in a layout that any tool reads."""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

import attrs

from mnist_tracking._aws.account import Account
from mnist_tracking._aws.convert import is_training
from mnist_tracking._aws.experiments import read_experiment
from mnist_tracking._aws.metrics import read_series
from mnist_tracking._aws.search import components_in, trials_in
from mnist_tracking._values.json import to_json
from mnist_tracking._values.records import Component, ListedTrial, MetricSeries, own_copy
from mnist_tracking.reading.download.components import DownloadedFile, fetch_artifacts, fetch_model
from mnist_tracking.reading.download.folder import SCHEMA_VERSION, Folder, opened_folder
from mnist_tracking.reading.download.tables import JsonLines, Table, write_table
from mnist_tracking.reading.lineage import build_graph
from mnist_tracking.reading.trial import Trial, trial_from_component, trial_row

__all__ = ["ExperimentDownload", "download_experiment"]

OnProgress = Callable[[int], object]
_RECORD = "experiment.json"
_METRICS = ("trial", "component", "metric", "step", "value", "time")
_FILES = tuple(field.name for field in attrs.fields(DownloadedFile))


@attrs.frozen
class ExperimentDownload:
    """
    What a download of an experiment has written.

    Attributes:
        experiment_name: The experiment.
        directory: The folder.
        rows: How many rows each table has: ``trials``, ``components``, ``metrics`` and, if they came, ``files``.
        missing: Where something was, by the record, that is no longer in S3.
        fetched: How many objects were fetched; what was there already was not.
        fetched_bytes: Their size.
    """

    experiment_name: str
    directory: Path
    rows: Mapping[str, int] = attrs.field(converter=own_copy, hash=False)
    missing: tuple[str, ...]
    fetched: int
    fetched_bytes: int


def download_experiment(
    account: Account,
    experiment: str,
    directory: str | os.PathLike[str],
    *,
    files: bool,
    on_progress: OnProgress | None = None,
) -> ExperimentDownload:
    """Write an experiment below a folder; see `Workspace.download`."""
    summary = read_experiment(account, experiment)
    with opened_folder(directory, {"experiment": experiment}) as folder:
        tables = _Tables(folder, with_files=files)
        reading = _Reading(account, experiment, folder, tables, with_files=files)
        with tables:
            nodes, edges = build_graph(reading.steps(on_progress))
            json.dump(to_json({"nodes": nodes, "edges": edges}), tables.open("lineage.json"), ensure_ascii=False)
            tables.add_trials([_row(trial, experiment, reading.results.get(trial.name)) for trial in reading.trials()])
        told = {"schema_version": SCHEMA_VERSION, "written": datetime.now(UTC), "region": account.region}
        told |= {"experiment": summary, "rows": tables.rows}
        tables.commit(lambda file: json.dump(to_json(told), file, indent=2, ensure_ascii=False))
        if files:
            folder.prune()
        missing = tuple(reading.missing)
        return ExperimentDownload(experiment, folder.root, tables.rows, missing, folder.fetched, folder.fetched_bytes)


class _Tables:
    """The tables of an experiment: written beside, and put to their places together when all of them are whole."""

    def __init__(self, folder: Folder, *, with_files: bool) -> None:
        self._folder = folder
        self._parts: dict[str, Path] = {}
        self._open = ExitStack()
        self.components = JsonLines(self.open("components.jsonl"))
        self.trials = JsonLines(self.open("trials.jsonl"))
        self.metrics = Table(self.open("metrics.csv"), _METRICS)
        self.files = Table(self.open("files.csv"), _FILES) if with_files else None

    def __enter__(self) -> None:
        self._open.__enter__()

    def __exit__(self, *raised: object) -> None:
        self._open.close()

    def open(self, name: str) -> TextIO:
        """Open a new file beside, which is to have that name."""
        part = self._parts[name] = self._folder.part()
        return self._open.enter_context(part.open("w", encoding="utf-8", newline=""))

    def add_trials(self, rows: list[dict[str, object]]) -> None:
        """Write all trials, as CSV too."""
        for row in rows:
            self.trials.add(row)
        write_table(self.open("trials.csv"), rows)

    @property
    def rows(self) -> dict[str, int]:
        """How many rows each table has."""
        files = {"files": self.files.rows} if self.files is not None else {}
        counted = {"trials": self.trials.rows, "components": self.components.rows, "metrics": self.metrics.rows}
        return {**counted, **files}

    def commit(self, fill: Callable[[TextIO], object]) -> None:
        """Put all of them to their places, and last the record, without which the folder is not whole."""
        self._folder.forget(_RECORD)
        for name, part in self._parts.items():
            self._folder.put(part, name)
        self._folder.write(_RECORD, fill)


class _Reading:
    """Reads the steps of an experiment one by one, and writes what each of them has."""

    def __init__(self, account: Account, experiment: str, folder: Folder, tables: _Tables, *, with_files: bool) -> None:
        self._account, self._experiment, self._folder, self._tables = account, experiment, folder, tables
        self._with_files = with_files
        self.results: dict[str, Trial] = {}
        self.missing: list[str] = []

    def trials(self) -> Iterator[ListedTrial]:
        """Yield the trials, in order of creation."""
        return trials_in(self._account, self._experiment)

    def steps(self, on_progress: OnProgress | None) -> Iterator[Component]:
        """Yield the steps, in order of creation, each when all of it is written."""
        for number, step in enumerate(components_in(self._account, self._experiment), start=1):
            self._tables.components.add(step)
            self._note_result(step)
            self._write_series(step)
            if self._with_files:
                self._write_files(step)
            if on_progress is not None:
                on_progress(number)
            yield step

    def _trials_of(self, step: Component) -> list[str]:
        return [trial for trial, experiment in step.parents if experiment == self._experiment]

    def _note_result(self, step: Component) -> None:
        for trial in self._trials_of(step) if is_training(step) else ():
            if trial not in self.results or self.results[trial].created <= step.created:
                self.results[trial] = trial_from_component(self._account, step, trial, self._experiment)

    def _write_series(self, step: Component) -> None:
        """Write every value; the log, which they are read from, is written as it passes."""
        if not (step.job_name and self._tables.files):
            self._add_values(step, read_series(self._account, step))
            return
        part, path = self._folder.part(), f"files/{step.name}/log.txt"
        with part.open("w", encoding="utf-8", newline="") as file:
            series = read_series(self._account, step, on_line=lambda line: file.write(f"{line}\n"))
        self._add_values(step, series)
        size = self._folder.put(part, path)
        self._add_file(DownloadedFile(step.name, "log", step.job_name, "", path, size))

    def _add_values(self, step: Component, series: Mapping[str, MetricSeries]) -> None:
        for trial in self._trials_of(step):
            for name, points in series.items():
                for point in points:
                    self._tables.metrics.add(trial=trial, component=step.name, metric=name, **attrs.asdict(point))

    def _write_files(self, step: Component) -> None:
        at = f"files/{step.name}/"
        for file in fetch_model(self._account, step, self._folder, at):
            self._add_file(file)
        for file in fetch_artifacts(self._account, step, self._folder, at):
            self._add_file(file)

    def _add_file(self, file: DownloadedFile) -> None:
        assert self._tables.files is not None, "only with files"  # noqa: S101 - for the type checker
        self._tables.files.add(**attrs.asdict(file))
        if file.path is None:
            self.missing.append(file.uri)


def _row(trial: ListedTrial, experiment: str, result: Trial | None) -> dict[str, object]:
    """Return what a trial is in the tables; one that was never trained has its name, its time and its tags."""
    known: dict[str, object] = {"trial": trial.name, "experiment": experiment, "created": trial.created}
    if result is not None:
        more = {"job": result.job_name, "component": result.component_name}
        known = {**trial_row(result), **more, "model_uri": result.model_uri, "code_uri": result.code_uri}
    return {**known, **{f"tag.{key}": value for key, value in sorted(trial.tags.items())}}
