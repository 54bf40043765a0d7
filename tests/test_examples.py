"""The examples run as they are: each in a process of its own, on an embedded SageMaker, with small data."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.digits import write_idx_dataset

EXAMPLES = Path(__file__).parents[1] / "examples"


def run_script(script: Path, folder: Path, **environment: str) -> str:
    """Run a script in *folder*, where its `.mnist-tracking` goes, and return what it prints."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("MNIST_TRACKING_")}
    done = subprocess.run(
        [sys.executable, script],
        cwd=folder,
        env={**kept, **environment},
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_reference_workflow_runs(tmp_path: Path) -> None:
    """Two small networks for one epoch do here, instead of five for two."""
    data = write_idx_dataset(tmp_path / "data")
    source = (EXAMPLES / "mnist_workflow.py").read_text()
    small = source.replace("[2, 5, 10, 20, 32]", "[2, 3]").replace("epochs=2", "epochs=1")
    script = tmp_path / "workflow.py"
    script.write_text(small)

    printed = run_script(script, tmp_path, MNIST_DATA_DIR=str(data))

    assert small != source
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


def test_the_example_of_ones_own_is_short() -> None:
    assert len((EXAMPLES / "own_script" / "run.py").read_text().splitlines()) < 40
