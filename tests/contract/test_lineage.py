from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.support.rigs import Rig

pytestmark = pytest.mark.needs("lineage")


@pytest.fixture
def component(rig: Rig) -> str:
    """The component `prep`, by its ARN."""
    return rig.sagemaker().create_trial_component(TrialComponentName="prep")["TrialComponentArn"]


@pytest.fixture
def artifact(rig: Rig) -> str:
    """An artifact, by its ARN."""
    source = {"SourceUri": "s3://digits/7.csv"}
    return rig.sagemaker().create_artifact(ArtifactType="text/csv", Source=source)["ArtifactArn"]  # type: ignore[arg-type]


def test_artifact_is_associated_again_and_again(rig: Rig, component: str, artifact: str) -> None:
    """Tracker associates what it logs with its component; repeating it changes nothing."""
    for _ in range(2):
        answer = rig.sagemaker().add_association(
            SourceArn=artifact, DestinationArn=component, AssociationType="ContributedTo"
        )

    assert (answer["SourceArn"], answer["DestinationArn"]) == (artifact, component)


def test_both_ends_of_an_association_must_exist(rig: Rig, component: str, artifact: str) -> None:
    """ResourceNotFound is the error that botocore's model declares; it names the end that is missing."""
    client = rig.sagemaker()
    with pytest.raises(client.exceptions.ResourceNotFound, match="prep-two"):
        client.add_association(SourceArn=artifact, DestinationArn=f"{component}-two")
    with pytest.raises(client.exceptions.ResourceNotFound, match=f"{artifact}0"):
        client.add_association(SourceArn=f"{artifact}0", DestinationArn=component)


def test_artifact_name_has_the_pattern_of_all_names(rig: Rig) -> None:
    """A file name with a dot is not valid, although smexperiments sends it by default (botocore, ArtifactName)."""
    with pytest.raises(ClientError, match=r"Value 'f\.csv' at 'artifactName'"):
        rig.sagemaker().create_artifact(
            ArtifactName="f.csv", ArtifactType="text/csv", Source={"SourceUri": "s3://digits/f.csv"}
        )


@pytest.fixture
def links(rig: Rig, component: str, artifact: str) -> list[tuple[str, str]]:
    """The component's associations: it read one artifact and wrote another."""
    source = {"SourceUri": "s3://digits/model"}
    written = rig.sagemaker().create_artifact(ArtifactType="Model", Source=source)["ArtifactArn"]  # type: ignore[arg-type]
    rig.sagemaker().add_association(SourceArn=artifact, DestinationArn=component, AssociationType="ContributedTo")
    rig.sagemaker().add_association(SourceArn=component, DestinationArn=written, AssociationType="Produced")
    return [(artifact, component), (component, written)]


def listed(rig: Rig, **filters: Any) -> list[tuple[str, str]]:
    """The associations of all pages, each of which has one."""
    pages = rig.sagemaker().get_paginator("list_associations").paginate(**filters, PaginationConfig={"PageSize": 1})
    return [(found["SourceArn"], found["DestinationArn"]) for page in pages for found in page["AssociationSummaries"]]


def test_associations_are_listed_by_source_destination_and_type(
    rig: Rig, component: str, links: list[tuple[str, str]]
) -> None:
    read, written = links

    assert listed(rig, SourceArn=component) == [written]
    assert listed(rig, DestinationArn=component) == [read]
    assert listed(rig, SourceArn=component, AssociationType="Produced") == [written]
    assert listed(rig, SourceArn=component, AssociationType="ContributedTo") == []
    assert listed(rig, SourceArn=f"{component}-two") == []


@pytest.mark.needs("empty account")
def test_all_associations_are_listed(rig: Rig, links: list[tuple[str, str]]) -> None:
    """Without a filter, and by type alone."""
    assert sorted(listed(rig)) == sorted(links)
    assert listed(rig, AssociationType="Produced") == [links[1]]


def test_an_association_is_deleted_once(rig: Rig, component: str, links: list[tuple[str, str]]) -> None:
    """ResourceNotFound is the error that botocore's model declares."""
    client = rig.sagemaker()
    (source, destination), other = links
    client.delete_association(SourceArn=source, DestinationArn=destination)
    with pytest.raises(client.exceptions.ResourceNotFound):
        client.delete_association(SourceArn=source, DestinationArn=destination)

    assert listed(rig, DestinationArn=component) == []
    assert listed(rig, SourceArn=component) == [other]


def test_an_artifact_is_deleted_once_with_its_tags(rig: Rig, artifact: str) -> None:
    """ResourceNotFound is the error that botocore's model declares."""
    client = rig.sagemaker()
    client.add_tags(ResourceArn=artifact, Tags=[{"Key": "team", "Value": "digits"}])
    client.delete_artifact(ArtifactArn=artifact)
    with pytest.raises(client.exceptions.ResourceNotFound):
        client.delete_artifact(ArtifactArn=artifact)

    assert client.list_tags(ResourceArn=artifact)["Tags"] == []


def test_an_artifact_that_has_associations_cannot_be_deleted(rig: Rig, links: list[tuple[str, str]]) -> None:
    """The SDK removes them before (sagemaker.lineage.artifact, Artifact.delete(disassociate=True))."""
    for artifact in (links[0][0], links[1][1]):
        with pytest.raises(ClientError, match="cannot be deleted"):
            rig.sagemaker().delete_artifact(ArtifactArn=artifact)


def test_artifacts_are_listed_by_source_and_time(rig: Rig) -> None:
    """CreatedAfter takes the earliest time of creation (botocore, ListArtifacts)."""
    client = rig.sagemaker()
    arns = {}
    for name in ("one", "two"):
        uri = f"s3://digits/{rig.prefix}{name}"
        arns[uri] = client.create_artifact(ArtifactType="text/csv", Source={"SourceUri": uri})["ArtifactArn"]

    for uri, arn in arns.items():
        (found,) = client.list_artifacts(SourceUri=uri)["ArtifactSummaries"]
        assert found["ArtifactArn"] == arn
        assert client.list_artifacts(SourceUri=uri, CreatedAfter="2000-01-01T00:00:00Z")["ArtifactSummaries"] == [found]
        assert client.list_artifacts(SourceUri=uri, CreatedAfter="2999-01-01T00:00:00Z")["ArtifactSummaries"] == []
