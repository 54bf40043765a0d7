from typing import Any

import pytest

from mnist_tracking.embedded.engine import EmbeddedSageMaker
from mnist_tracking.embedded.registry import OPERATIONS
from mnist_tracking.errors import UnsupportedOperationError


@pytest.mark.parametrize(
    ("service", "operation", "params"),
    [
        ("sagemaker", "ListAutoMLJobs", {}),
        ("sagemaker", "DescribeCluster", {"ClusterName": "a"}),
        ("s3", "GetBucketWebsite", {"Bucket": "a-bucket"}),
        ("dynamodb", "ListTables", {}),
        ("sts", "GetSessionToken", {}),
    ],
)
def test_unsupported_operation_is_named(
    engine: EmbeddedSageMaker, service: Any, operation: str, params: dict[str, Any]
) -> None:
    """It never falls through to the network; neither do calls of unsupported services."""
    client = engine.session().client(service)
    call = {name: method for method, name in client.meta.method_to_api_mapping.items()}[operation]
    with pytest.raises(UnsupportedOperationError, match=f"does not implement {service}:{operation}") as caught:
        getattr(client, call)(**params)

    assert (caught.value.service, caught.value.operation) == (service, operation)
    assert isinstance(caught.value, NotImplementedError)


def test_unsupported_member_of_a_lineage_operation_is_named(engine: EmbeddedSageMaker) -> None:
    """An ignored filter would list too much."""
    client = engine.session().client("sagemaker")
    with pytest.raises(UnsupportedOperationError, match="ListAssociations with SourceType"):
        client.list_associations(SourceType="Model")
    with pytest.raises(UnsupportedOperationError, match="DeleteArtifact without ArtifactArn"):
        client.delete_artifact(Source={"SourceUri": "s3://digits/model"})


def test_every_registered_operation_exists(engine: EmbeddedSageMaker) -> None:
    """No handler is registered under a name that botocore does not know."""
    session = engine.session()
    for service in {service for service, _ in OPERATIONS}:
        known = set(session.client(service).meta.service_model.operation_names)  # type: ignore[call-overload]
        assert {operation for of, operation in OPERATIONS if of == service} <= known
