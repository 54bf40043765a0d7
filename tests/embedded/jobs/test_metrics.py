"""The metrics of a job: from its log, by the metric definitions, and from the files that it writes."""

import statistics
from pathlib import Path
from typing import Any

import pytest
from tests.support.training_account import TrainingAccount

from mnist_tracking.embedded.jobs.metric_values import FileMetrics, LogMetrics

LOSSES = [0.5, 0.25, 0.375]
WRITES = """
import json, os
from pathlib import Path
folder = Path(os.environ["SAGEMAKER_METRICS_DIRECTORY"])
def write(name, *lines): (folder / name).write_text("\\n".join(lines))
def line(**told): return json.dumps({"MetricName": "loss", "Timestamp": 1.7e9, **told})
"""


def defined(*definitions: tuple[str, str]) -> dict[str, Any]:
    listed = [{"Name": name, "Regex": regex} for name, regex in definitions]
    return {"TrainingImage": "image", "TrainingInputMode": "File", "MetricDefinitions": listed}


def found(regex: str, *lines: str) -> list[float]:
    log = LogMetrics([{"Name": "loss", "Regex": regex}], limit_s=1.0, warn=pytest.fail)
    return [value.value for value in log.find([(0.0, line) for line in lines])]


def test_metrics_are_summarised_with_the_sample_deviation(account: TrainingAccount) -> None:
    script = f"for loss in {LOSSES}: print(f'Train Loss: {{loss}}; 97%')\nprint('Accuracy: 97%;')"
    account.run(
        script, AlgorithmSpecification=defined(("train:loss", "Loss: (.*?);"), ("accuracy", "Accuracy: (.*?)%"))
    )
    loss, accuracy = (account.metrics()[name] for name in ("train:loss", "accuracy"))

    assert [loss[name] for name in ("Min", "Max", "Avg", "Last", "Count")] == [0.25, 0.5, 0.375, 0.375, 3]
    assert loss["StdDev"] == pytest.approx(statistics.stdev(LOSSES))
    assert loss["SourceArn"].endswith(":training-job/job")
    assert (accuracy["Count"], accuracy["StdDev"]) == (1, 0.0)


def test_job_is_described_with_the_last_values(account: TrainingAccount) -> None:
    job = account.run("print('loss=2;')\nprint('loss=1;')", AlgorithmSpecification=defined(("loss", "loss=(.*?);")))

    assert [(final["MetricName"], final["Value"]) for final in job["FinalMetricDataList"]] == [("loss", 1.0)]


def test_metrics_of_a_failed_job_are_kept(account: TrainingAccount) -> None:
    account.run("print('loss=2;')\nraise SystemExit(1)", AlgorithmSpecification=defined(("loss", "loss=(.*?);")))

    assert account.metrics()["loss"]["Last"] == 2.0


@pytest.mark.parametrize(
    ("regex", "line", "values"),
    [
        ("loss=(.*?);", "loss=1; loss=2;", [1.0]),
        ("loss=(.*?);", "loss=1e-3;", [0.001]),
        ("loss=(.*?);", "loss: 1;", []),
        ("loss=(.*?);", "loss=low;", []),
        ("loss=(.*?);", "loss=nan;", []),
        ("loss=(.*?);", "loss=-inf;", []),
        ("loss=(.*?);", "loss=;", []),
        ("loss=(a)?", "loss=1", []),
        ("(loss)=(.*)", "loss=1", []),
    ],
)
def test_the_first_group_of_the_first_match_counts_if_it_is_a_number(
    regex: str, line: str, values: list[float]
) -> None:
    assert found(regex, line) == values


def test_regex_with_catastrophic_backtracking_is_dropped() -> None:
    told: list[str] = []
    definitions = [{"Name": "slow", "Regex": "(a+)+$"}, {"Name": "loss", "Regex": "loss=(.*)"}]
    log = LogMetrics(definitions, limit_s=0.05, warn=told.append)
    values = log.find([(0.0, "a" * 60 + "b"), (1.0, "a" * 60 + "b loss=1")])

    assert [(value.name, value.value) for value in values] == [("loss", 1.0)]
    assert told == ["The regex of metric slow takes too long and is not used any more: (a+)+$"]


def test_job_ends_despite_a_slow_regex(account: TrainingAccount) -> None:
    job = account.run("print('a' * 60 + 'b')", AlgorithmSpecification=defined(("slow", "(a+)+$")))

    assert job["TrainingJobStatus"] == "Completed"
    assert any("The regex of metric slow takes too long" in line for line in account.log())


def test_values_written_to_files_are_recorded_with_their_steps(account: TrainingAccount) -> None:
    """As smexperiments' Tracker writes them in a job."""
    account.run(WRITES + "write('1.json', line(Value=2, IterationNumber=0), line(Value=1, IterationNumber=1))")

    assert (account.metrics()["loss"]["Count"], account.metrics()["loss"]["Last"]) == (2, 1.0)


@pytest.mark.parametrize(
    "bad",
    [
        "write('a.json', '[' * 100_000)",
        "write('a.json', 'no json', '[]', '{}', line(Value='low'), line(Value=1, Timestamp=1e30))",
        "(folder / 'a.json').write_bytes(bytes(range(256)))",
        "(folder / 'a.json').mkdir()",
        "(folder / 'a.json').symlink_to('gone')",
        "import shutil; shutil.rmtree(folder)",
    ],
)
def test_invalid_metric_files_are_ignored(account: TrainingAccount, bad: str) -> None:
    job = account.run(f"{WRITES}{bad}")

    assert (job["TrainingJobStatus"], account.metrics()) == ("Completed", {})


def test_incomplete_line_is_read_when_it_is_complete(tmp_path: Path) -> None:
    files, path = FileMetrics(tmp_path), tmp_path / "1.json"
    path.write_text('{"MetricName": "loss", "Val')

    assert list(files.find()) == []
    with path.open("a") as file:
        file.write('ue": 1, "Timestamp": 1}')
    assert list(files.find()) == []
    assert [value.value for value in files.find(is_last=True)] == [1.0]
    assert list(files.find(is_last=True)) == []


@pytest.mark.parametrize("regex", ["loss: .*", "(", "(a{99999999999999})"])
def test_regex_without_a_group_or_that_does_not_compile_is_rejected(account: TrainingAccount, regex: str) -> None:
    with pytest.raises(account.sagemaker.exceptions.ClientError, match="The regex of metric loss"):
        account.submit(AlgorithmSpecification=defined(("loss", regex)))

    assert account.sagemaker.list_training_jobs()["TrainingJobSummaries"] == []


def test_numbers_of_any_size_and_names_of_any_kind_fail_no_job(account: TrainingAccount) -> None:
    """What no metric can hold is left out; the summary saturates."""
    script = (
        WRITES
        + "huge = line(MetricName='huge', Value=0).replace('\"Value\": 0', '\"Value\": 1' + '0' * 400)\n"
        + "write('m.json', line(Value=1.7e308), line(Value=-1.7e308), huge, line(MetricName='\\ud800', Value=1), "
        + "line(MetricName='', Value=1), line(Value=float('nan')), 'x' * 100_000, line(Value=1.7e308), '')"
    )
    job = account.run(script)
    loss = account.metrics()["loss"]

    assert (job["TrainingJobStatus"], job.get("FailureReason")) == ("Completed", None)
    assert list(account.metrics()) == ["loss"]
    assert [loss[name] for name in ("Min", "Max", "Last", "Count")] == [-1.7e308, 1.7e308, 1.7e308, 3]
    assert loss["Avg"] == pytest.approx(1.7e308 / 3)
    assert loss["StdDev"] > 1e153
