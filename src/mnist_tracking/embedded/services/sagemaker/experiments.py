"""Experiments."""

import sqlite3

from mnist_tracking.embedded.faults import ValidationFault
from mnist_tracking.embedded.registry import Call, Response, serves
from mnist_tracking.embedded.services.resources import check_name_is_free, get, listing, present, touch
from mnist_tracking.embedded.services.sagemaker.tags import put_tags, remove_all_tags
from mnist_tracking.embedded.times import as_datetime


@serves("sagemaker", "CreateExperiment")
def create_experiment(call: Call) -> Response:
    name, now = call.params["ExperimentName"], call.context.now()
    arn = call.context.identity.sagemaker_arn("experiment", name)
    with call.context.store.write() as connection:
        check_name_is_free(connection, "experiments", name)
        connection.execute(
            "INSERT INTO experiments (name, arn, display_name, description, created, modified) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            (name, arn, call.params.get("DisplayName", name), call.params.get("Description"), now, now),
        )
        put_tags(connection, arn, call.params.get("Tags"))
    return {"ExperimentArn": arn}


@serves("sagemaker", "DescribeExperiment")
def describe_experiment(call: Call) -> Response:
    with call.context.store.read() as connection:
        row = get(connection, "experiments", call.params["ExperimentName"], call.context.identity)
    return describe(row)


def describe(row: sqlite3.Row) -> Response:
    """Build the members that DescribeExperiment and Search return."""
    return present(
        ExperimentName=row["name"],
        ExperimentArn=row["arn"],
        DisplayName=row["display_name"],
        Description=row["description"],
        CreationTime=as_datetime(row["created"]),
        LastModifiedTime=as_datetime(row["modified"]),
        CreatedBy={},
        LastModifiedBy={},
    )


@serves("sagemaker", "UpdateExperiment")
def update_experiment(call: Call) -> Response:
    params, now = call.params, call.context.now()
    with call.context.store.write() as connection:
        row = get(connection, "experiments", params["ExperimentName"], call.context.identity)
        columns = [("display_name", params.get("DisplayName")), ("description", params.get("Description"))]
        touch(connection, "experiments", row["id"], now, columns)
    return {"ExperimentArn": row["arn"]}


@serves("sagemaker", "DeleteExperiment")
def delete_experiment(call: Call) -> Response:
    with call.context.store.write() as connection:
        row = get(connection, "experiments", call.params["ExperimentName"], call.context.identity)
        if connection.execute("SELECT 1 FROM trials WHERE experiment_id = ?", (row["id"],)).fetchone():
            raise ValidationFault(f"Experiment '{row['arn']}' has 1 or more trials and cannot be deleted.")
        connection.execute("DELETE FROM experiments WHERE id = ?", (row["id"],))
        remove_all_tags(connection, row["arn"])
    return {"ExperimentArn": row["arn"]}


@serves("sagemaker", "ListExperiments")
def list_experiments(call: Call) -> Response:
    with call.context.store.read() as connection:
        rows, token = listing(connection, "SELECT t.* FROM experiments t", {}, call.params)
    return {"ExperimentSummaries": [_summary(row) for row in rows], **token}


def _summary(row: sqlite3.Row) -> Response:
    return {
        "ExperimentName": row["name"],
        "ExperimentArn": row["arn"],
        "DisplayName": row["display_name"],
        "CreationTime": as_datetime(row["created"]),
        "LastModifiedTime": as_datetime(row["modified"]),
    }
