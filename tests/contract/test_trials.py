from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.support.rigs import Rig


@pytest.fixture(autouse=True)
def experiment(rig: Rig) -> str:
    """Every test here has the experiment `digits`."""
    rig.sagemaker().create_experiment(ExperimentName="digits")
    return "digits"


def test_created_trial_is_described_as_given(rig: Rig) -> None:
    """DescribeTrial names the trial's experiment."""
    created = rig.sagemaker().create_trial(TrialName="one", ExperimentName="digits", DisplayName="First")
    described = rig.sagemaker().describe_trial(TrialName="one")

    assert created["TrialArn"] == described["TrialArn"]
    assert (
        described["TrialName"],
        described["ExperimentName"],
        described["DisplayName"],
    ) == ("one", "digits", "First")
    assert described["TrialArn"].endswith(":experiment-trial/one")


@pytest.mark.needs("typed errors")
def test_trial_of_a_missing_experiment_is_rejected(rig: Rig) -> None:
    """CreateTrial raises ResourceNotFound, and creates nothing."""
    client = rig.sagemaker()
    with pytest.raises(client.exceptions.ResourceNotFound, match="nowhere"):
        client.create_trial(TrialName="one", ExperimentName="nowhere")

    assert client.list_trials()["TrialSummaries"] == []


@pytest.mark.needs("validation")
def test_taken_trial_name_is_rejected(rig: Rig) -> None:
    """Trial names are unique in the account, not in the experiment."""
    client = rig.sagemaker()
    client.create_experiment(ExperimentName="letters")
    client.create_trial(TrialName="one", ExperimentName="digits")
    with pytest.raises(ClientError, match="already exists"):
        client.create_trial(TrialName="one", ExperimentName="letters")

    assert client.describe_trial(TrialName="one")["ExperimentName"] == "digits"


def test_trials_are_listed_by_experiment(rig: Rig) -> None:
    """ListTrials with ExperimentName lists only its trials."""
    client = rig.sagemaker()
    client.create_experiment(ExperimentName="letters")
    client.create_trial(TrialName="one", ExperimentName="digits")
    client.create_trial(TrialName="two", ExperimentName="letters")

    summaries = client.list_trials(ExperimentName="digits")["TrialSummaries"]
    assert [summary["TrialName"] for summary in summaries] == ["one"]


def test_trials_are_listed_by_component(rig: Rig) -> None:
    """ListTrials with TrialComponentName gives every trial that the component belongs to."""
    client = rig.sagemaker()
    client.create_trial_component(TrialComponentName="prep")
    for name in ("one", "two", "three"):
        client.create_trial(TrialName=name, ExperimentName="digits")
    for name in ("one", "three"):
        client.associate_trial_component(TrialName=name, TrialComponentName="prep")

    summaries = client.list_trials(TrialComponentName="prep")["TrialSummaries"]
    assert {"one", "three"} == {summary["TrialName"] for summary in summaries}


@pytest.mark.needs("updates")
def test_trial_can_be_shown_under_another_name(rig: Rig) -> None:
    """UpdateTrial changes the display name."""
    client = rig.sagemaker()
    client.create_trial(TrialName="one", ExperimentName="digits")
    client.update_trial(TrialName="one", DisplayName="Another")

    assert client.describe_trial(TrialName="one")["DisplayName"] == "Another"


@pytest.mark.needs("validation")
def test_trial_with_components_cannot_be_deleted(rig: Rig) -> None:
    """DeleteTrial: "All trial components that make up the trial must be deleted first"."""
    client = rig.sagemaker()
    client.create_trial(TrialName="one", ExperimentName="digits")
    client.create_trial_component(TrialComponentName="prep")
    client.associate_trial_component(TrialName="one", TrialComponentName="prep")
    with pytest.raises(ClientError, match="1 or more trial components"):
        client.delete_trial(TrialName="one")

    client.disassociate_trial_component(TrialName="one", TrialComponentName="prep")
    client.delete_trial(TrialName="one")


@pytest.mark.needs("validation")
def test_experiment_holds_300_trials(rig: Rig) -> None:
    """The account's quota, with the service's own message (seen in AWS's examples, pull request 3396)."""
    client = rig.sagemaker()
    for number in range(300):
        client.create_trial(TrialName=f"trial-{number}", ExperimentName="digits")
    with pytest.raises(client.exceptions.ResourceLimitExceeded, match="is 300 Trials"):
        client.create_trial(TrialName="one-more", ExperimentName="digits")


def test_trials_can_be_deleted_while_they_are_listed(rig: Rig) -> None:
    """A page starts after the last one's end, not at a number: smexperiments' delete_all deletes between pages."""
    client = rig.sagemaker()
    for number in range(25):
        client.create_trial(TrialName=f"trial-{number}", ExperimentName="digits")
    for page in client.get_paginator("list_trials").paginate(ExperimentName="digits"):
        for summary in page["TrialSummaries"]:
            client.delete_trial(TrialName=summary["TrialName"])

    assert client.list_trials(ExperimentName="digits")["TrialSummaries"] == []


@pytest.mark.needs("validation")
@pytest.mark.parametrize("sort_by", ["Name", "CreationTime"])
@pytest.mark.parametrize("sort_order", ["Ascending", "Descending"])
@pytest.mark.needs("empty account")
def test_pages_of_trials_are_in_order(rig: Rig, sort_by: Any, sort_order: Any) -> None:
    """Names sort without case; every trial is listed once, even if many are created at the same time."""
    client = rig.sagemaker()
    for number in range(12):
        client.create_trial(TrialName=f"{'bAcD'[number % 4]}-{number}", ExperimentName="digits")
    pages = client.get_paginator("list_trials").paginate(
        SortBy=sort_by, SortOrder=sort_order, PaginationConfig={"PageSize": 5}
    )
    found = [summary for page in pages for summary in page["TrialSummaries"]]

    key = "TrialName" if sort_by == "Name" else "CreationTime"
    assert len(found) == 12
    assert found == sorted(found, key=lambda item: str(item[key]).lower(), reverse=sort_order == "Descending")  # type: ignore[literal-required]
