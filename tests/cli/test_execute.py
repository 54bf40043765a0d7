"""``mnist-tracking exec``: programs that know nothing of this library, answered by the embedded SageMaker."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from mnist_tracking import Workspace
from mnist_tracking.cli.app import cli

MAIN = [sys.executable, "-c", "from mnist_tracking.cli import main; main()"]


def execute(home: Path, *command: str, cwd: Path | None = None, **variables: Any) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*MAIN, "--home", str(home), "exec", "--", *command],
        capture_output=True,
        check=False,
        cwd=cwd,
        env={**os.environ, **variables},
        text=True,
    )


def python(home: Path, code: str, **variables: Any) -> "subprocess.CompletedProcess[str]":
    return execute(home, sys.executable, "-W", "ignore", "-c", textwrap.dedent(code), **variables)


def test_boto3_is_answered_and_the_exit_status_is_the_programs(workspace: Workspace, tmp_path: Path) -> None:
    done = python(
        tmp_path / "home",
        """
        import boto3, sys
        boto3.client("sagemaker", region_name="eu-west-1").create_experiment(ExperimentName="plain")
        session = boto3.Session(aws_access_key_id="somebody", aws_secret_access_key="else")
        print(session.client("sts").get_caller_identity()["Account"])
        sys.exit(3)
        """,
        AWS_SESSION_TOKEN="secret",
        AWS_PROFILE="missing",
    )

    assert (done.returncode, done.stdout) == (3, "000000000000\n"), done.stderr
    assert done.stderr.startswith("embedded SageMaker in ")
    assert [experiment.name for experiment in workspace.experiments()] == ["plain"]


def test_the_sdks_are_answered_and_their_telemetry_is_silent(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("print('trained')")
    done = python(
        tmp_path / "home",
        f"""
        import requests
        requests.get = lambda *arguments: print("sent", arguments)
        import sagemaker
        from sagemaker.pytorch import PyTorch
        from smexperiments.experiment import Experiment
        from smexperiments.tracker import Tracker

        trial = Experiment.create(experiment_name="plain").create_trial("plain-trial")
        with Tracker.create(display_name="Preprocessing") as tracker:
            tracker.log_parameters({{"rows": 3}})
        trial.add_trial_component(tracker.trial_component)
        host = {{"instance_count": 1, "instance_type": "ml.m5.large", "role": sagemaker.get_execution_role()}}
        estimator = PyTorch({str(tmp_path / "train.py")!r}, framework_version="2.6.0", py_version="py312", **host)
        estimator.fit(wait=False, experiment_config={{"TrialName": "plain-trial"}})
        """,
    )

    assert done.returncode == 0, done.stderr
    assert "sent" not in done.stdout
    assert workspace.submitted("plain-trial").result().status == "Completed"
    assert workspace.trial("plain-trial").steps[0].parameters == {"rows": 3}


def test_children_are_answered_and_another_workspace_keeps_its_own_folder(workspace: Workspace, tmp_path: Path) -> None:
    done = python(
        tmp_path / "home",
        f"""
        import subprocess, sys
        from mnist_tracking import ExperimentRunner, Workspace
        other = Workspace.embedded({str(tmp_path / "other")!r})
        ExperimentRunner(other, "elsewhere")
        other.close()
        code = "import boto3; boto3.client('sagemaker').create_experiment(ExperimentName='of-a-child')"
        subprocess.run([sys.executable, "-c", code], check=True)
        """,
    )

    assert done.returncode == 0, done.stderr
    assert [experiment.name for experiment in workspace.experiments()] == ["of-a-child"]


def test_a_program_that_escapes_has_neither_credentials_nor_an_address(tmp_path: Path) -> None:
    done = execute(tmp_path / "home", "env", AWS_SECRET_ACCESS_KEY="secret")
    found = dict(line.partition("=")[::2] for line in done.stdout.splitlines() if line.startswith("AWS_"))

    assert found["AWS_SECRET_ACCESS_KEY"] == "embedded"
    assert found["AWS_ENDPOINT_URL"] == "http://127.0.0.1:9"


def test_a_python_without_this_library_sends_nothing(tmp_path: Path) -> None:
    done = python(
        tmp_path / "home",
        """
        import sys
        sys.modules["mnist_tracking"] = None
        import boto3
        boto3.client("sagemaker")
        """,
    )

    assert done.returncode == 1
    assert "cannot import mnist-tracking" in done.stderr
    assert "Nothing was sent." in done.stderr


def test_the_sitecustomize_of_others_still_runs(tmp_path: Path) -> None:
    theirs = "import os\nif os.environ.get('MNIST_TRACKING_BACKEND') == 'embedded': print('theirs')"
    (tmp_path / "sitecustomize.py").write_text(theirs)

    assert python(tmp_path / "home", "print('mine')", PYTHONPATH=str(tmp_path)).stdout == "theirs\nmine\n"


@pytest.mark.parametrize(("command", "status"), [("no-such-program", 127), ("./folder", 126)])
def test_a_program_that_cannot_be_run_is_one_line(tmp_path: Path, command: str, status: int) -> None:
    (tmp_path / "folder").mkdir()
    done = execute(tmp_path / "home", command, cwd=tmp_path)

    assert done.returncode == status
    assert command in done.stderr.splitlines()[1]


def test_exec_is_for_the_embedded_sagemaker() -> None:
    assert CliRunner().invoke(cli, ["--backend", "aws", "exec", "true"]).exit_code == 2
