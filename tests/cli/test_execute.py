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


@pytest.mark.parametrize("is_named", [True, False])
def test_profiles_are_there_without_their_keys(tmp_path: Path, is_named: bool) -> None:
    """Any program may name one; none can read a key, or how to get one, from the files that it is pointed to."""
    aws = tmp_path / ("elsewhere" if is_named else ".aws")
    aws.mkdir()
    role = "role_arn = arn:aws:iam::1:role/secret\nsource_profile = default\nsso_session = secret\n"
    process = "credential_process = cat secret\ns3 =\n  signature_version = secret\n"
    (aws / "config").write_text(f"[default]\nregion = eu-west-1\n[profile work]\n{role}{process}[sso-session secret]\n")
    (aws / "credentials").write_text("[work]\naws_access_key_id = secret\naws_secret_access_key = secret\n[other]\n")
    named = {"AWS_CONFIG_FILE": str(aws / "config"), "AWS_SHARED_CREDENTIALS_FILE": str(aws / "credentials")}
    done = python(
        tmp_path / "home",
        """
        import boto3, os
        print(sorted(boto3.Session().available_profiles))
        print(boto3.Session(profile_name="work").client("sts").get_caller_identity()["Account"])
        print(*(open(os.environ[name]).read() for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")))
        """,
        HOME=str(tmp_path),
        **(named if is_named else {}),
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("['default', 'other', 'work']\n000000000000\n[default]\nregion = eu-west-1\n")
    assert "secret" not in done.stdout.replace("[sso-session secret]", "").replace("secret_access_key = embedded", "")


@pytest.mark.parametrize("content", ["no section", "[a]\n[a]\nx", "\xff", "[a]\nx = %(y)s\n"])
def test_a_broken_configuration_file_is_no_concern_of_the_program(tmp_path: Path, content: str) -> None:
    (tmp_path / "config").write_text(content, encoding="latin-1")

    assert python(tmp_path / "home", "print('ran')", AWS_CONFIG_FILE=tmp_path / "config").stdout == "ran\n"


def test_the_sdks_archives_do_not_contain_the_home(workspace: Workspace, tmp_path: Path) -> None:
    """Neither those of a job nor those of a model, whatever the SDK's own way to pack them."""
    project = tmp_path / "project"
    project.mkdir()
    (project / "train.py").write_text("def model_fn(folder): return 1")
    (project / "model").touch()
    done = python(
        project / "home",
        """
        import tarfile
        from sagemaker import utils
        from sagemaker.fw_utils import _list_files_to_compress
        utils.create_tar_file(_list_files_to_compress("train.py", "."), "code.tar.gz")
        with tarfile.open("model.tar.gz", "w:gz") as tar:
            tar.add("model")
        class Session:
            settings = None
        utils.repack_model("train.py", ".", None, "file://model.tar.gz", "file://repacked.tar.gz", Session())
        for name in ("code.tar.gz", "repacked.tar.gz"):
            with tarfile.open(name) as tar:
                print(sorted(tar.getnames()))
        """,
        cwd=project,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-2:] == [
        "['model', 'train.py']",
        "['', 'code', 'code/code.tar.gz', 'code/model', 'code/model.tar.gz', 'code/train.py', 'model']",
    ]


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
