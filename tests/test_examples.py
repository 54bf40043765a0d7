"""The examples run as they are: each in a process of its own, on an embedded SageMaker, with small data."""

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from tests.digits import write_idx_dataset

EXAMPLES = Path(__file__).parents[1] / "examples"


def smaller(source: str) -> str:
    """Ask for less training than an example shows."""
    for shown, small in (("[2, 5, 10, 20, 32]", "[2, 3]"), ("epochs=2", "epochs=1")):
        assert shown in source
        source = source.replace(shown, small)
    return source


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


def test_the_example_of_ones_own_is_short() -> None:
    assert len((EXAMPLES / "own_script" / "run.py").read_text().splitlines()) < 40


def test_the_notebook_runs_and_shows_its_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a kernel of its own; two small networks for one epoch do here as well."""
    notebook = nbformat.reads(smaller((EXAMPLES / "mnist.ipynb").read_text()), as_version=4)
    monkeypatch.setenv("MNIST_DATA_DIR", str(write_idx_dataset(tmp_path / "data")))
    monkeypatch.setenv("MNIST_TRACKING_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))

    done = NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()

    outputs = [output for cell in done.cells for output in cell.get("outputs", ())]
    assert [output.output_type for output in outputs if output.output_type == "error"] == []
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 2
    assert sum("text/html" in output.get("data", {}) for output in outputs) == 2


def test_the_notebook_is_kept_with_its_pictures() -> None:
    kept = (EXAMPLES / "mnist.ipynb").read_text()

    assert kept.count('"image/png"') == 2
    assert str(Path.home()) not in kept


def test_a_model_of_scikit_learn_is_trained_here_and_deployed(tmp_path: Path) -> None:
    printed = run_script(EXAMPLES / "sklearn_trial.py", tmp_path)

    assert "[0, 1, 1] should be [0, 1, 1]\n" in printed
    assert "2 trials, 1 experiment" in printed
    assert len((EXAMPLES / "sklearn_trial.py").read_text().splitlines()) < 40
