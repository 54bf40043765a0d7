"""A stranger's script that records by `mnist_tracking.job`, in an interpreter where nothing of ours is installed."""

import io
import sys
import tarfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mnist_tracking import (
    ConfigError,
    ExperimentRunner,
    JobFailedError,
    JobSpec,
    MetricDefinition,
    Trial,
    Workspace,
    mnist_job,
)
from mnist_tracking._aws.jobs import dependencies_of
from mnist_tracking._aws.metrics import series_in_log
from mnist_tracking.job import metric_regex

NAMES = ["loss", "validation:accuracy"]
RECORDED = {"chosen": "adam", "shuffle": True, "patience": None, "rows": 3, "ratio": 0.5, "text": "true"}
SCRIPT = f"""
import argparse, os, sys
from mnist_tracking import job
from mnist_tracking.job import log_artifact, log_metric, log_parameters
assert job.__file__.startswith(os.environ["PYTHONPATH"]), job.__file__
assert not any("site-packages" in path for path in sys.path), sys.path
parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float)
lr = parser.parse_args().lr
log_parameters({RECORDED!r})
for step in (1, 2, 3):
    log_metric("loss", lr / step, step=10 * step)
    log_metric("validation:accuracy", 0.1 + 0.2, step=step)
log_metric("loss", float("nan"), step=3)
os.mkdir("plots")
open("plots/roc.txt", "w").write("curve")
log_artifact("plots")
log_artifact("plots/roc.txt", name="notes and curves.txt")
"""
FORKS = """
import os
from mnist_tracking.job import log_metric, log_parameter
child = os.fork()
for number in range(20):
    log_parameter(f"p{int(child == 0)}-{number}", number)
    log_metric("loss", number, step=number)
if child:
    os.waitpid(child, 0)
"""


@pytest.fixture
def bare_python(tmp_path: Path) -> str:
    """An interpreter without site-packages: neither this package nor an SDK."""
    path = tmp_path / "bare-python"
    path.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def bare_workspace(tmp_path: Path, bare_python: str) -> Iterator[Workspace]:
    workspace = Workspace.embedded(tmp_path / "home", python=bare_python)
    yield workspace
    workspace.close()


@pytest.fixture
def run(bare_workspace: Workspace, tmp_path: Path) -> Callable[..., Trial]:
    """Run a script as a trial."""

    def run(script: str, **settings: Any) -> Trial:
        folder = tmp_path / "src"
        folder.mkdir(exist_ok=True)
        (folder / "train.py").write_text(script)
        job = JobSpec(**{"entry_point": "train.py", "source_dir": folder, **settings})
        return ExperimentRunner(bare_workspace, "strangers", job=job).run({"lr": 0.1})

    return run


@pytest.fixture
def trial(run: Callable[..., Trial]) -> Trial:
    """A trial that SCRIPT has trained."""
    with pytest.warns(UserWarning, match="1 of 4 values of the metric 'loss' was dropped: 1 not finite"):
        return run(SCRIPT, metrics=NAMES)


def files(workspace: Workspace, uri: str) -> dict[str, bytes]:
    """Read the files of an archive in S3."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    body = workspace.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(body)) as tar:
        return {item.name: file.read() for item in tar if (file := tar.extractfile(item))}


def test_what_a_script_records_is_read_back_as_it_was_put_in(trial: Trial) -> None:
    assert trial.hyperparameters == {"lr": 0.1, **RECORDED}
    assert (trial.metrics["loss"].count, trial.metrics["loss"].last) == (3, 0.1 / 3)
    assert trial.metrics["validation:accuracy"].last == 0.1 + 0.2


def test_values_keep_the_steps_that_they_were_logged_with(trial: Trial, bare_workspace: Workspace) -> None:
    with pytest.warns(UserWarning, match=f"Trial '{trial.name}': 1 of 4 values of the metric 'loss' was dropped"):
        series = bare_workspace.trial(trial.name).series()

    assert [(point.step, point.value) for point in series["loss"]] == [(10, 0.1), (20, 0.1 / 2), (30, 0.1 / 3)]


@pytest.mark.parametrize("line", ["loss=", "loss=nan", "loss=high"])
def test_a_line_without_a_finite_value_has_no_point_and_is_counted(line: str) -> None:
    series = series_in_log([(datetime.now(UTC), line)], {"loss": r"loss=(\w+)?"})["loss"]

    assert series.points == ()
    assert series.dropped.startswith("1 of 1 value of the metric 'loss' was dropped")


def test_a_metric_that_no_line_matches_has_no_series() -> None:
    assert series_in_log([(datetime.now(UTC), "win=1")], {"loss": r"loss=(\w+)?"}) == {}


@pytest.mark.usefixtures("trial")
def test_artifacts_are_where_their_uri_says(bare_workspace: Workspace) -> None:
    (found,) = list_outputs(bare_workspace)
    archive = found["plots"]["Value"].removesuffix("#plots")

    assert found["notes and curves.txt"] == {
        "Value": f"{archive}#notes%20and%20curves.txt",
        "MediaType": "text/plain",
    }
    assert files(bare_workspace, archive) == {"notes and curves.txt": b"curve", "plots/roc.txt": b"curve"}


def list_outputs(workspace: Workspace) -> list[dict[str, Any]]:
    """Return the output artifacts of every component that has some."""
    client = workspace.client("sagemaker")
    listed = client.list_trial_components()["TrialComponentSummaries"]
    told = (client.describe_trial_component(TrialComponentName=one["TrialComponentName"]) for one in listed)
    return [dict(each["OutputArtifacts"]) for each in told if each["OutputArtifacts"]]


def test_processes_of_one_job_record_side_by_side(run: Callable[..., Trial]) -> None:
    trial = run(FORKS, metrics=["loss"])

    recorded = {name for name in trial.hyperparameters if name.startswith("p")}
    assert recorded == {f"p{rank}-{number}" for rank in range(2) for number in range(20)}
    assert trial.metrics["loss"].count == 2 * 20


def test_a_script_that_fails_keeps_what_it_recorded(run: Callable[..., Trial], bare_workspace: Workspace) -> None:
    with pytest.raises(JobFailedError):
        run("from mnist_tracking.job import log_parameter\nlog_parameter('seed', 7)\nraise SystemExit(1)")

    (trial,) = bare_workspace.trials(experiment="strangers")
    assert trial.hyperparameters["seed"] == 7


@pytest.mark.parametrize(
    ("script", "settings", "is_sent"),
    [
        ("print('metric')", {}, False),
        ("print('metric')", {"metrics": {"loss": "loss=(.*)"}}, False),
        ("print('metric')", {"metrics": ["loss"]}, True),
        ("from mnist_tracking.job import log_metric", {}, True),
        ("if True:\n    import mnist_tracking.job as job", {}, True),
        ("from mnist_tracking import job", {}, True),
        ("import train_helper", {}, True),
        ("# from mnist_tracking.job", {}, False),
    ],
)
def test_the_package_is_sent_when_it_is_needed(
    script: str,
    settings: dict[str, Any],
    is_sent: bool,
    tmp_path: Path,
) -> None:
    (tmp_path / "train.py").write_text(script)
    if "helper" in script:
        (tmp_path / "train_helper.py").write_text("from mnist_tracking.job import log_metric")
    job = JobSpec(entry_point="train.py", source_dir=tmp_path, **settings)
    alone = JobSpec(entry_point=tmp_path / "train.py", **settings)

    assert [Path(path).name for path in dependencies_of(job)] == ["mnist_tracking"] * is_sent
    assert bool(dependencies_of(alone)) == (is_sent and "helper" not in script)


def test_a_package_that_the_job_brings_is_not_sent_twice(tmp_path: Path) -> None:
    (tmp_path / "train.py").touch()
    (tmp_path / "mnist_tracking").mkdir()
    job = JobSpec(entry_point="train.py", source_dir=tmp_path, metrics=["loss"])

    assert dependencies_of(job) == []
    assert dependencies_of(mnist_job()) == list(mnist_job().dependencies)


def test_names_and_definitions_may_be_mixed(tmp_path: Path) -> None:
    (tmp_path / "train.py").touch()
    own = MetricDefinition("loss", r"loss=(\S+)")
    job = JobSpec(entry_point="train.py", source_dir=tmp_path, metrics=["accuracy", own])

    assert job.metrics == (MetricDefinition("accuracy", metric_regex("accuracy")), own)
    with pytest.raises(ConfigError, match=r"such as \['accuracy'\]"):
        JobSpec(entry_point="train.py", source_dir=tmp_path, metrics="accuracy")
