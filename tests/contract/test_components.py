from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError
from tests.support.rigs import Rig


def test_created_component_is_described_as_given(rig: Rig) -> None:
    """Parameters keep their types, artifacts their media types."""
    client = rig.sagemaker()
    client.create_trial_component(
        TrialComponentName="prep",
        DisplayName="Preprocessing",
        Status={"PrimaryStatus": "InProgress", "Message": "Working"},
        Parameters={"mean": {"NumberValue": 0.1307}, "optimizer": {"StringValue": "sgd"}},
        InputArtifacts={"raw": {"Value": "s3://bucket/raw", "MediaType": "text/csv"}},
        OutputArtifacts={"clean": {"Value": "s3://bucket/clean"}},
    )
    described = client.describe_trial_component(TrialComponentName="prep")

    assert described["DisplayName"] == "Preprocessing"
    assert described["Status"] == {"PrimaryStatus": "InProgress", "Message": "Working"}
    assert described["Parameters"] == {"mean": {"NumberValue": 0.1307}, "optimizer": {"StringValue": "sgd"}}
    assert described["InputArtifacts"] == {"raw": {"Value": "s3://bucket/raw", "MediaType": "text/csv"}}
    assert described["OutputArtifacts"] == {"clean": {"Value": "s3://bucket/clean"}}


def test_empty_component_has_empty_maps(rig: Rig) -> None:
    """ExperimentAnalytics fails on components without these members."""
    client = rig.sagemaker()
    client.create_trial_component(TrialComponentName="prep")
    described = client.describe_trial_component(TrialComponentName="prep")

    assert (described["Parameters"], described["InputArtifacts"], described["OutputArtifacts"]) == ({}, {}, {})
    assert described["Metrics"] == []


def test_update_merges_by_key(rig: Rig) -> None:
    """UpdateTrialComponent "replaces" values of the keys it is given, and keeps the others (botocore)."""
    client = rig.sagemaker()
    client.create_trial_component(
        TrialComponentName="prep", Parameters={"a": {"NumberValue": 1}, "b": {"NumberValue": 2}}
    )
    client.update_trial_component(
        TrialComponentName="prep", Parameters={"b": {"StringValue": "two"}, "c": {"NumberValue": 3}}
    )

    assert client.describe_trial_component(TrialComponentName="prep")["Parameters"] == {
        "a": {"NumberValue": 1},
        "b": {"StringValue": "two"},
        "c": {"NumberValue": 3},
    }


def test_removal_wins_over_setting(rig: Rig) -> None:
    """What one request sets and removes is not there afterwards (smexperiments' own integration tests)."""
    client = rig.sagemaker()
    client.create_trial_component(
        TrialComponentName="prep",
        Parameters={"a": {"NumberValue": 1}},
        InputArtifacts={"raw": {"Value": "s3://raw"}},
        OutputArtifacts={"clean": {"Value": "s3://clean"}},
    )
    client.update_trial_component(
        TrialComponentName="prep",
        Parameters={"b": {"NumberValue": 2}},
        ParametersToRemove=["a", "b"],
        InputArtifactsToRemove=["raw"],
        OutputArtifactsToRemove=["clean"],
    )
    described = client.describe_trial_component(TrialComponentName="prep")

    assert (described["Parameters"], described["InputArtifacts"], described["OutputArtifacts"]) == ({}, {}, {})


def test_times_come_back_as_given(rig: Rig) -> None:
    """StartTime and EndTime survive, the epoch itself included."""
    client = rig.sagemaker()
    started, ended = datetime(1970, 1, 1, tzinfo=UTC), datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
    client.create_trial_component(TrialComponentName="prep", StartTime=started, EndTime=ended)
    described = client.describe_trial_component(TrialComponentName="prep")

    assert (started, ended) == (described["StartTime"], described["EndTime"])


def test_new_status_replaces_the_old_message(rig: Rig) -> None:
    """A status replaces the previous one as a whole: a completed component keeps no failure reason."""
    client = rig.sagemaker()
    client.create_trial_component(TrialComponentName="prep", Status={"PrimaryStatus": "Failed", "Message": "Oh."})
    client.update_trial_component(TrialComponentName="prep", Status={"PrimaryStatus": "Completed"})

    assert client.describe_trial_component(TrialComponentName="prep")["Status"] == {"PrimaryStatus": "Completed"}


@pytest.mark.needs("validation")
def test_parameter_that_is_not_a_number_is_rejected(rig: Rig) -> None:
    """NaN and the infinities are not valid in JSON, so none can be returned."""
    for value in (float("nan"), float("inf")):
        with pytest.raises(ClientError, match="rate"):
            rig.sagemaker().create_trial_component(
                TrialComponentName="prep", Parameters={"rate": {"NumberValue": value}}
            )


def test_any_number_of_python_is_a_double(rig: Rig) -> None:
    """botocore lets whole numbers of any size and truth values pass as NumberValue."""
    client = rig.sagemaker()
    given = {"large": 10**30, "true": True, "whole": 3}
    client.create_trial_component(
        TrialComponentName="prep", Parameters={name: {"NumberValue": value} for name, value in given.items()}
    )
    parameters = client.describe_trial_component(TrialComponentName="prep")["Parameters"]

    assert {name: value["NumberValue"] for name, value in parameters.items()} == {"large": 1e30, "true": 1, "whole": 3}


@pytest.mark.needs("validation")
def test_update_cannot_exceed_the_limits_of_a_component(rig: Rig) -> None:
    """300 parameters are the maximum of the component, not only of a request; a rejected update changes nothing."""
    client = rig.sagemaker()
    many = {f"p{number}": {"NumberValue": float(number)} for number in range(300)}
    client.create_trial_component(TrialComponentName="prep", Parameters=many)  # type: ignore[arg-type]
    with pytest.raises(ClientError, match="at most 300 parameters"):
        client.update_trial_component(TrialComponentName="prep", Parameters={"one-more": {"NumberValue": 1}})

    assert len(client.describe_trial_component(TrialComponentName="prep")["Parameters"]) == 300


@pytest.mark.needs("typed errors")
def test_missing_component_is_a_typed_error(rig: Rig) -> None:
    """All operations on a component name the one that is missing."""
    client = rig.sagemaker()
    with pytest.raises(client.exceptions.ResourceNotFound, match="nowhere"):
        client.describe_trial_component(TrialComponentName="nowhere")
    with pytest.raises(client.exceptions.ResourceNotFound, match="nowhere"):
        client.update_trial_component(TrialComponentName="nowhere")
    with pytest.raises(client.exceptions.ResourceNotFound, match="nowhere"):
        client.delete_trial_component(TrialComponentName="nowhere")
