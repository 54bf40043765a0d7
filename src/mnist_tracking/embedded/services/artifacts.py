"""Lineage artifacts and associations, as far as Tracker makes them."""

import json
import uuid

from mnist_tracking.embedded.faults import ResourceNotFoundFault, ValidationFault
from mnist_tracking.embedded.registry import Call, Response, serves
from mnist_tracking.embedded.services.rows import has_arn
from mnist_tracking.embedded.store.tags import put_tags


@serves("sagemaker", "CreateArtifact")
def create_artifact(call: Call) -> Response:
    params = call.params
    arn = call.engine.identity.sagemaker_arn("artifact", uuid.uuid4().hex)
    with call.engine.store.write() as connection:
        connection.execute(
            "INSERT INTO lineage_artifacts VALUES (?, ?, ?, ?, ?, ?)",
            (
                arn,
                params.get("ArtifactName"),
                params["ArtifactType"],
                params["Source"]["SourceUri"],
                json.dumps(params, default=str),
                call.engine.now(),
            ),
        )
        put_tags(connection, arn, params.get("Tags"))
    return {"ArtifactArn": arn}


@serves("sagemaker", "AddAssociation")
def add_association(call: Call) -> Response:
    source, destination = call.params["SourceArn"], call.params["DestinationArn"]
    if source == destination:
        raise ValidationFault("Source and destination of an association must differ.")
    with call.engine.store.write() as connection:
        for arn in (source, destination):
            if not has_arn(connection, arn):
                raise ResourceNotFoundFault(f"There is no resource {arn} to be associated.")
        connection.execute(
            "INSERT OR REPLACE INTO lineage_associations VALUES (?, ?, ?, ?)",
            (source, destination, call.params.get("AssociationType"), call.engine.now()),
        )
    return {"SourceArn": source, "DestinationArn": destination}
