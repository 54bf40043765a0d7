"""What the account shows late: Search, the components of jobs, their metrics, logs, and links that were removed."""

import itertools
import string
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st
from tests.support.clocks import Ahead
from tests.support.training_account import TrainingAccount

from mnist_tracking.embedded import EmbeddedSageMaker, Lag
from mnist_tracking.errors import ConfigError

COMPONENT = "job-aws-training-job"
GROUP = "/aws/sagemaker/TrainingJobs"
METRICS = {
    "TrainingImage": "image",
    "TrainingInputMode": "File",
    "MetricDefinitions": [{"Name": name, "Regex": f"{name}=(.*?);"} for name in ("loss", "accuracy")],
}
SCRIPT = """
import os
open(os.environ["SM_MODEL_DIR"] + "/model", "w").close()
for number in range(5):
    print(f"loss={number / 10}; accuracy={number};", flush=True)
"""


@pytest.fixture
def clock() -> Ahead:
    return Ahead()


@pytest.fixture
def engine_settings(clock: Ahead) -> dict[str, Any]:
    return {"clock": clock, "sleep": clock.sleep}


@pytest.fixture
def account(engine: EmbeddedSageMaker) -> TrainingAccount:
    return TrainingAccount(engine)


def found(client: Any, resource: str, **expression: Any) -> list[dict[str, Any]]:
    return list(client.search(Resource=resource, SearchExpression=expression)["Results"])


def lines(account: TrainingAccount, stream: str) -> tuple[list[str], int]:
    """All lines of a stream, read as AWS documents it, and the number of empty pages before its end."""
    read, empty, position = list[str](), 0, dict[str, str]()
    while True:
        page = account.logs.get_log_events(logGroupName=GROUP, logStreamName=stream, startFromHead=True, **position)
        read += [event["message"] for event in page["events"]]
        if page["nextForwardToken"] == position.get("nextToken"):
            return read, empty
        empty += not page["events"]
        position = {"nextToken": page["nextForwardToken"]}


@pytest.mark.parametrize(
    "wrong",
    [
        *({"search_s": -1}, {"metrics_s": (5, 1)}, {"logs_s": float("nan")}, {"links_s": "1"}),
        *({"components_s": (1, 2, 3)}, {"empty_pages": -1}, {"empty_pages": 0.5}),
    ],
)
def test_a_wrong_lag_is_rejected(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f"{next(iter(wrong))}="):
        Lag(**wrong)


@given(st.integers(0, 100), st.text(string.ascii_letters + "-:", max_size=5))
def test_a_delay_is_drawn_for_each_name_within_its_bounds(seed: int, name: str) -> None:
    lag = Lag(seed=seed, metrics_s=(1.0, 60.0), search_s=3)

    assert 1.0 <= lag.delay("metrics", name) <= 60.0
    assert lag.delay("metrics", name) == Lag(seed=seed, metrics_s=(1.0, 60.0)).delay("metrics", name.upper().lower())
    assert lag.delay("search", name) == 3


def test_things_appear_in_another_order_for_another_seed() -> None:
    names = [f"trial-{number}" for number in range(6)]
    orders = {tuple(sorted(names, key=lambda n: Lag.like_aws(seed).delay("search", n))) for seed in range(5)}

    assert len(orders) == 5


def test_search_is_behind_as_configured(engine: EmbeddedSageMaker, clock: Ahead) -> None:
    sagemaker = engine.session().client("sagemaker")
    engine.lag = Lag(search_s=10)
    sagemaker.create_experiment(ExperimentName="digits")

    assert found(sagemaker, "Experiment") == []
    assert len(sagemaker.list_experiments()["ExperimentSummaries"]) == 1
    clock.seconds += 10
    assert len(found(sagemaker, "Experiment")) == 1


def test_search_is_behind_with_the_components_of_a_trial(engine: EmbeddedSageMaker, clock: Ahead) -> None:
    sagemaker = engine.session().client("sagemaker")
    engine.lag = Lag(search_s=10)
    sagemaker.create_experiment(ExperimentName="digits")
    sagemaker.create_trial(ExperimentName="digits", TrialName="trial")
    sagemaker.create_trial_component(TrialComponentName="step")
    clock.seconds += 60
    sagemaker.associate_trial_component(TrialName="trial", TrialComponentName="step")
    within = {"Filters": [{"Name": "Parents.TrialName", "Value": "trial"}]}

    [component] = found(sagemaker, "ExperimentTrialComponent")
    assert component["TrialComponent"]["Parents"] == []
    assert found(sagemaker, "ExperimentTrialComponent", **within) == []
    clock.seconds += 10
    assert len(found(sagemaker, "ExperimentTrialComponent", **within)) == 1


def test_search_shows_each_record_at_a_time_of_its_own(engine: EmbeddedSageMaker, clock: Ahead) -> None:
    sagemaker = engine.session().client("sagemaker")
    engine.lag = lag = Lag(seed=3, search_s=(10.0, 60.0))
    names = [f"experiment-{number}" for number in range(4)]
    for name in names:
        sagemaker.create_experiment(ExperimentName=name)
    begun = clock()
    for name in sorted(names, key=lambda one: lag.delay("search", one)):
        clock.seconds += begun + lag.delay("search", name) - clock() + 0.1
        shown = {item["Experiment"]["ExperimentName"] for item in found(sagemaker, "Experiment")}
        assert shown == {one for one in names if lag.delay("search", one) <= lag.delay("search", name)}


def test_the_component_of_a_job_appears_late_and_so_does_its_end(
    account: TrainingAccount, engine: EmbeddedSageMaker, clock: Ahead
) -> None:
    job = account.run(SCRIPT)
    engine.lag = Lag(components_s=3600)

    assert job["TrainingJobStatus"] == "Completed"
    with pytest.raises(ClientError, match="ResourceNotFound"):
        account.component()
    assert account.sagemaker.list_trial_components()["TrialComponentSummaries"] == []
    assert found(account.sagemaker, "ExperimentTrialComponent") == []
    clock.seconds += (job["CreationTime"].timestamp() + 3600.0001) - clock()
    assert account.component()["Status"] == {"PrimaryStatus": "InProgress"}
    assert "EndTime" not in account.component()
    assert account.component()["OutputArtifacts"] == {}
    (summary,) = account.sagemaker.list_trial_components()["TrialComponentSummaries"]
    assert summary["Status"] == {"PrimaryStatus": "InProgress"}
    clock.seconds += 60
    assert account.component()["Status"] == {"PrimaryStatus": "Completed"}
    assert list(account.component()["OutputArtifacts"]) == ["SageMaker.ModelArtifact"]
    (summary,) = account.sagemaker.list_trial_components()["TrialComponentSummaries"]
    assert summary["Status"] == {"PrimaryStatus": "Completed"}


def test_components_without_a_job_are_never_late(engine: EmbeddedSageMaker) -> None:
    engine.lag = Lag(components_s=3600, metrics_s=3600)
    sagemaker = engine.session().client("sagemaker")
    sagemaker.create_trial_component(TrialComponentName="step", Status={"PrimaryStatus": "Completed"})

    assert sagemaker.describe_trial_component(TrialComponentName="step")["Status"] == {"PrimaryStatus": "Completed"}


def test_each_metric_reaches_the_component_at_a_time_of_its_own(
    account: TrainingAccount, engine: EmbeddedSageMaker, clock: Ahead
) -> None:
    job = account.run(SCRIPT, AlgorithmSpecification=METRICS)
    engine.lag = lag = Lag(seed=1, metrics_s=(1000.0, 9000.0))
    first, second = sorted(("loss", "accuracy"), key=lambda name: lag.delay("metrics", f"{COMPONENT}/{name}"))

    assert {final["MetricName"] for final in job["FinalMetricDataList"]} == {"loss", "accuracy"}
    assert account.describe()["FinalMetricDataList"] == job["FinalMetricDataList"]
    assert account.metrics() == {}
    clock.seconds += lag.delay("metrics", f"{COMPONENT}/{first}")
    assert set(account.metrics()) == {first}
    assert account.metrics()[first]["Count"] == 5
    clock.seconds += lag.delay("metrics", f"{COMPONENT}/{second}")
    assert set(account.metrics()) == {first, second}


def test_a_metric_may_show_an_earlier_value_for_a_while(
    account: TrainingAccount, engine: EmbeddedSageMaker, clock: Ahead
) -> None:
    account.run(SCRIPT, AlgorithmSpecification=METRICS)
    (whole,) = [metric for name, metric in account.metrics().items() if name == "loss"]
    with engine.store.write() as connection:
        connection.execute("UPDATE metric_values SET timestamp = timestamp + 50 WHERE value IN (3, 4, 0.3, 0.4)")
    engine.lag = Lag(metrics_s=100)
    clock.seconds += 120

    assert (account.metrics()["loss"]["Last"], account.metrics()["loss"]["Count"]) == (0.2, 3)
    clock.seconds += 40
    assert account.metrics()["loss"] | {"TimeStamp": whole["TimeStamp"]} == whole


def test_final_values_have_the_precision_of_the_service(account: TrainingAccount) -> None:
    job = account.run("print('loss=0.1;')", AlgorithmSpecification=METRICS)

    assert [final["Value"] for final in job["FinalMetricDataList"]] == [0.10000000149011612]
    assert account.metrics()["loss"]["Last"] == 0.1


def test_a_stream_appears_with_its_first_line_and_no_line_is_lost(
    account: TrainingAccount, engine: EmbeddedSageMaker, clock: Ahead
) -> None:
    """Lines that were stored in another order than they were printed, too."""
    with engine.store.write() as connection:
        for second in (0, 1, 5, 3, 4, 9, 8):
            event = (GROUP, "job/algo-1-1", clock() + second, f"line {second}")
            connection.execute(
                "INSERT INTO log_events (log_group, stream, timestamp, message) VALUES (?, ?, ?, ?)", event
            )
    engine.lag = Lag(logs_s=100.0)
    asked = {"logGroupName": GROUP, "logStreamName": "job/algo-1-1", "startFromHead": True}

    assert account.logs.describe_log_streams(logGroupName=GROUP)["logStreams"] == []
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        account.logs.get_log_events(**asked)
    clock.seconds += 100
    assert len(account.logs.describe_log_streams(logGroupName=GROUP)["logStreams"]) == 1
    read, position = list[str](), dict[str, str]()
    for _ in range(30):
        page = account.logs.get_log_events(**asked, **position)
        read += [event["message"] for event in page["events"]]
        position = {"nextToken": page["nextForwardToken"]}
        clock.seconds += 0.5

    assert read == [f"line {second}" for second in (0, 1, 5, 3, 4, 9, 8)]


def test_pages_of_a_log_may_be_empty_before_its_lines(account: TrainingAccount, engine: EmbeddedSageMaker) -> None:
    account.run("for number in range(5): print(number)")
    (stream,) = account.logs.describe_log_streams(logGroupName=GROUP)["logStreams"]
    counts = set()
    for seed in range(12):
        engine.lag = Lag(seed=seed, empty_pages=2)
        read, empty = lines(account, stream["logStreamName"])
        assert read == ["0", "1", "2", "3", "4"]
        counts.add(empty)

    assert len(counts) > 1


def test_what_was_removed_is_seen_for_a_while(engine: EmbeddedSageMaker, clock: Ahead) -> None:
    sagemaker = engine.session().client("sagemaker")
    engine.lag = Lag(links_s=3600.0)
    sagemaker.create_experiment(ExperimentName="digits")
    sagemaker.create_trial(TrialName="trial", ExperimentName="digits")
    sagemaker.create_trial_component(TrialComponentName="step")
    names = {"TrialName": "trial", "TrialComponentName": "step"}
    sagemaker.associate_trial_component(**names)
    sagemaker.disassociate_trial_component(**names)

    with pytest.raises(ClientError, match="is linked to 1 or more trials and cannot be deleted"):
        sagemaker.delete_trial_component(TrialComponentName="step")
    with pytest.raises(ClientError, match="has 1 or more trial components and cannot be deleted"):
        sagemaker.delete_trial(TrialName="trial")
    clock.seconds += 3600
    sagemaker.delete_trial_component(TrialComponentName="step")
    sagemaker.delete_trial(TrialName="trial")
    with pytest.raises(ClientError, match="has 1 or more trials and cannot be deleted"):
        sagemaker.delete_experiment(ExperimentName="digits")
    clock.seconds += 3600
    sagemaker.delete_experiment(ExperimentName="digits")


def test_the_times_of_a_job_are_those_of_the_engines_clock(account: TrainingAccount, clock: Ahead) -> None:
    clock.seconds = 86_400.0
    before = clock()
    job = account.run("print('here')")
    stages = [stage["StartTime"].timestamp() for stage in job["SecondaryStatusTransitions"]]
    (stream,) = account.logs.describe_log_streams(logGroupName=GROUP)["logStreams"]

    assert all(early <= late + 0.2 for early, late in itertools.pairwise([before, *stages, clock()]))
    assert before - 0.2 <= stream["firstEventTimestamp"] / 1000 <= clock() + 0.2
