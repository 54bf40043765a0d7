"""What is packed, uploaded, hashed or copied: linked folders, too, but no home of an embedded SageMaker."""

import io
import os
import shutil
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.support.toy_job import TOY

from mnist_tracking import BestModelDeployer, ConfigError, ExperimentRunner, JobSpec, Workspace
from mnist_tracking.experiments.data import fingerprint_of

LOGS_A_FOLDER = """
import os
from pathlib import Path
from mnist_tracking.job import log_artifact
Path("made/home").mkdir(parents=True)
Path("made/home/sagemaker.db").touch()
Path("rows.csv").touch()
Path("made/rows.csv").symlink_to(os.path.abspath("rows.csv"))
Path("made/dangling").symlink_to("nowhere")
os.mkfifo("made/fifo")
log_artifact("made")
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder of code as the README has it: with the home, git's files, and linked folders."""
    folder = tmp_path / "project"
    shutil.copytree(TOY, folder)
    (folder / "package").mkdir()
    (folder / "package" / "__init__.py").touch()
    shutil.copytree(folder / "package", folder / "library")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "rows.csv").write_text("1")
    (folder / "library" / "linked").symlink_to(tmp_path / "elsewhere")
    for name in (".git", "__pycache__"):
        (folder / "library" / name).mkdir()
        (folder / "library" / name / "no-code").touch()
    other = folder / "library" / "home"
    other.mkdir()
    (other / "sagemaker.db").write_text("another one")
    return folder


@pytest.fixture
def inside(project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    """A workspace whose home is in the project, which is the working directory."""
    monkeypatch.chdir(project)
    with Workspace.embedded(".mnist-tracking") as workspace:
        yield workspace


def uploaded(workspace: Workspace) -> set[str]:
    """Return the keys of all objects, and the names in those that are archives, without generated parts."""
    s3 = workspace.client("s3")
    names = set()
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=workspace.bucket):
        for item in page.get("Contents", ()):
            names.add(item["Key"])
            if item["Key"].endswith(".tar.gz"):
                body = s3.get_object(Bucket=workspace.bucket, Key=item["Key"])["Body"].read()
                with tarfile.open(fileobj=io.BytesIO(body)) as tar:
                    names |= {f"{item['Key']}:{name}" for name in tar.getnames()}
    return names


def check_no_home(workspace: Workspace) -> set[str]:
    """Check all objects, and return the last parts of their names."""
    names = uploaded(workspace)

    assert [name for name in names if "sagemaker.db" in name or "home" in name or ".mnist-tracking" in name] == []
    assert [name for name in names if "fifo" in name or "dangling" in name] == []
    return {name.rpartition(":")[2] for name in names}


def test_code_of_a_job(inside: Workspace) -> None:
    """The README's own advice: ``source_dir="."``; jobs after the first one, too, and the store does not double."""
    job = JobSpec("train.py", source_dir=".", dependencies=["package", "library/"], metrics={"score": r"score=(\S+?);"})
    runner = ExperimentRunner(inside, "lines", job=job)
    sizes = []
    for _ in range(3):
        assert runner.run().status == "Completed"
        sizes.append(sum(path.stat().st_size for path in Path(".mnist-tracking/s3").rglob("*") if path.is_file()))

    names = check_no_home(inside)
    assert {"train.py", "package/__init__.py", "library/__init__.py", "__init__.py"} <= names
    assert {"library/linked/rows.csv", "linked/rows.csv"} <= names
    assert [name for name in names if "no-code" in name] == []
    assert sizes[2] < 4 * sizes[0]
    with BestModelDeployer(inside).deploy(runner.run(), entry_point="train.py", source_dir=".") as endpoint:
        check_no_home(inside)
        assert endpoint.predict(np.array([0.0])) == [0.0]


def test_data(inside: Workspace) -> None:
    """The fingerprint is that of the same data without a home; linked folders are part of it."""
    (Path("library") / "home" / "sagemaker.db").unlink()
    before = fingerprint_of(Path("library"))
    (Path("library") / "home" / "sagemaker.db").write_text("state")
    (Path("library") / "home" / "blob").write_text("state")
    runner = ExperimentRunner(inside, "lines")
    runner.upload_dataset(".")

    assert fingerprint_of(Path("library")) == before
    Path("library", "linked", "rows.csv").write_text("2")
    assert fingerprint_of(Path("library")) != before
    names = uploaded(inside)
    assert [name for name in names if name.endswith(("/train.py", "/library/linked/rows.csv"))] != []
    with pytest.raises(ConfigError, match=r"sagemaker\.db' belongs to the home of an embedded SageMaker"):
        runner.upload_dataset(".", files=[Path(".mnist-tracking/sagemaker.db")])


def test_files_of_a_step(inside: Workspace) -> None:
    runner = ExperimentRunner(inside, "lines")
    with runner.trial() as trial:
        trial.log_model(".", entry_point="train.py", source_dir=".")
        with pytest.raises(ConfigError, match="belongs to the home of an embedded SageMaker"):
            trial.log_artifact(".mnist-tracking/sagemaker.db")

    assert {"train.py", "library/__init__.py"} <= check_no_home(inside)


def test_artifacts_of_a_job(inside: Workspace) -> None:
    Path("logs.py").write_text(LOGS_A_FOLDER)
    submitted = ExperimentRunner(inside, "lines", job=JobSpec("logs.py")).submit()
    submitted.result()

    assert "made/rows.csv" in check_no_home(inside)
    said = [line.rpartition("/")[2] for line in submitted.logs() if "left out of the artifact" in line]
    assert said == [
        "dangling' is a link to 'nowhere', which does not exist, so it is left out of the artifact.",
        "fifo' is a FIFO, so it is left out of the artifact.",
        "home' is the home of an embedded SageMaker, so it is left out of the artifact.",
    ]


@pytest.mark.skipif(os.geteuid() == 0, reason="root can read every file")
@pytest.mark.parametrize("use", ["code", "dependency", "data", "model"])
def test_file_that_cannot_be_read_is_named(workspace: Workspace, project: Path, use: str) -> None:
    (project / "secret").write_text("mine")
    (project / "secret").chmod(0)

    with pytest.raises(ConfigError, match=r"secret' cannot be read, so it cannot be sent"):
        send(workspace, project, use)


def make_fifo(path: Path) -> None:
    os.mkfifo(path)


STRANGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "fifo": (make_fifo, "is a FIFO"),
    "broken": (lambda path: path.symlink_to("nowhere"), "is a link to 'nowhere', which does not exist"),
    "cycle": (lambda path: path.symlink_to(".."), "is a link to a folder that it is in"),
    "device": (lambda path: path.symlink_to("/dev/null"), "is a device"),
    os.fsdecode(b"a\xff"): (Path.touch, "has a name that is not UTF-8"),
}


@pytest.mark.parametrize("use", ["code", "dependency", "data", "input", "model", "script"])
@pytest.mark.parametrize("name", STRANGE)
def test_what_cannot_be_sent_is_named_before_anything_is(
    workspace: Workspace, project: Path, use: str, name: str
) -> None:
    make, said = STRANGE[name]
    make(project / "package" / name)

    with pytest.raises(ConfigError, match=rf"'.*/package/.*' {said}, so it cannot be sent"):
        send(workspace, project, use)
    assert [name for name in uploaded(workspace) if "train" in name] == []
    assert [trial.model_uri for trial in workspace.trials("lines")] in ([], [None])


def test_artifact_whose_name_is_not_utf_8_is_named(workspace: Workspace, tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"a\xff.csv")
    path.touch()

    said = "has a name that is not UTF-8, so it cannot be sent"
    with ExperimentRunner(workspace, "lines").step("Evaluation") as step, pytest.raises(ConfigError, match=said):
        step.log_artifact(path)


@pytest.mark.parametrize("use", ["code", "dependency", "data", "model"])
def test_home_itself_is_rejected(inside: Workspace, use: str) -> None:
    shutil.copy("train.py", ".mnist-tracking")

    with pytest.raises(ConfigError, match=r"'.*\.mnist-tracking' is the home of an embedded SageMaker"):
        send(inside, Path(".mnist-tracking"), use)


def send(workspace: Workspace, folder: Path, use: str) -> None:
    """Send a folder in one of the ways there are."""
    match use:
        case "code":
            ExperimentRunner(workspace, "lines", job=JobSpec("train.py", source_dir=folder)).run()
        case "dependency":
            job = JobSpec(folder / "train.py", dependencies=[folder])
            ExperimentRunner(workspace, "lines", job=job).run()
        case "data":
            ExperimentRunner(workspace, "lines").upload_dataset(folder)
        case "input":
            ExperimentRunner(workspace, "lines", job=JobSpec(folder / "train.py", inputs={"train": folder})).run()
        case "script":
            with ExperimentRunner(workspace, "lines").trial() as trial:
                trial.log_model(folder / "train.py", entry_point="train.py", source_dir=folder)
        case "model":
            with ExperimentRunner(workspace, "lines").trial() as trial:
                trial.log_model(folder)
