"""``mnist-tracking run``, ``sweep``, ``logs``: jobs of a script that is not ours, their data, and the exit status."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.cli.conftest import METRICS
from tests.support.toy_job import TOY

from mnist_tracking import Workspace
from mnist_tracking.cli.app import cli

Ask = Callable[..., Result]
JOB = ("train.py", "--source-dir", str(TOY), "-e", "lines", *(f"--metric={n}={regex}" for n, regex in METRICS.items()))
MNIST = ("--mnist", "-e", "digits")
PROGRAM = [sys.executable, "-c", "from mnist_tracking.cli import main; main()"]


def test_run_streams_the_log_and_prints_the_trial(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "rows.csv").write_text("1,2\n")
    options = ("--param", "slope=3", "--name", "steep", "--data", str(tmp_path / "data"), "--tag", "team=cv")
    result = ask("run", *JOB, *options, "--format", "json")
    trial = json.loads(result.stdout)

    assert result.exit_code == 0
    assert "Trial steep, job steep-" in result.stderr
    assert "step 0 error=1.5; score=1.5;" in result.stderr
    assert (trial["name"], trial["status"], trial["hyperparameters"]) == ("steep", "Completed", {"slope": 3})
    assert trial["metrics"]["score"]["count"] == 3


def test_arguments_and_local_inputs_of_a_script(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("import os, sys\nprint(sys.argv, os.listdir(os.environ['SM_CHANNEL_VAL']))\n")
    (tmp_path / "rows.csv").touch()
    options = ("--param", "lr=0.1", "--argument", "fit", "--argument", "{}={}", "--input", f"val={tmp_path}/rows.csv")
    result = ask("run", str(tmp_path / "train.py"), "-e", "called", *options)

    assert result.exit_code == 0
    assert "['train.py', 'fit', 'lr=0.1'] ['rows.csv']" in result.stderr


def test_a_metric_whose_values_were_dropped_is_not_called_missing(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("print('F1: 70%;')\nprint('loss: nan;')")
    metrics = ("--metric", "f1=F1: (.*?);", "--metric", "loss=loss: (.*?);")
    with pytest.warns(UserWarning, match="of the metric") as said:
        result = ask("run", str(tmp_path / "train.py"), "-e", "dropped", *metrics)

    assert result.exit_code == 0
    assert "is not in the log" not in result.stderr
    assert "1 of 1 value of the metric 'f1' was dropped: 1 not a number ('70%')." in result.stdout
    assert [str(one.message).partition(": ")[2] for one in said] == [
        "1 of 1 value of the metric 'f1' was dropped: 1 not a number ('70%').",
        "1 of 1 value of the metric 'loss' was dropped: 1 not finite (nan).",
    ]


def test_a_metric_that_the_log_does_not_have_is_told(ask: Ask) -> None:
    """Such as one whose expression was forgotten, or has a slip."""
    result = ask("run", *JOB, "--metric", "recall", "--metric", "f1=F1: (.*)")

    assert result.exit_code == 0
    assert "The metric 'f1' is not in the log: no line matches 'F1: (.*)'.\n" in result.stderr
    assert "The metric 'recall' is not in the log" in result.stderr
    assert "'score'" not in result.stderr


def test_a_run_that_fails_is_printed_and_has_status_1(ask: Ask) -> None:
    result = ask("run", *JOB, "--param", "behaviour=raise")

    assert result.exit_code == 1
    assert "status      Failed" in result.stdout
    assert "the data are upside down" in result.stdout
    assert result.stderr.endswith("is Failed.\n")


def test_a_detached_run_is_followed_by_its_log(ask: Ask) -> None:
    result = ask("run", *JOB, "--detach", "--name", "later", "--format", "json")
    log = ask("logs", "--follow", "later")

    assert set(json.loads(result.stdout)) == {"name", "experiment", "status", "job_name"}
    assert "logs -f later" in result.stderr
    assert log.stdout.splitlines()[-1].startswith("step 2 error=")
    assert log.stderr.endswith("The job is Completed.\n")


def test_a_sweep_ranks_its_trials_and_a_failing_one_gives_status_1(ask: Ask) -> None:
    grid = ("--grid", "slope=1,4", "--grid", "behaviour=train,exit", "--max-parallel", "2")
    result = ask("sweep", *JOB, *grid, "--objective", "score", "--format", "json")
    board = json.loads(result.stdout)

    assert result.exit_code == 1
    assert [trial["hyperparameters"]["slope"] for trial in board][:2] == [4, 1]
    assert [trial["status"] for trial in board] == ["Completed", "Completed", "Failed", "Failed"]
    started = re.findall(r"^(\d)/4 (.*): training as trial lines-", result.stderr, re.M)  # trials start in any order
    assert sorted(place for place, _ in started) == ["1", "2", "3", "4"]
    assert "slope=4, behaviour=exit" in {point for _, point in started}
    assert result.stderr.endswith("2 of 4 trials did not complete.\n")


def test_a_sweep_with_a_name_is_continued(ask: Ask) -> None:
    sweep = ("sweep", *JOB, "--name", "night", "--grid", "behaviour=train,exit")
    first, again, resumed = ask(*sweep, "--format", "json"), ask(*sweep), ask(*sweep, "--resume", "--format", "json")
    rejected = ask(*sweep[:-2], "--name", "one night", "--grid", "slope=1")

    assert all(trial["name"].startswith("night-") for trial in json.loads(first.stdout))
    assert "training as trial" not in again.stderr
    assert [trial["status"] for trial in json.loads(resumed.stdout)] == ["Completed", "Failed", "Failed"]
    assert (rejected.exit_code, "such as 'one-night'" in rejected.stderr) == (1, True)


def test_a_dry_run_says_what_would_be_trained_and_makes_nothing(ask: Ask, tmp_path: Path) -> None:
    swept = ask("sweep", *JOB, "--param", "steps=2", "--grid", "slope=1,2", "--dry-run", "--format", "json")
    once = ask("run", *JOB, "--param", "slope=1", "--dry-run")

    assert json.loads(swept.stdout) == [{"hyperparameters": {"steps": 2, "slope": slope}} for slope in (1, 2)]
    assert once.stdout.splitlines()[0].split() == ["trial", "slope"]
    assert "Nothing was sent." in once.stderr
    assert not (tmp_path / "home").exists()


def test_what_costs_money_is_asked_for() -> None:
    aws = ["--backend", "aws", "--region", "us-east-1"]
    once = CliRunner().invoke(cli, [*aws, "run", *JOB], input="n\n")
    swept = CliRunner().invoke(cli, [*aws, "sweep", *JOB, "--grid", "slope=1,2", "--max-run", "90m"], input="n\n")
    nobody = CliRunner().invoke(cli, [*aws, "run", *JOB])

    assert once.exit_code == swept.exit_code == 1
    assert "This trains a model on AWS (ml.m5.xlarge) for at most 24 h, which costs money. Continue?" in once.stderr
    assert "This trains 2 models on AWS (ml.m5.xlarge) for at most 1 h 30 min each, which costs" in swept.stderr
    assert nobody.exit_code == 2
    assert "Pass --yes" in nobody.stderr


@pytest.mark.parametrize(("arguments", "limit"), [(JOB, "24 h"), ((*JOB, "--max-run", "2h"), "2 h"), (MNIST, "1 h")])
def test_limit_is_shown_before_a_job_that_costs_money(arguments: tuple[str, ...], limit: str) -> None:
    """With --yes, too."""
    aws = ["--backend", "aws", "--region", "us-east-1"]
    for command in (("run",), ("sweep", "--grid", "seed=1")):
        asked = CliRunner().invoke(cli, [*aws, *command, *arguments], input="n\n")
        agreed = CliRunner().invoke(cli, [*aws, *command, *arguments, "--yes"], env={"AWS_PROFILE": "none"})

        assert f"for at most {limit}" in asked.stderr.splitlines()[0]
        assert f"for at most {limit}" in agreed.stderr.splitlines()[0]
        assert agreed.exit_code == 1


@pytest.mark.parametrize("wrong", ["1", "0s", "1.5h", "-1h", "h"])
def test_limit_that_is_no_duration_is_rejected(ask: Ask, wrong: str) -> None:
    assert "expected a number and a unit, such as 90s" in ask("run", *JOB, "--max-run", wrong).stderr


def test_a_script_that_is_not_there_is_one_line(ask: Ask) -> None:
    result = ask("run", "trian.py", "--source-dir", str(TOY), "-e", "lines")

    assert result.exit_code == 1
    assert "does not exist. Scripts in that folder: 'train.py'." in result.stderr


def test_ctrl_c_stops_the_job_and_says_so(tmp_path: Path, workspace: Workspace) -> None:
    command = [
        *PROGRAM,
        "--home",
        str(tmp_path / "home"),
        "run",
        *JOB,
        "--param",
        "behaviour=hang",
        "--name",
        "hanging",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
        assert program.stderr is not None
        while program.stderr.readline() != "hanging\n":
            assert program.poll() is None
        os.kill(program.pid, signal.SIGINT)
        said = program.stderr.read()

    assert program.returncode == 130
    assert "will stop; the trial hanging stays." in said
    assert workspace.submitted("hanging").wait().status == "Stopped"
