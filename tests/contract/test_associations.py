import pytest
from botocore.exceptions import ClientError
from tests.support.rigs import Rig


@pytest.fixture(autouse=True)
def trials(rig: Rig) -> None:
    """Every test here has two trials of one experiment, and the component `prep`."""
    client = rig.sagemaker()
    client.create_experiment(ExperimentName="digits")
    client.create_trial(TrialName="one", ExperimentName="digits")
    client.create_trial(TrialName="two", ExperimentName="digits")
    client.create_trial_component(TrialComponentName="prep")


def names(rig: Rig, **scope: str) -> list[str]:
    """Names of the components that a listing gives."""
    page = rig.sagemaker().list_trial_components(**scope)  # type: ignore[arg-type]
    return [summary["TrialComponentName"] for summary in page["TrialComponentSummaries"]]


def test_component_can_belong_to_several_trials(rig: Rig) -> None:
    """The preprocessing of the reference workflow belongs to every trial."""
    for trial in ("one", "two"):
        rig.sagemaker().associate_trial_component(TrialName=trial, TrialComponentName="prep")

    assert (names(rig, TrialName="one"), names(rig, TrialName="two")) == (["prep"], ["prep"])


def test_component_of_two_trials_is_listed_once_for_the_experiment(rig: Rig) -> None:
    """ListTrialComponents with ExperimentName has no duplicates."""
    for trial in ("one", "two"):
        rig.sagemaker().associate_trial_component(TrialName=trial, TrialComponentName="prep")
    rig.sagemaker().create_trial_component(TrialComponentName="elsewhere")

    assert names(rig, ExperimentName="digits") == ["prep"]


def test_associating_again_changes_nothing(rig: Rig) -> None:
    """The operation is idempotent."""
    for _ in range(2):
        rig.sagemaker().associate_trial_component(TrialName="one", TrialComponentName="prep")

    assert names(rig, TrialName="one") == ["prep"]


def test_disassociated_component_leaves_only_that_trial(rig: Rig) -> None:
    """The other trial keeps it."""
    for trial in ("one", "two"):
        rig.sagemaker().associate_trial_component(TrialName=trial, TrialComponentName="prep")
    rig.sagemaker().disassociate_trial_component(TrialName="one", TrialComponentName="prep")

    assert (names(rig, TrialName="one"), names(rig, TrialName="two")) == ([], ["prep"])


@pytest.mark.needs("validation")
def test_associated_component_cannot_be_deleted(rig: Rig) -> None:
    """The service's own words (aws/sagemaker-python-sdk, pull request 1515)."""
    client = rig.sagemaker()
    client.associate_trial_component(TrialName="one", TrialComponentName="prep")
    with pytest.raises(ClientError, match="is linked to 1 or more trials and cannot be deleted"):
        client.delete_trial_component(TrialComponentName="prep")

    client.disassociate_trial_component(TrialName="one", TrialComponentName="prep")
    client.delete_trial_component(TrialComponentName="prep")
    assert names(rig) == []


@pytest.mark.needs("validation")
def test_trial_holds_50_components(rig: Rig) -> None:
    """The quota (aws/sagemaker-python-sdk, issue 3646); associating one again is allowed."""
    client = rig.sagemaker()
    for number in range(50):
        client.create_trial_component(TrialComponentName=f"c{number}")
        client.associate_trial_component(TrialName="one", TrialComponentName=f"c{number}")
    client.associate_trial_component(TrialName="one", TrialComponentName="c0")
    with pytest.raises(client.exceptions.ResourceLimitExceeded, match="is 50 Trial Components"):
        client.associate_trial_component(TrialName="one", TrialComponentName="prep")


@pytest.mark.needs("validation")
def test_only_one_scope_can_be_listed(rig: Rig) -> None:
    """ListTrialComponents takes one of ExperimentName, TrialName and SourceArn (botocore)."""
    with pytest.raises(ClientError, match="Only one of"):
        names(rig, ExperimentName="digits", TrialName="one")


@pytest.mark.needs("typed errors")
@pytest.mark.parametrize(("trial", "component"), [("nowhere", "prep"), ("one", "nowhere")])
def test_both_ends_must_exist(rig: Rig, trial: str, component: str) -> None:
    """AssociateTrialComponent names the end that is missing."""
    client = rig.sagemaker()
    with pytest.raises(client.exceptions.ResourceNotFound, match="nowhere"):
        client.associate_trial_component(TrialName=trial, TrialComponentName=component)
