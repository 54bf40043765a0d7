"""The metrics of a job: from its log, by the metric definitions, and from the files that it writes."""

import statistics
from pathlib import Path
from typing import Any

import pytest
from tests.support.training_account import TrainingAccount

from mnist_tracking.embedded.jobs.metric_values import FileMetrics

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


def test_log_has_what_was_dropped_of_each_metric_and_why(account: TrainingAccount) -> None:
    script = "for loss in ('0.4', 'nan', 'nan', '70%'): print(f'loss={loss};')"
    account.run(script, AlgorithmSpecification=defined(("loss", "loss=(.*?);"), ("f1", "F1: (.*)")))

    assert [line for line in account.log() if "metric" in line] == [
        "mnist-tracking: 3 of 4 values of the metric 'loss' were dropped: 2 not finite (nan), 1 not a number ('70%')."
    ]
    assert (account.metrics()["loss"]["Count"], account.metrics()["loss"]["Last"]) == (1, 0.4)


def test_good_lines_after_a_slow_one_count(account: TrainingAccount) -> None:
    """And the slow one is mentioned: its regular expression needs a lifetime for it."""
    script = "print('a' * 40 + 'b')\nprint('a')\nprint('loss=1')"
    job = account.run(script, AlgorithmSpecification=defined(("loss", "^(?:a|a)*$|loss=(.*)")))

    assert (job["TrainingJobStatus"], account.metrics()["loss"]["Last"]) == ("Completed", 1.0)
    assert "of the metric 'loss' took too long for 1 line" in account.log()[-1]


def test_redraws_of_a_progress_bar_are_one_line_of_the_log_and_a_value_each(account: TrainingAccount) -> None:
    """A line of more than 256 KiB is split between two redraws."""
    bar = f"print('\\r|{'#' * 40}| loss=' + str(i), end='', flush=i % 100 == 0)"
    account.run(
        f"for i in range(10_000): {bar}\nprint('\\ndone')", AlgorithmSpecification=defined(("loss", r"loss=(\d+)"))
    )

    assert (account.metrics()["loss"]["Count"], account.metrics()["loss"]["Last"]) == (10_000, 9999.0)
    assert (len(account.log()), account.log()[-1]) == (4, "done")


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


def test_failure_reason_has_the_last_redraw_of_a_progress_bar(account: TrainingAccount) -> None:
    bar = "import sys\nfor i in range(1000): sys.stderr.write(f'\\r{i}% of it')\n"
    job = account.run(f"{bar}sys.stderr.write(' of value\\nlow\\n')\nraise SystemExit(1)")

    assert 'ErrorMessage "999% of it of value\nlow"' in job["FailureReason"]
