"""The provenance of trials and steps: recorded by whoever creates them, and read back everywhere."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mnist_tracking import ExperimentRunner, JobSpec, Workspace
from mnist_tracking._values.repository import forget_checkouts
from mnist_tracking._values.version import __version__
from mnist_tracking.types import Provenance

pytestmark = pytest.mark.usefixtures("fresh_git")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository with a script, which is not where the program runs."""
    folder = tmp_path / "churn"
    folder.mkdir()
    (folder / "train.py").write_text(
        "import json, os, sys\n"
        "assert not [name for name in sys.argv if 'mnist_tracking' in name], sys.argv\n"
        "from mnist_tracking.job import log_parameter\n"
        "log_parameter('rows', 3)\n"
    )
    identity = ("-c", "user.name=A", "-c", "user.email=a@example.com")
    for arguments in (
        ("init", "--quiet"),
        ("remote", "add", "origin", "https://alice:secret@example.com/churn.git"),
        ("add", "."),
        ("commit", "--quiet", "-m", "First"),
    ):
        subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True)
    return folder


def commit_of(folder: Path) -> str:
    shown = subprocess.run(["git", "-C", str(folder), "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    return shown.stdout.strip()


def test_a_job_records_the_code_that_was_sent_and_the_interpreter_that_ran(
    workspace: Workspace, checkout: Path
) -> None:
    job = JobSpec("train.py", source_dir=checkout)
    clean = ExperimentRunner(workspace, "churn", job=job).run({"lr": 2.0}, name="clean")
    (checkout / "train.py").write_text("")
    forget_checkouts()
    changed = ExperimentRunner(workspace, "churn", job=job).run({"lr": 2.0}, name="changed")

    found = clean.provenance
    assert (found.commit, found.is_dirty) == (commit_of(checkout), False)
    assert found.repository == "https://example.com/churn.git"
    assert found.command
    assert found.image == f"CPython {'.'.join(map(str, sys.version_info[:3]))} at {sys.executable}"
    assert found.python is not None  # the script used mnist_tracking.job
    assert found.python.startswith("CPython 3.")
    assert "mnist-tracking" in found.packages
    assert clean.hyperparameters == {**changed.hyperparameters, "rows": 3}
    assert (changed.provenance.is_dirty, changed.provenance.packages) == (True, {"mnist-tracking": __version__})
    described = workspace.client("sagemaker").describe_trial(TrialName="clean")["MetadataProperties"]
    assert (described["CommitId"], described["Repository"]) == (found.commit, found.repository)
    assert workspace.trial("clean") == clean
    [difference] = [item for item in workspace.compare("clean", "changed").differences if item.name == "is_dirty"]
    assert difference.values == (False, True)


def test_a_local_trial_and_its_steps_record_this_program(workspace: Workspace, checkout: Path) -> None:
    code = """
from mnist_tracking import ExperimentRunner, Workspace
with Workspace.embedded() as workspace:
    runner = ExperimentRunner(workspace, "churn")
    with runner.trial({"C": 1.0}, name="baseline"):
        pass
    with runner.step("Evaluation", trial="baseline") as step:
        step.log_parameter("rows", 3)
"""
    (checkout / "local.py").write_text(code)
    home = {"MNIST_TRACKING_HOME": str(checkout.parent / "home")}
    subprocess.run(
        [sys.executable, str(checkout / "local.py"), "--token", "abc"], check=True, env={**os.environ, **home}
    )

    trial = workspace.trial("baseline")
    found = trial.provenance
    assert (found.commit, found.is_dirty) == (commit_of(checkout), True)  # local.py is not tracked
    assert found.command is not None
    assert found.command.endswith("local.py --token '***'")
    assert found.image is None
    assert found.packages["mnist-tracking"]
    assert trial.hyperparameters == {"C": 1.0}
    step = trial.steps[-1]
    assert (step.provenance, step.parameters) == (found, {"rows": 3})
    described = workspace.client("sagemaker").describe_trial_component(TrialComponentName=step.name)
    assert described["MetadataProperties"]["CommitId"] == found.commit
    trial.download(checkout.parent / "files")
    downloaded = json.loads((checkout.parent / "files" / "trial.json").read_text())
    assert downloaded["provenance"]["commit"] == found.commit


def test_a_trial_without_training_has_none(workspace: Workspace, runner: ExperimentRunner) -> None:
    workspace.client("sagemaker").create_trial(TrialName="bare", ExperimentName="lines")

    assert workspace.trial("bare").provenance == Provenance()
