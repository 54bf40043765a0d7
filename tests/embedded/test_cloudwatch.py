"""CloudWatch: the metrics of a training job, in bins."""

import sys
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from mnist_tracking.embedded.engine import EmbeddedSageMaker
from mnist_tracking.embedded.store.metric_summaries import record_metric

START = 1_800_000_000  # a whole minute


@pytest.fixture
def cloudwatch(engine: EmbeddedSageMaker) -> Any:
    """A client of an engine with a job that reported its loss three times in two minutes."""
    engine.session().client("sagemaker").create_trial_component(TrialComponentName="job-component")
    with engine.store.write() as connection:
        component = connection.execute("SELECT id FROM components").fetchone()["id"]
        connection.execute(
            "INSERT INTO training_jobs (name, arn, request, python, component_id, status, secondary_status, created, "
            "modified) VALUES ('job', 'arn', '{}', 'python', ?, 'Completed', 'Completed', 0, 0)",
            (component,),
        )
        for offset, value in ((10, 4.0), (50, 2.0), (70, 1.0)):
            record_metric(connection, component, "loss", value, START + offset)
    return engine.session().client("cloudwatch")


def ask(cloudwatch: Any, **changes: Any) -> Any:
    asked: dict[str, Any] = {
        "Namespace": "/aws/sagemaker/TrainingJobs",
        "MetricName": "loss",
        "Dimensions": [{"Name": "TrainingJobName", "Value": "job"}],
        "StartTime": at(30),
        "EndTime": at(120),
        "Period": 60,
        "Statistics": ["Average"],
    }
    return cloudwatch.get_metric_statistics(**{**asked, **changes})


def at(offset: int) -> datetime:
    return datetime.fromtimestamp(START + offset, UTC)


def test_values_are_averaged_by_the_minute(cloudwatch: Any) -> None:
    """The start is rounded down to the minute, as AWS documents for GetMetricStatistics."""
    answer = ask(cloudwatch)

    assert answer["Label"] == "loss"
    assert [(point["Timestamp"], point["Average"]) for point in answer["Datapoints"]] == [(at(0), 3.0), (at(60), 1.0)]


def test_every_statistic_is_given(cloudwatch: Any) -> None:
    statistics = ["SampleCount", "Average", "Sum", "Minimum", "Maximum"]
    (point, _) = ask(cloudwatch, Statistics=statistics)["Datapoints"]

    assert [point[name] for name in statistics] == [2.0, 3.0, 6.0, 2.0, 4.0]


@pytest.mark.parametrize(
    "changes",
    [
        {"Namespace": "AWS/EC2"},
        {"MetricName": "accuracy"},
        {"Dimensions": [{"Name": "TrainingJobName", "Value": "other"}]},
        {"Dimensions": []},
        {"StartTime": at(120), "EndTime": at(180)},
    ],
)
def test_unknown_metric_has_no_datapoints(cloudwatch: Any, changes: Any) -> None:
    assert ask(cloudwatch, **changes)["Datapoints"] == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"StartTime": at(120)}, "InvalidParameterValue"),
        ({"Period": 90}, "InvalidParameterValue"),
        ({"EndTime": at(60 * 1500)}, "InvalidParameterCombination"),
        ({"ExtendedStatistics": ["p99"]}, "InvalidParameterCombination"),
    ],
)
def test_invalid_request_is_rejected(cloudwatch: Any, changes: Any, code: str) -> None:
    with pytest.raises(ClientError) as caught:
        ask(cloudwatch, **changes)

    assert caught.value.response["Error"]["Code"] == code


def test_largest_values_saturate(engine: EmbeddedSageMaker, cloudwatch: Any) -> None:
    """Their sum is the largest double, their mean is theirs."""
    with engine.store.write() as connection:
        component = connection.execute("SELECT id FROM components").fetchone()["id"]
        for value in (1.7e308, 1.7e308, 1.7e308):
            record_metric(connection, component, "large", value, START + 60)
        record_metric(connection, component, "both", 1.7e308, START + 60)
        record_metric(connection, component, "both", -1.7e308, START + 60)
    (large,) = ask(cloudwatch, MetricName="large", Statistics=["Sum", "Average"])["Datapoints"]
    (both,) = ask(cloudwatch, MetricName="both", Statistics=["Sum", "Average"])["Datapoints"]

    assert (large["Sum"], large["Average"]) == (sys.float_info.max, 1.7e308)
    assert (both["Sum"], both["Average"]) == (0.0, 0.0)
