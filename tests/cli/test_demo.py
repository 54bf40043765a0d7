import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner, Result
from tests.support.digits import write_idx_dataset
from tests.support.pages import Page

from mnist_tracking import Workspace
from mnist_tracking.cli.app import cli
from mnist_tracking.mnist.datasets import check_directory, load_images

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_idx_dataset(tmp_path_factory.mktemp("digits"))


@pytest.fixture
def run(tmp_path: Path, small: Path) -> Run:
    """Runs the demo in this process, on small digits, with a home and a folder for results below tmp_path."""

    def invoke(*arguments: str, options: tuple[str, ...] = (), home: Path | None = None) -> Result:
        place = ["--home", str(home or tmp_path / "home"), *options]
        out = [] if "--out" in arguments else ["--out", str(tmp_path / "out")]
        env = {"MNIST_DATA_DIR": str(small), "MNIST_TRACKING_BACKEND": None, "OMP_NUM_THREADS": "1"}
        return CliRunner().invoke(cli, [*place, "demo", "--epochs", "1", *out, *arguments], env=env)

    return invoke


def left_in(home: Path) -> dict[str, list[Any]]:
    """What the embedded SageMaker in *home* still has, of all that a demo makes and cleaning up deletes."""
    workspace = Workspace.embedded(home)
    client = workspace.client("sagemaker")
    left = {
        "experiments": client.list_experiments()["ExperimentSummaries"],
        "trials": client.list_trials()["TrialSummaries"],
        "components": client.list_trial_components()["TrialComponentSummaries"],
        "objects": workspace.client("s3").list_objects_v2(Bucket=workspace.bucket).get("Contents", []),
        "running": list(processes_of(home)),
    }
    workspace.close()
    return {kind: found for kind, found in left.items() if found}


def processes_of(home: Path) -> list[str]:
    table = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True).stdout
    return [line for line in table.splitlines() if str(home) in line and "ps -eo" not in line]


def test_the_whole_workflow_runs_and_leaves_only_its_results(run: Run, tmp_path: Path) -> None:
    result = run("--channels", "2,5")

    assert (result.exit_code, [result.stderr] if result.exit_code else []) == (0, [])
    for told in (
        "Data: Custom data: 300 training",
        "Leaderboard of mnist-demo-",
        "Lineage of mnist-demo-",
        "of 100 test images right",
        "10 of its predictions:",
        "Cleanup: deleted 1 endpoint, 1 endpoint config, 1 model, 5 trial components, 2 trials, 1 experiment",
        "is not training",
    ):
        assert told in result.stdout
    assert "hidden_channels=2: completed after" in result.stderr
    assert result.stderr.startswith("embedded SageMaker in ")
    assert left_in(tmp_path / "home") == {}
    check_files(tmp_path / "out")


def test_what_is_kept_works_until_the_command_that_is_printed_removes_it(run: Run, tmp_path: Path, small: Path) -> None:
    home = tmp_path / "a 'home'"
    told = re.search(
        r"^Kept: .* and endpoint (.*)\nTo delete everything: (.*)$",
        run("--channels", "2", "--keep", home=home).stdout,
        re.M,
    )
    assert told is not None
    workspace = Workspace.embedded(home)
    answer = workspace.client("sagemaker-runtime").invoke_endpoint(
        EndpointName=told[1],
        ContentType="application/json",
        Accept="application/json",
        Body=json.dumps(load_images(check_directory(small), "test")[:3].tolist()),
    )
    answers = json.load(answer["Body"])
    workspace.close()
    program, *arguments = shlex.split(told[2])
    subprocess.run([Path(sys.executable).with_name(program), *arguments], check=True, capture_output=True, cwd=tmp_path)

    assert len(answers) == 3
    assert left_in(home) == {}


def check_files(out: Path) -> None:
    board, lineage = pd.read_csv(out / "leaderboard.csv"), pd.read_csv(out / "lineage.csv")
    timings = json.loads((out / "timings.json").read_text())

    assert {2, 5} == set(board["param.hidden_channels"])
    assert list(lineage["DisplayName"]) == ["Preprocessing", "Training", "Deployment"]
    assert {"import", "data", "training", "compare", "trace", "deploy", "predict", "cleanup"} <= set(
        timings["phases_s"]
    )
    assert timings["total_s"] == pytest.approx(sum(timings["phases_s"].values()))
    page = Page(out / "report.html")
    assert {node["kind"] for node in page.data["lineage"]["nodes"]} >= {
        "data",
        "code",
        "training job",
        "model",
        "endpoint",
    }
    assert page.section("best").all("img", alt="mistakes.png, recorded by the step Training")
    assert page.section("best").all(class_="matrix")
    for picture in ("digits.png", "accuracy.png", "losses.png", "confusion.png"):
        assert (out / picture).read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--channels", "2,x"], "'2,x'; expected whole numbers separated by commas"),
        (["--channels", "0"], "at least 1"),
        (["--channels", "5,5"], "different numbers"),
        (["--epochs", "0"], "not in the range"),
        (["--max-parallel", "0"], "not in the range"),
        (["--chanels", "2"], "No such option"),
    ],
)
def test_wrong_usage_exits_2(run: Run, tmp_path: Path, arguments: list[str], told: str) -> None:
    result = run(*arguments)

    assert result.exit_code == 2
    assert told in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--backend", "aws"), "--home goes with --backend embedded"),
        (("--region", "eu-west-1"), "--region goes with --backend aws"),
        (("--backend", "azure"), "'azure' is not one of"),
    ],
)
def test_global_options_that_do_not_fit_exit_2(run: Run, options: tuple[str, ...], told: str) -> None:
    result = run(options=options)

    assert result.exit_code == 2
    assert told in result.stderr


def explained(result: Result) -> str:
    """The one line that explains an error."""
    lines = [line for line in result.stderr.splitlines() if line]
    assert (result.exit_code, len(lines)) == (1, 1), result.stderr
    return lines[0]


def test_too_many_channels_are_refused_before_anything_is_made(run: Run, tmp_path: Path) -> None:
    assert "'hidden_channels' is 5000" in explained(run("--channels", "2,5000"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("package", ["torch", "matplotlib"])
def test_a_missing_extra_is_named_first(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)

    line = explained(run("--data-dir", "/no/such/folder"))

    assert f"{package} is not installed. Run: pip install torch matplotlib scikit-learn" in line
    assert list(tmp_path.iterdir()) == []


def no_files(folder: Path) -> Path:
    folder.mkdir()
    return folder


def truncated(folder: Path) -> Path:
    labels = write_idx_dataset(folder, gz=True) / "train-labels-idx1-ubyte.gz"
    labels.write_bytes(labels.read_bytes()[:60])
    return folder


BAD_DATA: dict[str, tuple[Callable[[Path], Path], str]] = {
    "no such path": (lambda folder: folder, "directory not found"),
    "no IDX files": (no_files, "contains no IDX files"),
    "truncated": (truncated, "is truncated"),
    "wrong checksum": (write_idx_dataset, "is not MNIST's train-images-idx3-ubyte"),
}


@pytest.mark.parametrize("kind", BAD_DATA)
def test_bad_data_are_one_line_and_leave_nothing(run: Run, tmp_path: Path, kind: str) -> None:
    make, told = BAD_DATA[kind]
    folder = make(tmp_path / "data")

    line = explained(run("--data-dir", str(folder)))

    assert told in line
    assert str(folder) in line
    assert not {"home", "out"} & {path.name for path in tmp_path.iterdir()}


def test_a_home_that_cannot_be_made_is_one_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    assert str(tmp_path / "file") in explained(run(home=tmp_path / "file" / "home"))
    assert not (tmp_path / "out").exists()


def test_results_that_cannot_be_written_are_one_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    assert "cannot be written" in explained(run("--out", str(tmp_path / "file" / "out")))
    assert not (tmp_path / "home").exists()


def test_debug_shows_the_traceback(run: Run) -> None:
    result = run("--channels", "5000", options=("--debug",))

    assert result.exit_code == 1
    assert "Traceback" in result.stderr


def test_aws_asks_before_it_costs_money(small: Path, tmp_path: Path) -> None:
    arguments = ["--backend", "aws", "--region", "us-east-1", "demo", "--out", str(tmp_path / "out")]

    result = CliRunner().invoke(cli, arguments, input="n\n", env={"MNIST_DATA_DIR": str(small)})

    assert result.exit_code == 1
    assert "costs money. Continue? [y/N]" in result.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("word", ["training as trial", "completed after"])
def test_ctrl_c_stops_everything_and_says_what_is_left(tmp_path: Path, small: Path, word: str) -> None:
    home = tmp_path / "home"
    command = [sys.executable, "-c", "from mnist_tracking.cli import main; main()", "--home", str(home)]
    arguments = ["demo", "--epochs", "1", "--channels", "2,5", "--max-parallel", "1", "--out", str(tmp_path / "out")]
    env = {**os.environ, "MNIST_DATA_DIR": str(small), "OMP_NUM_THREADS": "1"}
    env.pop("MNIST_TRACKING_BACKEND", None)
    with subprocess.Popen(
        [*command, *arguments], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        next(line for line in process.stderr if word in line)
        process.send_signal(signal.SIGINT)
        last = process.stderr.read().splitlines()[-1]

    assert process.returncode == 130
    assert last.startswith("mnist-tracking: interrupted. Jobs and endpoint are stopped; deleted ")
    assert re.search(r"\. Left: the records of [12] training jobs?, which cannot be deleted\.$", last)
    assert left_in(home) == {}
