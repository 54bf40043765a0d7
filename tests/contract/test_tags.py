import pytest
from botocore.exceptions import ClientError
from tests.support.rigs import Rig


@pytest.fixture
def arn(rig: Rig) -> str:
    """An experiment created with one tag."""
    return rig.sagemaker().create_experiment(ExperimentName="digits", Tags=[{"Key": "team", "Value": "cv"}])[
        "ExperimentArn"
    ]


def tags(rig: Rig, arn: str) -> dict[str, str]:
    """A resource's tags."""
    return {tag["Key"]: tag["Value"] for tag in rig.sagemaker().list_tags(ResourceArn=arn)["Tags"]}


def test_tags_given_at_creation_are_listed(rig: Rig, arn: str) -> None:
    """Create operations take tags."""
    assert tags(rig, arn) == {"team": "cv"}


def test_added_tag_replaces_the_one_of_the_same_key(rig: Rig, arn: str) -> None:
    """AddTags adds or overwrites (botocore)."""
    rig.sagemaker().add_tags(ResourceArn=arn, Tags=[{"Key": "team", "Value": "nlp"}, {"Key": "stage", "Value": "test"}])

    assert tags(rig, arn) == {"team": "nlp", "stage": "test"}


def test_deleted_tags_are_gone(rig: Rig, arn: str) -> None:
    """DeleteTags ignores missing keys."""
    rig.sagemaker().delete_tags(ResourceArn=arn, TagKeys=["team", "never"])

    assert tags(rig, arn) == {}


def test_tags_go_with_their_resource(rig: Rig, arn: str) -> None:
    """A new experiment of the same name has none of the old one's tags."""
    rig.sagemaker().delete_experiment(ExperimentName="digits")
    rig.sagemaker().create_experiment(ExperimentName="digits")

    assert tags(rig, arn) == {}


@pytest.mark.needs("validation")
def test_resource_has_at_most_50_tags(rig: Rig, arn: str) -> None:
    """50 is the maximum of the resource, not only of a request."""
    with pytest.raises(ClientError, match="at most 50 tags"):
        rig.sagemaker().add_tags(ResourceArn=arn, Tags=[{"Key": f"k{n}", "Value": "v"} for n in range(50)])

    assert tags(rig, arn) == {"team": "cv"}


@pytest.mark.needs("validation")
def test_missing_resource_cannot_be_tagged(rig: Rig, arn: str) -> None:
    """A ValidationException (aws/amazon-sagemaker-feedback, issue 108); a later resource of that name has no tags."""
    with pytest.raises(ClientError, match="ValidationException"):
        rig.sagemaker().add_tags(ResourceArn=f"{arn}-two", Tags=[{"Key": "k", "Value": "v"}])

    created = rig.sagemaker().create_experiment(ExperimentName="digits-two")
    assert tags(rig, created["ExperimentArn"]) == {}
