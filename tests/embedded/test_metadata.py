"""What makers say of where a resource comes from (MetadataProperties) is kept, and returned with the resource."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from mnist_tracking.embedded.engine import EmbeddedSageMaker

MADE = {"CommitId": "1f8c792", "Repository": "https://example.com/digits", "GeneratedBy": "make", "ProjectId": "7"}


@pytest.fixture
def client(engine: EmbeddedSageMaker) -> Any:
    """A client with an experiment, and two trials and components, one of each with metadata."""
    client: Any = engine.session().client("sagemaker")
    client.create_experiment(ExperimentName="digits")
    for name, given in (("told", {"MetadataProperties": MADE}), ("untold", {})):
        client.create_trial(TrialName=name, ExperimentName="digits", **given)
        client.create_trial_component(TrialComponentName=name, **given)
    return client


def test_of_trials(client: Any) -> None:
    assert client.describe_trial(TrialName="told")["MetadataProperties"] == MADE
    assert "MetadataProperties" not in client.describe_trial(TrialName="untold")


def test_of_components(client: Any) -> None:
    """A later update leaves it alone."""
    client.update_trial_component(TrialComponentName="told", DisplayName="Training")

    assert client.describe_trial_component(TrialComponentName="told")["MetadataProperties"] == MADE
    assert "MetadataProperties" not in client.describe_trial_component(TrialComponentName="untold")


@pytest.mark.parametrize(
    ("resource", "kind"), [("ExperimentTrial", "Trial"), ("ExperimentTrialComponent", "TrialComponent")]
)
def test_search_returns_it(client: Any, resource: str, kind: str) -> None:
    found = {result[kind][f"{kind}Name"]: result[kind] for result in client.search(Resource=resource)["Results"]}

    assert found["told"]["MetadataProperties"] == MADE
    assert "MetadataProperties" not in found["untold"]


def test_of_artifacts(client: Any) -> None:
    given = {"ArtifactName": "digits", "ArtifactType": "DataSet", "Source": {"SourceUri": "s3://bucket/digits"}}
    arn = client.create_artifact(**given, Properties={"rows": "7"}, MetadataProperties=MADE)["ArtifactArn"]
    described = client.describe_artifact(ArtifactArn=arn)

    assert {name: described[name] for name in given} == given
    assert (described["Properties"], described["MetadataProperties"]) == ({"rows": "7"}, MADE)


def test_an_artifact_that_does_not_exist_is_not_found(client: Any) -> None:
    with pytest.raises(ClientError, match=r"\(ResourceNotFound\).*Could not find artifact"):
        client.describe_artifact(ArtifactArn="arn:aws:sagemaker:us-east-1:000000000000:artifact/gone")
