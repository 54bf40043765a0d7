"""``mnist-tracking deploy``, ``predict`` and ``cleanup``."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from click.testing import Result

from mnist_tracking import ExperimentRunner, Workspace
from mnist_tracking._values.formats import Format
from mnist_tracking.cli.predict import FORMATS

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

    assert set(told) == {"name", "trial", "model_uri", "status"}
    assert (told["name"], told["trial"], told["status"]) == ("toy", "trained", "InService")
    assert json.loads(ask("predict", "toy", "--format", "json", stdin="[1, 2]").stdout) == [slope, 2 * slope]
    assert ask("predict", "toy", str(tmp_path / "x.npy")).stdout == f"prediction\n{slope}\n{2 * slope}\n"
    answers = list(csv.reader(io.StringIO(ask("predict", "toy", str(tmp_path / "x.csv"), "--format", "csv").stdout)))
    assert answers == [["0", "1"], [str(slope), str(2 * slope)], [str(3 * slope), str(4 * slope)]]

    for name, content in (("bad.json", b"{"), ("bad.npy", b"no"), ("bad.csv", b"a,b")):
        (tmp_path / name).write_bytes(content)
        assert f"cannot be read as {name[4:]}" in ask("predict", "toy", str(tmp_path / name)).stderr

    kept = json.loads(ask("undeploy", "toy", "--dry-run", "--format", "json").stdout)
    assert kept == {"name": "toy", "trial": "trained", "status": "InService"}
    assert "deletes endpoint 'toy', which is InService." in ask("undeploy", "toy", stdin="n\n").stderr
    assert ask("undeploy", "toy", "--yes").stdout == "name    toy\ntrial   trained\nstatus  Deleted\n"
    assert "No endpoint named 'toy'." in ask("predict", "toy", stdin="[1]").stderr


def test_cleanup_deletes_the_endpoint_too(ask: Ask, lines: ExperimentRunner, workspace: Workspace) -> None:
    lines.run({"slope": 3.0}, name="trained")
    ask("deploy", "trained", "--name", "toy")

    gone = json.loads(ask("cleanup", "lines", "--yes", "--format", "json").stdout)
    assert set(gone) == {"deleted", "kept", "failed", "objects", "size_bytes"}
    assert {"kind": "endpoint", "name": "toy"} in gone["deleted"]
    assert not workspace.experiments()


def test_a_dry_run_names_the_model_and_starts_nothing(ask: Ask, lines: ExperimentRunner, workspace: Workspace) -> None:
    lines.run({"slope": 3.0}, name="trained")
    result = ask("deploy", *BEST, "--dry-run", "--format", "json")

    assert json.loads(result.stdout)["trial"] == "trained"
    assert not workspace.client("sagemaker").list_endpoints()["Endpoints"]


@pytest.mark.parametrize("more", [(), ("--dry-run",)])
def test_a_trial_without_a_model_is_one_line(ask: Ask, lines: ExperimentRunner, more: tuple[str, ...]) -> None:
    result = ask("deploy", "steep", *more)

    assert result.exit_code == 1
    assert "mnist-tracking: The trial 'steep' has no model to deploy." in result.stderr


def test_cleanup_asks_and_no_means_no(ask: Ask, lines: ExperimentRunner, workspace: Workspace) -> None:
    result = ask("cleanup", "lines", stdin="n\n")

    assert result.exit_code == 1
    assert "deletes 2 trials: " in result.stderr
    assert result.stderr.endswith("Nothing was done.\n")
    nobody = ask("cleanup", "lines")
    assert nobody.exit_code == 2
    assert "[y/N]: \nUsage: " in nobody.stderr
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


ECHO = """
def model_fn(folder): return open(folder + "/factor.txt").read()
def transform_fn(model, body, content_type, accept):
    body = body if isinstance(body, str) else bytes(body).decode()
    return f'["{content_type}", "{accept}", {len(body)}]', accept
"""


def test_an_endpoint_keeps_the_formats_that_it_was_deployed_with(
    ask: Ask, lines: ExperimentRunner, tmp_path: Path
) -> None:
    (tmp_path / "factor.txt").write_text("3")
    (tmp_path / "echo.py").write_text(ECHO)
    (tmp_path / "row.json").write_text("[1,  2]")
    with lines.trial(name="echo") as trial:
        trial.log_model(tmp_path / "factor.txt")
    script = ("--entry-point", str(tmp_path / "echo.py"))
    told = ask("deploy", "echo", *script, "--serializer", "json", "--name", "toy", "--format", "json")

    def answer(*options: str) -> list[object]:
        said: list[object] = json.loads(
            ask("predict", "toy", str(tmp_path / "row.json"), *options, "--format", "json").stdout
        )
        return said

    assert json.loads(told.stdout)["status"] == "InService"
    assert "undeploy toy" in told.stderr
    assert answer() == ["application/json", "application/json", 6]
    assert answer("--content-type", "text/plain", "--accept", "text/x-own") == ["text/plain", "text/x-own", 7]
    assert answer("--serializer", "bytes") == ["application/octet-stream", "application/json", 7]  # the container's


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("predict", "x", "--serializer", "json", "--content-type", "text/csv"), "--serializer and --content-type"),
        (("predict", "x", "--deserializer", "json", "--accept", "text/csv"), "--deserializer and --accept"),
        (("deploy", "x", "--instance-count", "0"), "--instance-count"),
        (("compare", "x"), "two or more"),
        (("compare", "x", "x"), "two or more different trials"),
    ],
)
def test_what_contradicts_itself_is_wrong_usage(ask: Ask, arguments: tuple[str, ...], said: str) -> None:
    result = ask(*arguments)

    assert result.exit_code == 2
    assert said in result.stderr


@pytest.mark.parametrize("wrong", [("--name", "toy"), ("--name", "a_b"), ("--entry-point", "nowhere.py"), ()])
def test_a_dry_run_fails_as_the_deployment_does(
    ask: Ask, lines: ExperimentRunner, workspace: Workspace, wrong: tuple[str, ...]
) -> None:
    lines.run({"slope": 3.0}, name="trained")
    if not wrong:  # the model is gone
        listed = workspace.client("s3").list_objects_v2(Bucket=workspace.bucket)["Contents"]
        for key in (item["Key"] for item in listed if item["Key"].endswith("model.tar.gz")):
            workspace.client("s3").delete_object(Bucket=workspace.bucket, Key=key)
    ask("deploy", "trained", "--name", "toy", "--no-wait")
    dry, real = (ask("deploy", "trained", *wrong, *more) for more in (["--dry-run"], []))

    assert dry.exit_code == real.exit_code == 1
    assert dry.stderr == real.stderr
    for endpoint in workspace.client("sagemaker").list_endpoints()["Endpoints"]:
        workspace.endpoint(endpoint["EndpointName"]).delete()


def test_the_formats_are_those_of_the_library() -> None:
    assert get_args(Format) == FORMATS


def test_an_endpoint_need_not_be_waited_for(ask: Ask, lines: ExperimentRunner, workspace: Workspace) -> None:
    lines.run({"slope": 3.0}, name="trained")
    told = json.loads(ask("deploy", "trained", "--name", "toy", "--no-wait", "--format", "json").stdout)

    assert told["status"] in {"Creating", "InService"}
    workspace.endpoint("toy").delete()
