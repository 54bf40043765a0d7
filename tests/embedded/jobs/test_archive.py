"""A job runs the archive that the real estimator sent, not the installed library."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.digits import write_idx_dataset
from tests.support.isolation import OUT_OF_REACH, isolated_interpreter
from tests.support.training_account import ROLE, TrainingAccount

from mnist_tracking._aws.sdk import quiet
from mnist_tracking.embedded.engine import EmbeddedSageMaker
from mnist_tracking.training.entry import ENTRY_POINT, METRIC_REGEXES, PACKAGE_DIR, SOURCE_DIR

MARKED = "def main():\n    print('from the archive:', __file__)\n"


@pytest.fixture
def bare_account(tmp_path: Path) -> Iterator[TrainingAccount]:
    """An account whose jobs run where neither this library nor an SDK can be imported."""
    engine = EmbeddedSageMaker(tmp_path / "bare", python=str(isolated_interpreter(tmp_path / "interpreter")))
    yield TrainingAccount(engine)
    engine.close()


def fit(account: TrainingAccount, package: Path, **hyperparameters: Any) -> dict[str, Any]:
    """Train with the real PyTorch estimator."""
    with quiet():
        from sagemaker import Session
        from sagemaker.pytorch import PyTorch

        estimator = PyTorch(
            entry_point=ENTRY_POINT,
            source_dir=str(SOURCE_DIR),
            dependencies=[str(package)],
            role=ROLE,
            framework_version="2.6.0",
            py_version="py312",
            instance_type="ml.m5.xlarge",
            instance_count=1,
            hyperparameters=hyperparameters,
            metric_definitions=[{"Name": name, "Regex": regex} for name, regex in METRIC_REGEXES.items()],
            output_path="s3://bucket/jobs",
            sagemaker_session=Session(boto_session=account.engine.session()),
        )
        estimator.fit({"training": "s3://bucket/data"}, job_name="job", wait=False)
    return account.wait()


def put_digits(account: TrainingAccount, folder: Path) -> None:
    for path in write_idx_dataset(folder).rglob("*"):
        if path.is_file():
            account.put(f"data/{path.relative_to(folder)}", path.read_bytes())


def test_the_interpreter_reaches_none_of_them(tmp_path: Path) -> None:
    """Otherwise the next test would prove nothing."""
    python = isolated_interpreter(tmp_path / "interpreter")
    asks = "import importlib.util, sys; print([name for name in sys.argv[1:] if importlib.util.find_spec(name)])"
    done = subprocess.run([python, "-c", asks, "torch", *OUT_OF_REACH], capture_output=True, text=True, check=True)

    assert done.stdout == "['torch']\n"


def test_archive_trains_without_the_installed_libraries(bare_account: TrainingAccount, tmp_path: Path) -> None:
    put_digits(bare_account, tmp_path / "digits")
    job = fit(bare_account, PACKAGE_DIR, epochs=1, hidden_channels=2)

    assert (job["TrainingJobStatus"], job.get("FailureReason")) == ("Completed", None)
    assert bare_account.metrics().keys() >= METRIC_REGEXES.keys()  # and those that it writes to its metrics file
    assert "model.pth" in bare_account.members("jobs/job/output/model.tar.gz")


def test_the_archive_wins_over_the_installed_package(account: TrainingAccount, tmp_path: Path) -> None:
    """Its interpreter is that of these tests, which has the package installed."""
    account.put("data/digits")
    package = tmp_path / "changed" / "mnist_tracking"
    shutil.copytree(PACKAGE_DIR, package, ignore=shutil.ignore_patterns("__pycache__"))
    (package / "training" / "main.py").write_text(MARKED)
    fit(account, package)

    code = account.ml() / "code"
    assert account.log() == [f"from the archive: {code}/mnist_tracking/training/main.py"]
