"""Lineage artifacts and associations, as far as Tracker creates and cleaning up deletes them."""

import json
import uuid

from mnist_tracking.embedded.faults import ResourceNotFoundFault, ValidationFault
from mnist_tracking.embedded.registry import Call, Response, serves
from mnist_tracking.embedded.services.resources import next_token, page_size, present, read_offset
from mnist_tracking.embedded.store import lineage
from mnist_tracking.embedded.store.lineage import Association, LineageArtifact
from mnist_tracking.embedded.store.tags import has_arn, put_tags, remove_all_tags
from mnist_tracking.embedded.times import as_datetime, as_seconds
from mnist_tracking.errors import UnsupportedOperationError

_FILTERS = {"SourceArn": "source_arn", "DestinationArn": "destination_arn", "AssociationType": "type"}
_DESCRIBED = ("ArtifactName", "Source", "ArtifactType", "Properties", "MetadataProperties")
_LIST_MEMBERS = {*_FILTERS, "MaxResults", "NextToken"}


@serves("sagemaker", "CreateArtifact")
def create_artifact(call: Call) -> Response:
    params = call.params
    artifact = LineageArtifact(
        call.context.identity.sagemaker_arn("artifact", uuid.uuid4().hex),
        params.get("ArtifactName"),
        params["ArtifactType"],
        params["Source"]["SourceUri"],
        json.dumps(params, default=str),
        call.context.now(),
    )
    with call.context.store.write() as connection:
        lineage.add_artifact(connection, artifact)
        put_tags(connection, artifact.arn, params.get("Tags"))
    return {"ArtifactArn": artifact.arn}


@serves("sagemaker", "DescribeArtifact")
def describe_artifact(call: Call) -> Response:
    arn = call.params["ArtifactArn"]
    with call.context.store.read() as connection:
        found = lineage.find_artifact(connection, arn)
    if found is None:
        raise ResourceNotFoundFault(f"Could not find artifact {arn}.")
    request = json.loads(found.request)
    return {
        **{name: request[name] for name in _DESCRIBED if name in request},
        "ArtifactArn": arn,
        "CreationTime": as_datetime(found.created),
        "CreatedBy": {},
    }


@serves("sagemaker", "ListArtifacts")
def list_artifacts(call: Call) -> Response:
    """List by source and time of creation, newest first. Other filters and orders raise UnsupportedOperationError."""
    params = call.params
    if unknown := sorted(params.keys() - {"SourceUri", "CreatedAfter", "MaxResults", "NextToken"}):
        raise UnsupportedOperationError("sagemaker", f"ListArtifacts with {unknown[0]}")
    size, offset = page_size(params), read_offset(params)
    after = as_seconds(params["CreatedAfter"]) if "CreatedAfter" in params else 0.0
    with call.context.store.read() as connection:
        found = lineage.artifacts(connection, params.get("SourceUri"), after, size + 1, offset)
    return {"ArtifactSummaries": [_artifact(item) for item in found[:size]], **next_token(offset, size, len(found))}


def _artifact(found: LineageArtifact) -> Response:
    request = json.loads(found.request)
    return {
        **{name: request[name] for name in ("ArtifactName", "Source", "ArtifactType") if name in request},
        "ArtifactArn": found.arn,
        "CreationTime": as_datetime(found.created),
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
        kind, now = call.params.get("AssociationType"), call.context.now()
        lineage.put_association(connection, Association(source, destination, kind, now))
    return {"SourceArn": source, "DestinationArn": destination}


@serves("sagemaker", "ListAssociations")
def list_associations(call: Call) -> Response:
    """List by source, destination and type, newest first. Other filters and orders raise UnsupportedOperationError."""
    params = call.params
    if unknown := sorted(params.keys() - _LIST_MEMBERS):
        raise UnsupportedOperationError("sagemaker", f"ListAssociations with {unknown[0]}")
    size, offset = page_size(params), read_offset(params)
    wanted = {column: params[name] for name, column in _FILTERS.items() if name in params}
    with call.context.store.read() as connection:
        found = lineage.associations(connection, wanted, size + 1, offset)
    return {"AssociationSummaries": [_summary(item) for item in found[:size]], **next_token(offset, size, len(found))}


def _summary(found: Association) -> Response:
    return present(
        SourceArn=found.source_arn,
        DestinationArn=found.destination_arn,
        AssociationType=found.type,
        CreationTime=as_datetime(found.created),
        CreatedBy={},
    )


@serves("sagemaker", "DeleteAssociation")
def delete_association(call: Call) -> Response:
    source, destination = call.params["SourceArn"], call.params["DestinationArn"]
    with call.context.store.write() as connection:
        if not lineage.delete_association(connection, source, destination):
            raise ResourceNotFoundFault(f"Could not find an association of {source} with {destination}.")
    return {"SourceArn": source, "DestinationArn": destination}


@serves("sagemaker", "DeleteArtifact")
def delete_artifact(call: Call) -> Response:
    """Delete an artifact without associations, by its ARN. Naming it by its source raises UnsupportedOperationError."""
    arn = call.params.get("ArtifactArn")
    if arn is None:
        raise UnsupportedOperationError("sagemaker", "DeleteArtifact without ArtifactArn")
    with call.context.store.write() as connection:
        if lineage.is_associated(connection, arn):
            raise ValidationFault(f"Artifact {arn} has associations and cannot be deleted.")
        if not lineage.delete_artifact(connection, arn):
            raise ResourceNotFoundFault(f"Could not find artifact {arn}.")
        remove_all_tags(connection, arn)
    return {"ArtifactArn": arn}
