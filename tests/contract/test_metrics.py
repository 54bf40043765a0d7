import statistics
import time
from typing import Any

import pytest
from tests.support.rigs import Rig


def send(rig: Rig, *values: float, name: str = "train:loss", component: str = "training", **more: Any) -> list[Any]:
    """Send values of one metric and return the errors."""
    at = more.pop("at", time.time())
    data = [{"MetricName": name, "Value": value, "Timestamp": at, "Step": step} for step, value in enumerate(values)]
    response = rig.metrics().batch_put_metrics(TrialComponentName=component, MetricData=data)  # type: ignore[arg-type]
    return list(response.get("Errors", []))


def summary(rig: Rig) -> dict[str, Any]:
    """The component's one metric."""
    (found,) = rig.sagemaker().describe_trial_component(TrialComponentName="training")["Metrics"]
    return dict(found)


@pytest.fixture(autouse=True)
def component(rig: Rig) -> None:
    """Every test here has the component `training`."""
    rig.sagemaker().create_trial_component(TrialComponentName="training")


def test_metric_is_summarised(rig: Rig) -> None:
    """StdDev is that of a sample, as in AWS's own example notebook when recomputed from its log."""
    assert send(rig, 0.5, 0.25, 1.5) == []
    found = summary(rig)

    assert (found["MetricName"], found["Count"]) == ("train:loss", 3)
    assert (found["Max"], found["Min"], found["Last"], found["Avg"]) == (1.5, 0.25, 1.5, 0.75)
    assert found["StdDev"] == pytest.approx(statistics.stdev([0.5, 0.25, 1.5]))


@pytest.mark.needs("metric rules")
def test_one_value_has_no_deviation(rig: Rig) -> None:
    """A single value deviates by 0.0 (a choice; AWS does not say)."""
    send(rig, 0.5)

    assert summary(rig)["StdDev"] == 0.0


@pytest.mark.needs("metric rules")
def test_values_add_up_over_calls(rig: Rig) -> None:
    """Metrics can only be added to."""
    send(rig, 1.0, 2.0)
    send(rig, 6.0)

    assert tuple(summary(rig)[key] for key in ("Count", "Avg", "Last")) == (3, 3.0, 6.0)


@pytest.mark.needs("metric rules")
def test_bad_values_are_rejected_one_by_one(rig: Rig) -> None:
    """The good value of a batch is kept, the bad one is reported by its index."""
    assert send(rig, 1.0, float("nan")) == [{"Code": "VALIDATION_ERROR", "MetricIndex": 1}]
    assert summary(rig)["Count"] == 1


@pytest.mark.needs("metric rules")
@pytest.mark.parametrize("age_days", [15, -1])
def test_times_must_be_recent(rig: Rig, age_days: float) -> None:
    """Between two weeks ago and two hours ahead (smexperiments.metrics)."""
    assert [error["MetricIndex"] for error in send(rig, 1.0, at=time.time() - age_days * 86400)] == [0]


@pytest.mark.needs("metric rules")
def test_missing_component_is_reported_in_the_response(rig: Rig) -> None:
    """BatchPutMetrics declares no exceptions (botocore)."""
    assert send(rig, 1.0, component="nowhere") == [{"Code": "VALIDATION_ERROR", "MetricIndex": 0}]


@pytest.mark.needs("metric rules")
def test_every_value_can_be_read_back(rig: Rig) -> None:
    """BatchGetMetrics gives the series."""
    send(rig, 3.0, 1.0, 2.0)
    arn = rig.sagemaker().describe_trial_component(TrialComponentName="training")["TrialComponentArn"]
    query = {"MetricName": "train:loss", "ResourceArn": arn, "MetricStat": "Avg", "Period": "IterationNumber"}
    response = rig.metrics().batch_get_metrics(
        MetricQueries=[{**query, "XAxisType": "IterationNumber"}]  # type: ignore[typeddict-item]
    )

    (result,) = response["MetricQueryResults"]
    assert (result["XAxisValues"], result["MetricValues"]) == ([0, 1, 2], [3.0, 1.0, 2.0])
