"""Experiments, trials, and the components that belong to trials. Names compare without case, as in SageMaker."""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from mnist_tracking.embedded.store.pages import OWNERS, Page, Position, rows_by_owner, select_page, typed


@attrs.frozen(kw_only=True)
class Experiment:
    """An experiment; times are seconds since the epoch."""

    id: int
    name: str
    arn: str
    display_name: str
    description: str | None
    created: float
    modified: float


@attrs.frozen(kw_only=True)
class Trial:
    """A trial, with the name of its experiment; *metadata* is its MetadataProperties, as JSON."""

    id: int
    name: str
    arn: str
    display_name: str
    experiment_id: int
    experiment_name: str
    created: float
    modified: float
    metadata: str | None


_TRIALS = "SELECT t.*, e.name AS experiment_name FROM trials t CROSS JOIN experiments e ON e.id = t.experiment_id"


def add_experiment(
    connection: sqlite3.Connection, name: str, arn: str, now: float, *, display_name: str, description: str | None
) -> None:
    """Add an experiment."""
    connection.execute(
        "INSERT INTO experiments (name, arn, display_name, description, created, modified) VALUES (?, ?, ?, ?, ?, ?)",
        (name, arn, display_name, description, now, now),
    )


def find_experiment(connection: sqlite3.Connection, name: str) -> Experiment | None:
    """Return the experiment of that name, or None."""
    row = connection.execute("SELECT * FROM experiments WHERE name = ?", (name,)).fetchone()
    return None if row is None else typed(Experiment, row)


def update_experiment(
    connection: sqlite3.Connection, found: Experiment, now: float, *, display_name: str | None, description: str | None
) -> None:
    """Set what is given, and the time of modification."""
    connection.execute(
        "UPDATE experiments SET display_name = coalesce(?, display_name), description = coalesce(?, description), "
        "modified = ? WHERE id = ?",
        (display_name, description, now, found.id),
    )


def delete_experiment(connection: sqlite3.Connection, found: Experiment) -> None:
    """Delete an experiment without trials."""
    connection.execute("DELETE FROM experiments WHERE id = ?", (found.id,))


def count_trials(connection: sqlite3.Connection, experiment: Experiment) -> int:
    """Return how many trials an experiment has."""
    sql = "SELECT count(*) FROM trials WHERE experiment_id = ?"
    return int(connection.execute(sql, (experiment.id,)).fetchone()[0])


def list_experiments(connection: sqlite3.Connection, page: Page) -> tuple[list[Experiment], Position | None]:
    """Return a page of experiments, and where it ends if there is another one."""
    rows, end = select_page(connection, "SELECT t.* FROM experiments t", {}, page)
    return [typed(Experiment, row) for row in rows], end


def add_trial(
    connection: sqlite3.Connection,
    experiment: Experiment,
    name: str,
    arn: str,
    now: float,
    *,
    display_name: str,
    metadata: str | None,
) -> None:
    """Add a trial to an experiment."""
    connection.execute(
        "INSERT INTO trials (name, arn, display_name, experiment_id, created, modified, metadata) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        (name, arn, display_name, experiment.id, now, now, metadata),
    )


def find_trial(connection: sqlite3.Connection, name: str) -> Trial | None:
    """Return the trial of that name, or None."""
    row = connection.execute(f"{_TRIALS} WHERE t.name = ?", (name,)).fetchone()
    return None if row is None else typed(Trial, row)


def trials_of_ids(connection: sqlite3.Connection, trial_ids: Sequence[int]) -> list[Trial]:
    """Return the trials of rows that were found before, in the same snapshot and in that order."""
    rows = connection.execute(f"{_TRIALS} WHERE t.id IN {OWNERS}", (json.dumps(trial_ids),))
    found = {row["id"]: typed(Trial, row) for row in rows}
    return [found[trial_id] for trial_id in trial_ids]


def update_trial(connection: sqlite3.Connection, found: Trial, now: float, *, display_name: str | None) -> None:
    """Set what is given, and the time of modification."""
    connection.execute(
        "UPDATE trials SET display_name = coalesce(?, display_name), modified = ? WHERE id = ?",
        (display_name, now, found.id),
    )


def delete_trial(connection: sqlite3.Connection, found: Trial) -> None:
    """Delete a trial without components."""
    connection.execute("DELETE FROM trials WHERE id = ?", (found.id,))


def list_trials(
    connection: sqlite3.Connection, page: Page, *, experiment_id: int | None, component_id: int | None
) -> tuple[list[Trial], Position | None]:
    """Return a page of trials, of an experiment or with a component, and where it ends if there is another one."""
    where: dict[str, Any] = {
        "t.experiment_id = ?": experiment_id,
        "t.id IN (SELECT trial_id FROM associations WHERE component_id = ?)": component_id,
    }
    rows, end = select_page(connection, _TRIALS, where, page)
    return [typed(Trial, row) for row in rows], end


def count_components(connection: sqlite3.Connection, trial_id: int, *, but: int | None = None) -> int:
    """Return how many components a trial has, not counting one."""
    sql = "SELECT count(*) FROM associations WHERE trial_id = ? AND component_id IS NOT ?"
    return int(connection.execute(sql, (trial_id, but)).fetchone()[0])


def add_component(connection: sqlite3.Connection, trial_id: int, component_id: int, now: float) -> None:
    """Add a component to a trial, unless it is in it already."""
    connection.execute("INSERT OR IGNORE INTO associations VALUES (?, ?, ?)", (trial_id, component_id, now))


def remove_component(connection: sqlite3.Connection, trial_id: int, component_id: int) -> None:
    """Remove a component from a trial, if it is in it."""
    connection.execute("DELETE FROM associations WHERE trial_id = ? AND component_id = ?", (trial_id, component_id))


def parents_of(
    connection: sqlite3.Connection, component_ids: Sequence[int]
) -> Mapping[int, list[tuple[int, str, str, float]]]:
    """Return the trials of components: rows of the component, trial, experiment and when they were associated."""
    sql = f"""
        SELECT a.component_id, t.name, e.name, a.created
        FROM associations a JOIN trials t ON t.id = a.trial_id JOIN experiments e ON e.id = t.experiment_id
        WHERE a.component_id IN {OWNERS} ORDER BY a.component_id, a.created, t.id
    """
    return rows_by_owner(connection, sql, component_ids)
