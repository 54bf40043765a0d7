"""The files of an experiment: tables, records and lineage that any tool can read, and the files of its steps."""

import csv
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

import attrs

from mnist_tracking._aws.account import Account
from mnist_tracking._aws.convert import is_training
from mnist_tracking._aws.experiments import read_experiment
from mnist_tracking._aws.metrics import read_series
from mnist_tracking._aws.search import components_in, trials_in
from mnist_tracking._values.json import to_cell, to_json
from mnist_tracking._values.records import Component, ListedTrial, MetricSeries, own_copy
from mnist_tracking.reading.download.folder import SCHEMA_VERSION, Folder, opened_folder
from mnist_tracking.reading.download.trial import DownloadedFile, fetch_artifacts, fetch_model
from mnist_tracking.reading.lineage import build_graph
from mnist_tracking.reading.trial import Trial, trial_from_component, trial_row

__all__ = ["ExperimentDownload", "download_experiment"]

_EXPERIMENT_RECORD = "experiment.json"
_METRIC_COLUMNS = ("trial", "component", "metric", "step", "value", "time")
_FILE_COLUMNS = tuple(field.name for field in attrs.fields(DownloadedFile))


@attrs.frozen
class ExperimentDownload:
    """
    The result of downloading an experiment.

    Attributes:
        experiment: The name of the experiment.
        directory: The folder.
        rows: The number of rows of each table: ``trials``, ``components``, ``metrics`` and, with files, ``files``.
        missing: The URIs of recorded files that are no longer in S3.
        fetched: The number of objects downloaded; those that were there already do not count.
        fetched_bytes: Their total size.
    """

    experiment: str
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
    on_progress: Callable[[int], object] | None = None,
) -> ExperimentDownload:
    """Download an experiment to a folder; see `Workspace.download`."""
    summary = read_experiment(account, experiment)
    experiment = summary.name  # may differ in case from the given one
    with opened_folder(directory, {"experiment": experiment}) as folder:
        tables = _Tables(folder, with_files=files)
        writer = _Writer(account, experiment, folder, tables, with_files=files)
        with tables:
            nodes, edges = build_graph(writer.steps(on_progress))
            json.dump(to_json({"nodes": nodes, "edges": edges}), tables.open("lineage.json"), ensure_ascii=False)
            tables.add_trials(
                [_trial_row(t, experiment, writer.trained.get(t.name)) for t in trials_in(account, experiment)]
            )
        record = {
            "schema_version": SCHEMA_VERSION,
            "written": datetime.now(UTC),
            "region": account.region,
            "experiment": summary,
            "rows": tables.rows,
        }
        tables.commit(lambda file: json.dump(to_json(record), file, indent=2, ensure_ascii=False))
        if files:
            folder.prune()
        return ExperimentDownload(
            experiment, folder.root, tables.rows, tuple(writer.missing), folder.fetched, folder.fetched_bytes
        )


class _Table:
    """A CSV file with a header; `rows` counts its rows."""

    def __init__(self, file: TextIO, columns: Sequence[str]) -> None:
        self._writer = csv.DictWriter(file, columns, lineterminator="\n")
        self._writer.writeheader()
        self.rows = 0

    def add(self, **row: object) -> None:
        """Write a row; missing columns are empty."""
        self._writer.writerow({name: to_cell(value) for name, value in row.items()})
        self.rows += 1


class _JsonLines:
    """A file with a JSON object on each line; `rows` counts its lines."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self.rows = 0

    def add(self, record: Any) -> None:
        """Write a record, or a mapping."""
        self._file.write(json.dumps(to_json(record), ensure_ascii=False) + "\n")
        self.rows += 1


class _Tables:
    """The tables of an experiment: written as drafts, and moved to their places once all of them are complete."""

    def __init__(self, folder: Folder, *, with_files: bool) -> None:
        self._folder = folder
        self._drafts: dict[str, Path] = {}
        self._opened = ExitStack()
        self.components = _JsonLines(self.open("components.jsonl"))
        self.trials = _JsonLines(self.open("trials.jsonl"))
        self.metrics = _Table(self.open("metrics.csv"), _METRIC_COLUMNS)
        self.files = _Table(self.open("files.csv"), _FILE_COLUMNS) if with_files else None

    def __enter__(self) -> None:
        self._opened.__enter__()

    def __exit__(self, *raised: object) -> None:
        self._opened.close()

    def open(self, name: str) -> TextIO:
        """Open the draft of a file."""
        draft = self._drafts[name] = self._folder.draft()
        return self._opened.enter_context(draft.open("w", encoding="utf-8", newline=""))

    def add_trials(self, rows: Sequence[Mapping[str, object]]) -> None:
        """Write all trials as JSON, and as CSV with the columns of any of them."""
        table = _Table(self.open("trials.csv"), _columns(rows))
        for row in rows:
            self.trials.add(row)
            table.add(**row)

    @property
    def rows(self) -> dict[str, int]:
        """The number of rows of each table."""
        files = {"files": self.files.rows} if self.files is not None else {}
        counts = {"trials": self.trials.rows, "components": self.components.rows, "metrics": self.metrics.rows}
        return {**counts, **files}

    def commit(self, fill: Callable[[TextIO], object]) -> None:
        """Move all tables to their places, and then write the record, without which the folder is not complete."""
        self._folder.forget(_EXPERIMENT_RECORD)
        for name, draft in self._drafts.items():
            self._folder.put(draft, name)
        self._folder.write(_EXPERIMENT_RECORD, fill)


def _columns(rows: Iterable[Mapping[str, object]]) -> list[str]:
    """Return the columns of any row, in order of appearance; those with the same prefix are together."""
    columns = dict.fromkeys(name for row in rows for name in row)
    prefixes = dict.fromkeys(name.split(".")[0] for name in columns)
    return [name for prefix in prefixes for name in columns if name.split(".")[0] == prefix]


class _Writer:
    """
    Reads the steps of an experiment one by one, and writes the tables and files of each.

    Attributes:
        trained: The trials that were trained, by name.
        missing: The URIs of recorded files that are no longer in S3.
    """

    def __init__(self, account: Account, experiment: str, folder: Folder, tables: _Tables, *, with_files: bool) -> None:
        self._account, self._experiment, self._folder, self._tables = account, experiment, folder, tables
        self._with_files = with_files
        self.trained: dict[str, Trial] = {}
        self.missing: list[str] = []

    def steps(self, on_progress: Callable[[int], object] | None) -> Iterator[Component]:
        """Yield the steps in order of creation, each after everything of it was written."""
        for number, step in enumerate(components_in(self._account, self._experiment), start=1):
            self._tables.components.add(step)
            self._note_training(step)
            self._write_series(step)
            if self._with_files:
                self._write_files(step)
            if on_progress is not None:
                on_progress(number)
            yield step

    def _note_training(self, step: Component) -> None:
        for trial in self._trials_of(step) if is_training(step) else ():
            if trial not in self.trained or self.trained[trial].created <= step.created:
                self.trained[trial] = trial_from_component(self._account, step, trial, self._experiment)

    def _trials_of(self, step: Component) -> list[str]:
        return [trial for trial, experiment in step.parents if experiment == self._experiment]

    def _write_series(self, step: Component) -> None:
        """Write every metric value; the log, which they are read from, is written in the same pass."""
        if not (step.job_name and self._tables.files):
            self._add_values(step, read_series(self._account, step))
            return
        draft, path = self._folder.draft(), f"files/{step.name}/log.txt"
        with draft.open("w", encoding="utf-8", newline="") as file:
            series = read_series(self._account, step, on_line=lambda line: file.write(f"{line}\n"))
        self._add_values(step, series)
        size = self._folder.put(draft, path)
        self._add_file(DownloadedFile(step.name, "log", step.job_name, "", path, size))

    def _add_values(self, step: Component, series: Mapping[str, MetricSeries]) -> None:
        for trial in self._trials_of(step):
            for points in series.values():
                for point in points:
                    self._tables.metrics.add(trial=trial, component=step.name, **attrs.asdict(point))

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


def _trial_row(trial: ListedTrial, experiment: str, trained: Trial | None) -> dict[str, object]:
    """Return a trial's row; without training, it has only its name, creation time and tags."""
    known: dict[str, object] = {"trial": trial.name, "experiment": experiment, "created": trial.created}
    if trained is not None:
        more = {"job": trained.job_name, "component": trained.component_name}
        known = {**trial_row(trained), **more, "model_uri": trained.model_uri, "code_uri": trained.code_uri}
    return {**known, **{f"tag.{key}": value for key, value in sorted(trial.tags.items())}}
