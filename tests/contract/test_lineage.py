import pytest
from botocore.exceptions import ClientError
from tests.rigs import Rig

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
    """A file's name is none, though smexperiments sends it by default (botocore, ArtifactName)."""
    with pytest.raises(ClientError, match=r"Value 'f\.csv' at 'artifactName'"):
        rig.sagemaker().create_artifact(
            ArtifactName="f.csv", ArtifactType="text/csv", Source={"SourceUri": "s3://digits/f.csv"}
        )
