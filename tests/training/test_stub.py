"""The entry point that travels: what was sent is what runs, with nothing of ours installed and no SDK in reach."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.isolation import isolated_interpreter

from mnist_tracking.training.artifact import load_artifact
from mnist_tracking.training.entry import ENTRY_POINT, PACKAGE_DIR, SOURCE_DIR

ROOT = Path(__file__).resolve().parents[2]
ASK = """
import io, sys
import numpy as np
import mnist
body = io.BytesIO()
np.save(body, np.zeros((2, 28, 28), np.uint8))
answer = mnist.predict_fn(mnist.input_fn(body.getvalue(), "application/x-npy"), mnist.model_fn(sys.argv[1]))
print(tuple(answer.shape), sys.modules["mnist_tracking"].__file__)
"""


def isolated(code_dir: Path, python: Path, arguments: list[str]) -> subprocess.CompletedProcess[str]:
    """Run an interpreter in *code_dir*."""
    environment = {"PATH": os.environ["PATH"]}
    return subprocess.run(
        [python, *arguments], cwd=code_dir, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture
def python(tmp_path: Path) -> Path:
    return isolated_interpreter(tmp_path / "interpreter")


def unpack(code_dir: Path, *, dependencies: str) -> Path:
    """Lay out what SageMaker's SDK sends: the source folder's files, and the package as a dependency."""
    shutil.copytree(SOURCE_DIR, code_dir, ignore=shutil.ignore_patterns("__pycache__"))
    target = code_dir / dependencies / "mnist_tracking"
    shutil.copytree(PACKAGE_DIR, target, ignore=shutil.ignore_patterns("__pycache__"))
    return target


def test_the_top_level_stub_equals_the_packages() -> None:
    """``training/mnist.py`` is for submitting by hand."""
    assert (ROOT / "training" / ENTRY_POINT).read_bytes() == (SOURCE_DIR / ENTRY_POINT).read_bytes()


def test_the_source_folder_contains_only_the_stub() -> None:
    """Every file in it would be sent."""
    assert [path.name for path in SOURCE_DIR.iterdir() if path.name != "__pycache__"] == [ENTRY_POINT]


def test_a_job_and_an_endpoint_run_what_was_sent(digits_dir: Path, python: Path, tmp_path: Path) -> None:
    """A job has the package next to the stub, an endpoint in lib/."""
    unpack(tmp_path / "job", dependencies="")
    arguments = [ENTRY_POINT, "--data-dir", str(digits_dir), "--model-dir", str(tmp_path / "model")]
    job = isolated(tmp_path / "job", python, [*arguments, "--epochs", "1", "--hidden_channels", "2"])
    package = unpack(tmp_path / "endpoint", dependencies="lib")
    endpoint = isolated(tmp_path / "endpoint", python, ["-c", ASK, str(tmp_path / "model")])

    assert (job.returncode, job.stderr) == (0, "")
    assert load_artifact(tmp_path / "model").architecture.hidden_channels == 2
    assert (endpoint.returncode, endpoint.stderr) == (0, "")
    assert endpoint.stdout.split("\n")[0] == f"(2, 10) {package / '__init__.py'}"


def test_the_sent_package_takes_precedence_over_the_installed_one(tmp_path: Path) -> None:
    """Even where another version of the package can be imported."""
    package = unpack(tmp_path / "endpoint", dependencies="lib")
    marker = package / "training" / "main.py"
    marker.write_text(marker.read_text() + "\nprint('from the archive')\n")
    command = [sys.executable, "-c", "import mnist"]
    done = subprocess.run(command, cwd=tmp_path / "endpoint", capture_output=True, text=True, check=True)

    assert done.stdout == "from the archive\n"


def test_a_wrong_hyperparameter_fails_the_job_with_one_line(python: Path, tmp_path: Path) -> None:
    """It becomes the failure reason."""
    unpack(tmp_path / "job", dependencies="")
    job = isolated(tmp_path / "job", python, [ENTRY_POINT, "--depth", "3"])

    assert (job.returncode, job.stderr.count("\n")) == (2, 1)
    assert "No hyperparameter named 'depth'" in job.stderr
