"""The real SDKs, unmodified, on the embedded SageMaker."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mnist_tracking._aws.sdk import quiet
from mnist_tracking.embedded.engine import EmbeddedSageMaker


@pytest.fixture
def session(engine: EmbeddedSageMaker) -> Iterator[Any]:
    """A boto3 session; the SDKs' warnings about themselves are ignored."""
    with quiet():
        yield engine.session()


@pytest.fixture
def clients(session: Any) -> dict[str, Any]:
    """What every class of smexperiments wants to be handed, lest it makes sessions of its own."""
    return {"sagemaker_boto_client": session.client("sagemaker")}


def make_trials(clients: dict[str, Any]) -> None:
    """The experiment `digits` with a trial for 2 and one for 5 channels, each with a component `Training`."""
    from smexperiments.experiment import Experiment
    from smexperiments.trial import Trial
    from smexperiments.trial_component import TrialComponent

    Experiment.create(experiment_name="digits", description="Of hands.", **clients)
    for channels in (2, 5):
        trial = Trial.create(trial_name=f"trial-{channels}", experiment_name="digits", **clients)
        component = TrialComponent.create(
            trial_component_name=f"training-{channels}", display_name="Training", **clients
        )
        component.parameters = {"channels": channels}
        component.save()
        trial.add_trial_component(component)


def test_experiment_is_created_updated_and_found(clients: dict[str, Any]) -> None:
    """Create, load, save, list and search of Experiment."""
    from smexperiments.experiment import Experiment
    from smexperiments.search_expression import Filter, Operator, SearchExpression

    make_trials(clients)
    experiment = Experiment.load("digits", **clients)
    experiment.description = "Of my hands."
    experiment.save()

    assert Experiment.load("digits", **clients).description == "Of my hands."
    assert [summary.experiment_name for summary in Experiment.list(**clients)] == ["digits"]
    named = SearchExpression(filters=[Filter("ExperimentName", Operator.CONTAINS, "dig")])
    assert [found.experiment_name for found in Experiment.search(search_expression=named, **clients)] == ["digits"]
    assert {summary.trial_name for summary in experiment.list_trials()} == {"trial-2", "trial-5"}


def test_component_is_shared_and_deleted(clients: dict[str, Any]) -> None:
    """Trial.add and remove, TrialComponent.delete with force_disassociate."""
    from smexperiments.trial import Trial
    from smexperiments.trial_component import TrialComponent

    make_trials(clients)
    shared = TrialComponent.create(trial_component_name="prep", **clients)
    trials = [Trial.load(f"trial-{channels}", **clients) for channels in (2, 5)]
    for trial in trials:
        trial.add_trial_component(shared)
    trials[0].remove_trial_component("training-2")

    assert [found.trial_component_name for found in trials[0].list_trial_components()] == ["prep"]
    assert len(list(trials[1].list_trial_components())) == 2
    shared.delete(force_disassociate=True)
    trials[0].delete()
    assert [summary.trial_name for summary in Trial.list(**clients)] == ["trial-5"]


def test_tracker_records_a_step_with_its_files(session: Any, clients: dict[str, Any], tmp_path: Path) -> None:
    """Tracker's context manager: parameters, inputs, an uploaded artifact, times and status."""
    from smexperiments.tracker import Tracker

    (tmp_path / "sizes.csv").write_text("a,b\n")
    with Tracker.create(display_name="Preprocessing", boto3_session=session, **clients) as tracker:
        tracker.log_parameters({"mean": 0.1307, "scaled": True, "kind": "idx"})
        tracker.log_input("raw", "s3://bucket/raw", media_type="s3/uri")
        tracker.log_artifact(str(tmp_path / "sizes.csv"), name="sizes", media_type="text/csv")
    described = clients["sagemaker_boto_client"].describe_trial_component(
        TrialComponentName=tracker.trial_component.trial_component_name
    )

    assert described["Parameters"]["mean"] == {"NumberValue": 0.1307}
    assert described["Parameters"]["kind"] == {"StringValue": "idx"}
    assert described["InputArtifacts"]["raw"] == {"Value": "s3://bucket/raw", "MediaType": "s3/uri"}
    assert described["Status"] == {"PrimaryStatus": "Completed"}
    assert described["StartTime"] <= described["EndTime"]
    bucket, _, key = described["OutputArtifacts"]["sizes"]["Value"].removeprefix("s3://").partition("/")
    assert session.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read() == b"a,b\n"


def test_tracker_records_a_failure(session: Any, clients: dict[str, Any]) -> None:
    """What the block raised becomes the component's message."""
    from smexperiments.tracker import Tracker

    tracker = Tracker.create(display_name="Preprocessing", boto3_session=session, **clients)
    with pytest.raises(ZeroDivisionError), tracker:
        raise ZeroDivisionError("no rows")
    described = clients["sagemaker_boto_client"].describe_trial_component(
        TrialComponentName=tracker.trial_component.trial_component_name
    )

    assert described["Status"] == {"PrimaryStatus": "Failed", "Message": "no rows"}


def test_analytics_returns_a_data_frame(session: Any, clients: dict[str, Any]) -> None:
    """ExperimentAnalytics as the reference workflow calls it: filtered, and sorted by a metric."""
    import sagemaker
    from sagemaker.analytics import ExperimentAnalytics

    make_trials(clients)
    for channels, accuracy in ((2, 0.96), (5, 0.97)):
        metric = {"MetricName": "test:accuracy", "Value": accuracy, "Timestamp": time.time()}
        session.client("sagemaker-metrics").batch_put_metrics(
            TrialComponentName=f"training-{channels}", MetricData=[metric]
        )
    frame = ExperimentAnalytics(
        sagemaker_session=sagemaker.Session(boto_session=session),
        experiment_name="digits",
        search_expression={"Filters": [{"Name": "DisplayName", "Operator": "Equals", "Value": "Training"}]},
        sort_by="metrics.test:accuracy.max",
        sort_order="Descending",
        metric_names=["test:accuracy"],
        parameter_names=["channels"],
    ).dataframe()

    assert list(frame["channels"]) == [5.0, 2.0]
    assert list(frame["test:accuracy - Max"]) == [0.97, 0.96]
    assert list(frame["Trials"]) == [["trial-5"], ["trial-2"]]
    assert list(frame["Experiments"]) == [["digits"], ["digits"]]


def test_run_is_recorded(session: Any) -> None:
    """`sagemaker.experiments.Run`: created, filled, opened again."""
    import sagemaker
    from sagemaker.experiments import Run

    sdk = sagemaker.Session(boto_session=session)
    for step in range(2):
        with Run(experiment_name="digits", run_name="first", sagemaker_session=sdk) as run:
            run.log_parameter("channels", 2)
            run.log_metric("loss", 0.5 - step / 4, step=step)
    described = session.client("sagemaker").describe_trial_component(TrialComponentName="digits-first")

    assert described["Parameters"]["channels"] == {"NumberValue": 2.0}
    assert described["Status"]["PrimaryStatus"] == "Completed"
    assert [(m["MetricName"], m["Count"], m["Last"]) for m in described["Metrics"]] == [("loss", 2, 0.25)]
