"""``mnist-tracking deploy``, ``predict`` and ``cleanup``."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

from mnist_tracking import ExperimentRunner, Workspace

Ask = Callable[..., Result]
BEST = ("lines", "--objective", "score")


def test_the_best_model_is_deployed_asked_and_deleted(
    ask: Ask, lines: ExperimentRunner, workspace: Workspace, tmp_path: Path
) -> None:
    lines.run({"slope": 3.0}, name="trained")
    np.save(tmp_path / "x.npy", np.array([1.0, 2.0]))
    (tmp_path / "x.csv").write_text("1,2\n3,4\n")
    told = json.loads(ask("deploy", *BEST, "--name", "toy", "--format", "json").stdout)
    slope = 2.625  # half-way to 3, three times

    assert set(told) == {"endpoint_name", "trial_name", "model_uri"}
    assert (told["endpoint_name"], told["trial_name"]) == ("toy", "trained")
    assert json.loads(ask("predict", "toy", "--format", "json", stdin="[1, 2]").stdout) == [slope, 2 * slope]
    assert ask("predict", "toy", str(tmp_path / "x.npy")).stdout == f"answer\n{slope}\n{2 * slope}\n"
    answers = list(csv.reader(io.StringIO(ask("predict", "toy", str(tmp_path / "x.csv"), "--format", "csv").stdout)))
    assert answers == [["0", "1"], [str(slope), str(2 * slope)], [str(3 * slope), str(4 * slope)]]

    kept = json.loads(ask("undeploy", "toy", "--dry-run", "--format", "json").stdout)
    assert kept == {"endpoint_name": "toy", "trial_name": "trained", "status": "InService"}
    assert "deletes endpoint 'toy', which is InService." in ask("undeploy", "toy", stdin="n\n").stderr
    assert ask("undeploy", "toy", "--yes").stdout == "endpoint  toy\ntrial     trained\nstatus    Deleted\n"
    assert "No endpoint named 'toy'." in ask("predict", "toy", stdin="[1]").stderr


def test_cleanup_deletes_the_endpoint_too(ask: Ask, lines: ExperimentRunner, workspace: Workspace) -> None:
    lines.run({"slope": 3.0}, name="trained")
    ask("deploy", "trained", "--name", "toy")

    gone = json.loads(ask("cleanup", "lines", "--yes", "--format", "json").stdout)
    assert set(gone) == {"deleted", "kept", "failed", "objects", "size_bytes"}
    assert {"kind": "endpoint", "name": "toy"} in gone["deleted"]
    assert not workspace.experiments()


def test_a_dry_run_names_the_model_and_starts_nothing(ask: Ask, lines: ExperimentRunner, workspace: Workspace) -> None:
    result = ask("deploy", *BEST, "--dry-run", "--format", "json")

    assert json.loads(result.stdout)["trial_name"] == "steep"
    assert not workspace.client("sagemaker").list_endpoints()["Endpoints"]


def test_a_trial_without_a_model_is_one_line(ask: Ask, lines: ExperimentRunner) -> None:
    result = ask("deploy", "steep")

    assert result.exit_code == 1
    assert "mnist-tracking: The trial 'steep' has no model to deploy." in result.stderr


def test_cleanup_asks_and_no_means_no(ask: Ask, lines: ExperimentRunner, workspace: Workspace) -> None:
    result = ask("cleanup", "lines", stdin="n\n")

    assert result.exit_code == 1
    assert "deletes 2 trials: " in result.stderr
    assert result.stderr.endswith("Nothing was done.\n")
    assert ask("cleanup", "lines").exit_code == 2  # nobody answers
    assert [experiment.name for experiment in workspace.experiments()] == ["lines"]


def test_a_dry_run_of_cleanup_lists_what_would_go_and_stay(ask: Ask, lines: ExperimentRunner) -> None:
    plan = json.loads(ask("cleanup", "lines", "--dry-run", "--format", "json").stdout)
    one = ask("cleanup", "lines", "--trial", "flat", "--dry-run", "--format", "csv").stdout
    going = [row["name"] for row in csv.DictReader(io.StringIO(one)) if row["deletable"] == "true"]

    assert set(plan) == {"experiment", "items"}
    assert {"trial", "experiment", "trial component"} <= {item["kind"] for item in plan["items"]}
    assert "flat" in going
    assert not {"steep", "lines"}.intersection(going)
    assert "deletes 2 trials: " in ask("cleanup", "lines", "--dry-run").stdout
    assert "deletes nothing" in ask("cleanup", "lines", "--older-than", "1d", "--dry-run").stdout


def test_cleanup_makes_no_experiment_of_a_wrong_name(ask: Ask, lines: ExperimentRunner, workspace: Workspace) -> None:
    result = ask("cleanup", "line", "--yes")

    assert result.exit_code == 1
    assert "No experiment named 'line'. Existing: 'lines'." in result.stderr
    assert len(workspace.experiments()) == 1


@pytest.mark.parametrize(("name", "content"), [("x.json", b"{"), ("x.npy", b"no"), ("x.csv", b"a,b")])
def test_data_that_cannot_be_read_are_one_line(ask: Ask, tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    result = ask("predict", "toy", str(tmp_path / name))

    assert result.exit_code == 1
    assert f"cannot be read as {name[2:]}" in result.stderr
