"""Lineage artifacts and associations, as far as Tracker creates and cleaning up deletes them."""

import json
import sqlite3
import uuid

from mnist_tracking.embedded.faults import ResourceNotFoundFault, ValidationFault
from mnist_tracking.embedded.registry import Call, Response, serves
from mnist_tracking.embedded.services.resources import has_arn, next_token, page_size, present, read_offset
from mnist_tracking.embedded.services.sagemaker.tags import put_tags, remove_all_tags
from mnist_tracking.embedded.times import as_datetime
from mnist_tracking.errors import UnsupportedOperationError

_FILTERS = {"SourceArn": "source_arn", "DestinationArn": "destination_arn", "AssociationType": "type"}
_DESCRIBED = ("ArtifactName", "Source", "ArtifactType", "Properties", "MetadataProperties")
_LIST_MEMBERS = {*_FILTERS, "MaxResults", "NextToken"}


@serves("sagemaker", "CreateArtifact")
def create_artifact(call: Call) -> Response:
    params = call.params
    arn = call.context.identity.sagemaker_arn("artifact", uuid.uuid4().hex)
    with call.context.store.write() as connection:
        connection.execute(
            "INSERT INTO lineage_artifacts VALUES (?, ?, ?, ?, ?, ?)",
            (
                arn,
                params.get("ArtifactName"),
                params["ArtifactType"],
                params["Source"]["SourceUri"],
                json.dumps(params, default=str),
                call.context.now(),
            ),
        )
        put_tags(connection, arn, params.get("Tags"))
    return {"ArtifactArn": arn}


@serves("sagemaker", "DescribeArtifact")
def describe_artifact(call: Call) -> Response:
    arn = call.params["ArtifactArn"]
    with call.context.store.read() as connection:
        row = connection.execute("SELECT * FROM lineage_artifacts WHERE arn = ?", (arn,)).fetchone()
    if row is None:
        raise ResourceNotFoundFault(f"Could not find artifact {arn}.")
    request = json.loads(row["request"])
    return {
        **{name: request[name] for name in _DESCRIBED if name in request},
        "ArtifactArn": arn,
        "CreationTime": as_datetime(row["created"]),
        "CreatedBy": {},
    }


@serves("sagemaker", "AddAssociation")
def add_association(call: Call) -> Response:
    source, destination = call.params["SourceArn"], call.params["DestinationArn"]
    if source == destination:
        raise ValidationFault("The source and the destination of an association must be different.")
    with call.context.store.write() as connection:
        for arn in (source, destination):
            if not has_arn(connection, arn):
                raise ResourceNotFoundFault(f"Could not find resource {arn}.")
        connection.execute(
            "INSERT OR REPLACE INTO lineage_associations VALUES (?, ?, ?, ?)",
            (source, destination, call.params.get("AssociationType"), call.context.now()),
        )
    return {"SourceArn": source, "DestinationArn": destination}


@serves("sagemaker", "ListAssociations")
def list_associations(call: Call) -> Response:
    """List by source, destination and type, newest first. Other filters and orders raise UnsupportedOperationError."""
    params = call.params
    if unknown := sorted(params.keys() - _LIST_MEMBERS):
        raise UnsupportedOperationError("sagemaker", f"ListAssociations with {unknown[0]}")
    size, offset = page_size(params), read_offset(params)
    given = {column: params[name] for name, column in _FILTERS.items() if name in params}
    clause = " AND ".join([f"{column} = ?" for column in given] or ["TRUE"])
    with call.context.store.read() as connection:
        rows = connection.execute(
            f"SELECT * FROM lineage_associations WHERE {clause} "
            "ORDER BY created DESC, source_arn, destination_arn LIMIT ? OFFSET ?",
            [*given.values(), size + 1, offset],
        ).fetchall()
    return {"AssociationSummaries": [_summary(row) for row in rows[:size]], **next_token(offset, size, len(rows))}


def _summary(row: sqlite3.Row) -> Response:
    return present(
        SourceArn=row["source_arn"],
        DestinationArn=row["destination_arn"],
        AssociationType=row["type"],
        CreationTime=as_datetime(row["created"]),
        CreatedBy={},
    )


@serves("sagemaker", "DeleteAssociation")
def delete_association(call: Call) -> Response:
    source, destination = call.params["SourceArn"], call.params["DestinationArn"]
    with call.context.store.write() as connection:
        deleted = connection.execute(
            "DELETE FROM lineage_associations WHERE source_arn = ? AND destination_arn = ?", (source, destination)
        )
        if not deleted.rowcount:
            raise ResourceNotFoundFault(f"Could not find an association of {source} with {destination}.")
    return {"SourceArn": source, "DestinationArn": destination}


@serves("sagemaker", "DeleteArtifact")
def delete_artifact(call: Call) -> Response:
    """Delete an artifact without associations, by its ARN. Naming it by its source raises UnsupportedOperationError."""
    arn = call.params.get("ArtifactArn")
    if arn is None:
        raise UnsupportedOperationError("sagemaker", "DeleteArtifact without ArtifactArn")
    with call.context.store.write() as connection:
        if connection.execute(
            "SELECT 1 FROM lineage_associations WHERE ? IN (source_arn, destination_arn)", (arn,)
        ).fetchone():
            raise ValidationFault(f"Artifact {arn} has associations and cannot be deleted.")
        if not connection.execute("DELETE FROM lineage_artifacts WHERE arn = ?", (arn,)).rowcount:
            raise ResourceNotFoundFault(f"Could not find artifact {arn}.")
        remove_all_tags(connection, arn)
    return {"ArtifactArn": arn}
