import pytest
from botocore.exceptions import ClientError
from tests.support.rigs import Rig


def test_created_experiment_is_described_as_given(rig: Rig) -> None:
    """DescribeExperiment returns the members of CreateExperiment."""
    created = rig.sagemaker().create_experiment(ExperimentName="digits", Description="Of hands.")
    described = rig.sagemaker().describe_experiment(ExperimentName="digits")

    assert created["ExperimentArn"] == described["ExperimentArn"]
    assert (described["ExperimentName"], described["Description"]) == ("digits", "Of hands.")
    assert described["ExperimentArn"].endswith(":experiment/digits")


def test_display_name_defaults_to_the_name(rig: Rig) -> None:
    """Without a display name the name is shown (botocore, CreateExperiment.DisplayName)."""
    rig.sagemaker().create_experiment(ExperimentName="digits")

    assert rig.sagemaker().describe_experiment(ExperimentName="digits")["DisplayName"] == "digits"


def test_times_are_aware_and_recent(rig: Rig) -> None:
    """Creation and modification times are aware datetimes, and equal at first."""
    rig.sagemaker().create_experiment(ExperimentName="digits")
    described = rig.sagemaker().describe_experiment(ExperimentName="digits")

    assert described["CreationTime"].tzinfo is not None
    assert described["CreationTime"] <= described["LastModifiedTime"]


def test_taken_name_is_rejected_in_both_wordings(rig: Rig) -> None:
    """The SDKs look for "already exists", newer ones for "must be unique"."""
    rig.sagemaker().create_experiment(ExperimentName="digits")
    with pytest.raises(ClientError) as caught:
        rig.sagemaker().create_experiment(ExperimentName="digits")

    assert caught.value.response["Error"]["Code"] == "ValidationException"
    assert "already exists" in caught.value.response["Error"]["Message"]
    assert "must be unique within an AWS account" in caught.value.response["Error"]["Message"]


@pytest.mark.needs("validation")
def test_names_differ_without_regard_to_case(rig: Rig) -> None:
    """Names "are not case-sensitive" (botocore, CreateExperiment.ExperimentName)."""
    rig.sagemaker().create_experiment(ExperimentName="Digits")
    with pytest.raises(ClientError, match="already exists"):
        rig.sagemaker().create_experiment(ExperimentName="dIGITS")

    assert rig.sagemaker().describe_experiment(ExperimentName="digits")["ExperimentName"] == "Digits"


@pytest.mark.needs("typed errors")
def test_missing_experiment_is_a_typed_error_that_names_it(rig: Rig) -> None:
    """ResourceNotFound is the error that botocore's model declares."""
    client = rig.sagemaker()
    with pytest.raises(client.exceptions.ResourceNotFound, match="nowhere"):
        client.describe_experiment(ExperimentName="nowhere")
    with pytest.raises(client.exceptions.ResourceNotFound, match="nowhere"):
        client.delete_experiment(ExperimentName="nowhere")


@pytest.mark.needs("updates")
def test_update_changes_only_what_is_given(rig: Rig) -> None:
    """UpdateExperiment leaves the members alone that it is not given."""
    client = rig.sagemaker()
    client.create_experiment(ExperimentName="digits", DisplayName="Digits", Description="Old.")
    client.update_experiment(ExperimentName="digits", Description="New.")
    described = client.describe_experiment(ExperimentName="digits")

    assert (described["DisplayName"], described["Description"]) == ("Digits", "New.")
    assert described["LastModifiedTime"] > described["CreationTime"]


def test_deleted_experiment_is_gone(rig: Rig) -> None:
    """A deleted experiment is not listed, and its name is free."""
    client = rig.sagemaker()
    client.create_experiment(ExperimentName="digits")
    client.delete_experiment(ExperimentName="digits")

    assert client.list_experiments()["ExperimentSummaries"] == []
    client.create_experiment(ExperimentName="digits")


@pytest.mark.needs("validation")
def test_experiment_with_trials_cannot_be_deleted(rig: Rig) -> None:
    """DeleteExperiment: "All trials associated with the experiment must be deleted first"."""
    client = rig.sagemaker()
    client.create_experiment(ExperimentName="digits")
    client.create_trial(TrialName="one", ExperimentName="digits")
    with pytest.raises(ClientError, match="1 or more trials"):
        client.delete_experiment(ExperimentName="digits")

    client.delete_trial(TrialName="one")
    client.delete_experiment(ExperimentName="digits")


@pytest.mark.needs("empty account")
def test_experiments_are_listed_in_pages(rig: Rig) -> None:
    """The paginator sees each experiment once, whatever the size of a page."""
    client = rig.sagemaker()
    names = [f"digits-{number:02}" for number in range(12)]
    for name in names:
        client.create_experiment(ExperimentName=name)
    pages = client.get_paginator("list_experiments").paginate(PaginationConfig={"PageSize": 5})
    found = [item["ExperimentName"] for page in pages for item in page["ExperimentSummaries"]]

    assert names == sorted(found)


def test_default_page_has_ten_newest_first(rig: Rig) -> None:
    """MaxResults defaults to 10, SortBy to CreationTime, SortOrder to Descending (botocore, ListExperiments)."""
    client = rig.sagemaker()
    for number in range(12):
        client.create_experiment(ExperimentName=f"digits-{number:02}")
    page = client.list_experiments()

    assert [f"digits-{number:02}" for number in range(11, 1, -1)] == [
        item["ExperimentName"] for item in page["ExperimentSummaries"]
    ]
    assert page["NextToken"]


@pytest.mark.needs("empty account")
def test_experiments_can_be_sorted_by_name(rig: Rig) -> None:
    """SortBy and SortOrder are honoured."""
    client = rig.sagemaker()
    for name in ("b", "c", "a"):
        client.create_experiment(ExperimentName=name)
    page = client.list_experiments(SortBy="Name", SortOrder="Ascending")

    assert [item["ExperimentName"] for item in page["ExperimentSummaries"]] == ["a", "b", "c"]


@pytest.mark.needs("empty account")
def test_experiments_can_be_listed_by_creation_time(rig: Rig) -> None:
    """CreatedAfter and CreatedBefore take any of botocore's forms of a time."""
    client = rig.sagemaker()
    client.create_experiment(ExperimentName="digits")

    assert client.list_experiments(CreatedAfter="2999-01-01T00:00:00Z")["ExperimentSummaries"] == []
    assert client.list_experiments(CreatedBefore="32472144000")["ExperimentSummaries"] != []  # the year 2999
    assert client.list_experiments(CreatedBefore="Thu, 01 Jan 1970 00:00:01 GMT")["ExperimentSummaries"] == []


@pytest.mark.needs("validation")
@pytest.mark.parametrize(
    "token", ["nonsense", "bm9uc2Vuc2U=", "eyJvZmZzZXQiOiAtMX0=", "WzEsMl0=", "WyJhIiwgInoiXQ==", "é"]
)
def test_broken_token_is_rejected(rig: Rig, token: str) -> None:
    """An invalid token is a ValidationException."""
    with pytest.raises(ClientError, match="ValidationException"):
        rig.sagemaker().list_experiments(NextToken=token)
