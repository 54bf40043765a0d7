"""Trials, and their components."""

import sqlite3

from mnist_tracking.embedded.faults import ResourceLimitFault, ValidationFault
from mnist_tracking.embedded.registry import Call, Response, serves
from mnist_tracking.embedded.services.resources import (
    check_name_is_free,
    get,
    listing,
    metadata_in,
    metadata_of,
    present,
    touch,
)
from mnist_tracking.embedded.services.sagemaker.tags import put_tags, remove_all_tags
from mnist_tracking.embedded.times import as_datetime

TRIALS_PER_EXPERIMENT = 300
COMPONENTS_PER_TRIAL = 50
_SELECT = "SELECT t.*, e.name AS experiment_name FROM trials t JOIN experiments e ON e.id = t.experiment_id"
_LIMIT = (
    "The account-level service limit '{what}' is {most} {unit}, with current utilization of {used} {unit} and a "
    "request delta of 1 {unit}. Please contact AWS support to request an increase for this limit."
)


@serves("sagemaker", "CreateTrial")
def create_trial(call: Call) -> Response:
    """Create a trial. An experiment can have 300, AWS's default quota."""
    params, now = call.params, call.context.now()
    name = params["TrialName"]
    arn = call.context.identity.sagemaker_arn("experiment-trial", name)
    with call.context.store.write() as connection:
        experiment = get(connection, "experiments", params["ExperimentName"], call.context.identity)
        check_name_is_free(connection, "trials", name)
        _check_trial_limit(connection, experiment["id"])
        connection.execute(
            "INSERT INTO trials (name, arn, display_name, experiment_id, created, modified, metadata) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            (name, arn, params.get("DisplayName", name), experiment["id"], now, now, metadata_in(params)),
        )
        put_tags(connection, arn, params.get("Tags"))
    return {"TrialArn": arn}


def _check_trial_limit(connection: sqlite3.Connection, experiment_id: int) -> None:
    used = connection.execute("SELECT count(*) FROM trials WHERE experiment_id = ?", (experiment_id,)).fetchone()[0]
    if used >= TRIALS_PER_EXPERIMENT:
        what = (
            "Total number of trials allowed in a single experiment, excluding those automatically created by SageMaker"
        )
        raise ResourceLimitFault(_LIMIT.format(what=what, most=TRIALS_PER_EXPERIMENT, unit="Trials", used=used))


@serves("sagemaker", "DescribeTrial")
def describe_trial(call: Call) -> Response:
    with call.context.store.snapshot() as connection:
        found = get(connection, "trials", call.params["TrialName"], call.context.identity)
        return describe(read(connection, found["id"]))


def read(connection: sqlite3.Connection, trial_id: int) -> sqlite3.Row:
    """Return a trial's row together with its ``experiment_name``."""
    row: sqlite3.Row = connection.execute(f"{_SELECT} WHERE t.id = ?", (trial_id,)).fetchone()
    return row


def describe(row: sqlite3.Row) -> Response:
    """Build the members that DescribeTrial and Search return."""
    return present(
        TrialName=row["name"],
        TrialArn=row["arn"],
        DisplayName=row["display_name"],
        ExperimentName=row["experiment_name"],
        CreationTime=as_datetime(row["created"]),
        LastModifiedTime=as_datetime(row["modified"]),
        CreatedBy={},
        LastModifiedBy={},
        MetadataProperties=metadata_of(row),
    )


@serves("sagemaker", "UpdateTrial")
def update_trial(call: Call) -> Response:
    with call.context.store.write() as connection:
        row = get(connection, "trials", call.params["TrialName"], call.context.identity)
        touch(connection, "trials", row["id"], call.context.now(), [("display_name", call.params.get("DisplayName"))])
    return {"TrialArn": row["arn"]}


@serves("sagemaker", "DeleteTrial")
def delete_trial(call: Call) -> Response:
    with call.context.store.write() as connection:
        row = get(connection, "trials", call.params["TrialName"], call.context.identity)
        if connection.execute("SELECT 1 FROM associations WHERE trial_id = ?", (row["id"],)).fetchone():
            raise ValidationFault(f"Trial '{row['arn']}' has 1 or more trial components and cannot be deleted.")
        connection.execute("DELETE FROM trials WHERE id = ?", (row["id"],))
        remove_all_tags(connection, row["arn"])
    return {"TrialArn": row["arn"]}


@serves("sagemaker", "ListTrials")
def list_trials(call: Call) -> Response:
    params = call.params
    with call.context.store.read() as connection:
        where: dict[str, object] = {}
        if experiment := params.get("ExperimentName"):
            where["t.experiment_id = ?"] = get(connection, "experiments", experiment, call.context.identity)["id"]
        if component := params.get("TrialComponentName"):
            row = get(connection, "components", component, call.context.identity)
            where["t.id IN (SELECT trial_id FROM associations WHERE component_id = ?)"] = row["id"]
        rows, token = listing(connection, "SELECT t.* FROM trials t", where, params)
    return {"TrialSummaries": [_summary(row) for row in rows], **token}


def _summary(row: sqlite3.Row) -> Response:
    return {
        "TrialName": row["name"],
        "TrialArn": row["arn"],
        "DisplayName": row["display_name"],
        "CreationTime": as_datetime(row["created"]),
        "LastModifiedTime": as_datetime(row["modified"]),
    }


@serves("sagemaker", "AssociateTrialComponent")
def associate_trial_component(call: Call) -> Response:
    """Add a component to a trial. A trial can have 50, AWS's default quota."""
    params = call.params
    with call.context.store.write() as connection:
        trial = get(connection, "trials", params["TrialName"], call.context.identity)
        component = get(connection, "components", params["TrialComponentName"], call.context.identity)
        associate(connection, trial["id"], component["id"], call.context.now())
    return {"TrialArn": trial["arn"], "TrialComponentArn": component["arn"]}


def associate(connection: sqlite3.Connection, trial_id: int, component_id: int, now: float) -> None:
    """Add a component to a trial, unless it is in it already. Too many raise ResourceLimitExceeded."""
    used = connection.execute(
        "SELECT count(*) FROM associations WHERE trial_id = ? AND component_id <> ?", (trial_id, component_id)
    ).fetchone()[0]
    if used >= COMPONENTS_PER_TRIAL:
        what = "Total number of trial components allowed in a single trial"
        raise ResourceLimitFault(
            _LIMIT.format(what=what, most=COMPONENTS_PER_TRIAL, unit="Trial Components", used=used)
        )
    connection.execute("INSERT OR IGNORE INTO associations VALUES (?, ?, ?)", (trial_id, component_id, now))


@serves("sagemaker", "DisassociateTrialComponent")
def disassociate_trial_component(call: Call) -> Response:
    params = call.params
    with call.context.store.write() as connection:
        trial = get(connection, "trials", params["TrialName"], call.context.identity)
        component = get(connection, "components", params["TrialComponentName"], call.context.identity)
        connection.execute(
            "DELETE FROM associations WHERE trial_id = ? AND component_id = ?", (trial["id"], component["id"])
        )
    return {"TrialArn": trial["arn"], "TrialComponentArn": component["arn"]}
