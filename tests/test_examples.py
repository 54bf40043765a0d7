"""The examples run as they are, each in its own process, on an embedded SageMaker with small data."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from tests.support.digits import write_idx_dataset

from mnist_tracking import Workspace

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.documentation
EXAMPLES = ROOT / "examples"


def smaller(source: str, *, epochs: int = 1) -> str:
    """Return an example with less training than it shows."""
    for shown, small in (("[2, 5, 10, 20, 32]", "[2, 3]"), ("epochs=2", f"epochs={epochs}")):
        assert shown in source
        source = source.replace(shown, small)
    return source


def run_script(script: Path, folder: Path, **environment: str) -> str:
    """Run a script in *folder*, where its `.mnist-tracking` goes, and return what it prints; no progress is shown."""
    done = start_python([script], folder, **environment)
    assert done.stderr == ""
    return done.stdout


def run_python(arguments: Sequence[str | Path], folder: Path, **environment: str) -> str:
    return start_python(arguments, folder, **environment).stdout


def start_python(arguments: Sequence[str | Path], folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("MNIST_TRACKING_")}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**kept, **environment},
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done


COMMAND = "from mnist_tracking.cli import main; main()"
SCRIPT = """
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("--trees", type=int)
print(f"accuracy: {parser.parse_args().trees / 100}")
"""


def test_the_first_screen_of_the_readme_tracks_a_script_of_ones_own(tmp_path: Path) -> None:
    """In an empty folder that holds only the script."""
    section = (ROOT / "README.md").read_text().split("## Your own script")[1].split("\n## ")[0]
    commands, program = re.findall(r"^```(?:sh|python)\n(.*?)^```", section, re.M | re.S)
    (tmp_path / "train.py").write_text(SCRIPT)

    lines = (shlex.split(line, comments=True) for line in commands.splitlines())
    printed = [run_python(["-c", COMMAND, *line[1:]], tmp_path) for line in lines]
    board = run_python(["-c", program], tmp_path)

    assert re.findall(r"^\d +\S+ +(\S+)", printed[-1], re.M) == ["0.5", "0.05"]
    assert re.findall(r" (\d+) +0\.\d+$", board, re.M) == ["50", "20", "5"]


def test_the_search_of_the_readme_writes_a_page(tmp_path: Path) -> None:
    """Four trials instead of 20."""
    section = (ROOT / "README.md").read_text().split("## Search hyperparameters")[1].split("\n## ")[0]
    (commands,) = re.findall(r"^```sh\n(.*?)^```", section, re.M | re.S)
    (tmp_path / "train.py").write_text(SCRIPT)

    lines = commands.replace("\\\n", " ").replace("--max-trials 20", "--max-trials 4").splitlines()
    _install, sweep, report = (shlex.split(line, comments=True) for line in lines)
    board = run_python(["-c", COMMAND, *sweep[1:]], tmp_path)
    run_python(["-c", COMMAND, *report[1:]], tmp_path)

    assert len(re.findall(r"^ *\d+ +\S+ +[\d.]+ ", board, re.M)) == 4
    assert 10_000 < (tmp_path / "churn.html").stat().st_size < 1_000_000


def test_the_first_program_runs(tmp_path: Path) -> None:
    """Two small networks for one epoch replace five for two; the data is the small digits of scikit-learn."""
    script = tmp_path / "program.py"
    script.write_text(smaller((EXAMPLES / "first_program.py").read_text()))

    printed = run_script(script, tmp_path)

    assert printed.count(" Completed ") == 2
    assert re.search(r"^data +s3://\S+/mnist-digits/data/", printed, re.M)
    assert re.search(r"^\d+\.\d% of 300 test images right$", printed, re.M)
    assert "2 trials, 1 experiment" in printed


def test_the_reference_workflow_runs(tmp_path: Path) -> None:
    """Two small networks for one epoch replace five for two."""
    data = write_idx_dataset(tmp_path / "data")
    script = tmp_path / "workflow.py"
    script.write_text(smaller((EXAMPLES / "mnist_workflow.py").read_text()))

    printed = run_script(script, tmp_path, MNIST_DATA_DIR=str(data))

    assert printed.count(" Completed ") == 2
    assert re.search(r"^\d+\.\d\d% of 100 test images right$", printed, re.M)
    assert "2 trials, 1 experiment" in printed


def test_a_script_of_ones_own_runs_and_the_best_degree_is_deployed(tmp_path: Path) -> None:
    printed = run_script(EXAMPLES / "own_script" / "run.py", tmp_path)

    best = printed.splitlines()[1].split()
    answers = [float(number) for number in re.search(r"^\[(.+)\]$", printed, re.M)[1].split()]  # type: ignore[index]
    assert printed.count(" Completed ") == 4
    assert best[3] == "5"
    assert pytest.approx([-0.91, 0.0, 0.91], abs=0.2) == answers


def test_a_script_of_ones_own_needs_no_torch_and_none_of_our_code() -> None:
    source = (EXAMPLES / "own_script" / "train.py").read_text()

    assert {"argparse", "io", "os", "pathlib", "numpy"} == set(re.findall(r"^(?:import|from) (\w+)", source, re.M))


@pytest.mark.parametrize(
    "programs",
    [
        ["own_script/run.py"],
        ["sklearn_trial.py"],
        ["steps_only.py"],
        ["compare_experiments.py"],
        ["spot_checkpoints/run.py"],
        ["company_project/submit.py", "company_project/finish.py"],
    ],
    ids=lambda programs: programs[0],
)
def test_the_client_code_of_an_example_is_short(programs: list[str]) -> None:
    lines = [line for program in programs for line in (EXAMPLES / program).read_text().splitlines()]

    assert len([line for line in lines if line and not line.startswith('"""')]) < 40


def test_the_notebook_runs_and_shows_its_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a kernel of its own, with two small networks; a curve needs two epochs."""
    notebook = nbformat.reads(smaller((EXAMPLES / "mnist.ipynb").read_text(), epochs=2), as_version=4)
    monkeypatch.setenv("MNIST_DATA_DIR", str(write_idx_dataset(tmp_path / "data")))
    monkeypatch.setenv("MNIST_TRACKING_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))

    done = NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()

    outputs = [output for cell in done.cells for output in cell.get("outputs", ())]
    assert [output.output_type for output in outputs if output.output_type == "error"] == []
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 3
    assert sum("text/html" in output.get("data", {}) for output in outputs) == 3


def test_the_notebook_is_kept_with_its_pictures() -> None:
    kept = (EXAMPLES / "mnist.ipynb").read_text()

    assert kept.count('"image/png"') == 3
    assert str(Path.home()) not in kept


def test_a_model_of_scikit_learn_is_trained_here_and_deployed(tmp_path: Path) -> None:
    printed = run_script(EXAMPLES / "sklearn_trial.py", tmp_path)

    assert "[0, 1, 1] expected [0, 1, 1]\n" in printed
    assert "2 trials, 1 experiment" in printed


def test_steps_and_trials_are_tracked_without_a_job(tmp_path: Path) -> None:
    printed = run_script(EXAMPLES / "steps_only.py", tmp_path)

    assert re.findall(r"^(\w+): Completed", printed, re.M) == ["Preprocessing", "Training", "Evaluation"]
    assert "\nEvaluation: Completed ['confusion-matrix', 'errors']\n" in printed
    assert re.search(r"^accuracy by epoch \(%\): \[(\d\d\.\d, ){4}\d\d\.\d\]$", printed, re.M)


def test_experiments_are_searched_ranked_and_compared_together(tmp_path: Path) -> None:
    printed = run_script(EXAMPLES / "compare_experiments.py", tmp_path)

    assert "\n1 forest with fewer than 5 trees\n" in printed
    assert re.search(r"^good: wine-forest-\S+ \{'n_estimators': 10\}$", printed, re.M)
    assert re.findall(r"^\d +(wine-\w+)", printed, re.M) == ["wine-forest"] * 2 + ["wine-neighbours"] * 2
    assert re.search(r"^Training +parameter +n_neighbors +\d+$", printed, re.M)


def test_a_job_that_was_stopped_is_carried_on_with_from_its_checkpoint(tmp_path: Path) -> None:
    printed = run_script(EXAMPLES / "spot_checkpoints" / "run.py", tmp_path)

    logged = int(re.search(r"^Stopped after (\d+) epochs$", printed, re.M)[1])  # type: ignore[index]
    resumed = int(re.search(r"^resumed after (\d+) epochs$", printed, re.M)[1])  # type: ignore[index]
    assert 3 <= logged <= resumed <= logged + 1  # it may be stopped after it has saved, and before it prints
    assert f"\nepoch={logged + 10};" in printed
    assert "\nCompleted " in printed
    with Workspace.embedded(tmp_path / ".mnist-tracking") as workspace:
        client = workspace.client("sagemaker")
        for job in client.list_training_jobs()["TrainingJobSummaries"]:  # those stay, whatever is cleaned up
            sent = client.describe_training_job(TrainingJobName=job["TrainingJobName"])
            assert sent["EnableManagedSpotTraining"]
            assert sent["StoppingCondition"] == {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 7200}
            assert "/slopes/checkpoints/slopes-" in sent["CheckpointConfig"]["S3Uri"]  # a folder of each trial


def test_hyperparameters_are_searched_and_the_search_is_continued(tmp_path: Path) -> None:
    printed = run_script(EXAMPLES / "search" / "run.py", tmp_path)

    assert len(re.findall(r"^night-\d (Completed|Stopped pruned at step \d+ by asha)", printed, re.M)) == 8
    assert re.search(r"^10 trials, the best with \{'learning_rate': ", printed, re.M)
    assert re.search(r" 3 .* yes$", printed, re.M)
    assert "16 trials, 1 experiment" in printed


def test_a_project_in_a_companys_account_outlives_its_kernel(tmp_path: Path) -> None:
    """The program that submitted the jobs has exited; only the account holds them."""
    project = EXAMPLES / "company_project"
    settings = json.loads((project / "settings.json").read_text())
    for _twice in range(2):
        run_script(project / "data.py", tmp_path)
    run_script(project / "submit.py", tmp_path)

    printed = run_script(project / "finish.py", tmp_path)

    assert printed.count(" Completed ") == 4
    assert re.search(r"^ *Training +parameter +model +(forest|boosting) ", printed, re.M)
    with Workspace.embedded(tmp_path / ".mnist-tracking") as workspace:
        trials = list(workspace.trials(["cells-forest", "cells-boosting"]))
        assert len(trials) == 4
        for trial in trials:
            steps = [step.display_name for step in workspace.trial(trial.name).steps]
            assert steps == ["Training", "Evaluation"]
            check_sent(workspace, str(trial.job_name), settings)


def check_sent(workspace: Workspace, job_name: str, settings: dict[str, Any]) -> None:
    sent = workspace.client("sagemaker").describe_training_job(TrainingJobName=job_name)
    tags = workspace.client("sagemaker").list_tags(ResourceArn=sent["TrainingJobArn"])["Tags"]

    assert sent["RoleArn"] == settings["role"]
    assert sent["OutputDataConfig"]["KmsKeyId"] == settings["kms_key"]
    assert sent["ResourceConfig"]["VolumeKmsKeyId"] == settings["kms_key"]
    assert sent["VpcConfig"] == {
        "Subnets": settings["subnets"],
        "SecurityGroupIds": settings["security_group_ids"],
    }
    assert settings["tags"].items() <= {tag["Key"]: tag["Value"] for tag in tags}.items()
    assert [channel["ChannelName"] for channel in sent["InputDataConfig"]] == ["train", "validation"]
