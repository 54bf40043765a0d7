"""Input channels: folders and files of this machine, and names that the job could not tell apart."""

from pathlib import Path
from typing import Any

import pytest
from tests.support.sent import Sent

from mnist_tracking import ConfigError, DatasetError, ExperimentRunner, JobSpec, StateError, Workspace

READS = """
import os
from pathlib import Path
for channel in ("TRAIN", "VAL"):
    folder = Path(os.environ[f"SM_CHANNEL_{channel}"])
    print("read", channel, sorted((str(path.relative_to(folder)), path.read_text()) for path in folder.rglob("*.csv")))
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder of data, and a file beside it."""
    (tmp_path / "train" / "deep").mkdir(parents=True)
    (tmp_path / "train" / "deep" / "rows.csv").write_text("1")
    (tmp_path / "val.csv").write_text("2")
    (tmp_path / "train.py").write_text(READS)
    return tmp_path


@pytest.fixture
def local_job(data: Path) -> JobSpec:
    return JobSpec(data / "train.py", inputs={"train": data / "train", "val": str(data / "val.csv")})


def uploads(sent: Sent) -> list[str]:
    """Return the names of the data files that were uploaded."""
    keys = [str(parameters["Key"]) for operation, parameters in sent if operation == "PutObject"]
    return [key.rpartition("/")[2] for key in keys if "/data/" in key]


def test_local_folders_and_files_are_channels(local_job: JobSpec, workspace: Workspace) -> None:
    """Each is a step of its own, whose output the training reads."""
    submitted = ExperimentRunner(workspace, "local", job=local_job).submit()
    trial = submitted.result()

    assert [line for line in submitted.logs() if line.startswith("read")] == [
        "read TRAIN [('deep/rows.csv', '1')]",
        "read VAL [('val.csv', '2')]",
    ]
    training, *data = sorted(trial.steps, key=lambda step: step.display_name, reverse=True)
    inputs = {item.name: item.uri for item in training.inputs}
    assert inputs == {item.name: item.uri for step in data for item in step.outputs}
    assert [len(str(step.parameters["fingerprint"])) for step in data] == [64, 64]


def test_unchanged_input_is_uploaded_once(local_job: JobSpec, workspace: Workspace, sent: Sent, data: Path) -> None:
    runner = ExperimentRunner(workspace, "local", job=local_job)
    for _ in range(2):
        runner.run()
    ExperimentRunner(workspace, "local", job=local_job).run()
    assert sorted(uploads(sent)) == ["rows.csv", "val.csv"]

    (data / "val.csv").write_text("3")
    runner.run()
    assert sorted(uploads(sent)) == ["rows.csv", "val.csv", "val.csv"]


def test_missing_input_is_rejected(data: Path) -> None:
    with pytest.raises(ConfigError, match=r"The input 'train' does not exist: '.*/trian' is not a file or folder"):
        JobSpec(data / "train.py", inputs={"train": data / "trian"})


def test_input_that_was_deleted_meanwhile_leaves_no_trial(local_job: JobSpec, workspace: Workspace, data: Path) -> None:
    runner = ExperimentRunner(workspace, "local", job=local_job)
    (data / "val.csv").unlink()

    with pytest.raises(DatasetError, match=r"val\.csv' does not exist"):
        runner.run()
    assert list(workspace.trials(experiment="local")) == []


@pytest.mark.parametrize("given", ["http://host/data", "", 1, None])
def test_what_is_no_location_is_rejected(data: Path, given: Any) -> None:
    with pytest.raises(ConfigError, match="expected an S3 location, 's3://bucket/prefix', the path of a folder"):
        JobSpec(data / "train.py", inputs={"train": given})


def test_channels_that_differ_in_case_alone_are_rejected(data: Path, workspace: Workspace) -> None:
    with pytest.raises(
        ConfigError, match=r"'train' and 'Train' differ in case alone: in the job, both would be SM_CHANNEL_TRAIN"
    ):
        JobSpec(data / "train.py", inputs={"train": "s3://bucket/a", "Train": "s3://bucket/b"})
    runner = ExperimentRunner(workspace, "cases", job=JobSpec(data / "train.py", inputs={"Training": "s3://bucket/a"}))
    runner.use_dataset("s3://bucket/b")
    with pytest.raises(ConfigError, match="'training' and 'Training' differ in case alone"):
        runner.run()


def test_hyperparameters_that_differ_in_case_alone_are_rejected(data: Path, workspace: Workspace) -> None:
    job = JobSpec(data / "train.py", hyperparameters={"lr": 0.1})

    with pytest.raises(ConfigError, match=r"'lr' and 'LR' differ in case alone: in the job, both would be SM_HP_LR"):
        ExperimentRunner(workspace, "cases", job=job).run({"LR": 0.2})


@pytest.mark.parametrize(
    ("entry_point", "said"),
    [
        ("{folder}/src/train.py", "expected a path relative to '.*/src', such as 'train.py'"),
        ("../outside.py", "such as 'train.py'"),
        ("src/train.py", "entry_point is relative to source_dir: pass 'train.py'"),
        ("my train.py", "SageMaker's toolkit runs scripts whose names have letters"),
        ("-train.py", "and do not begin with '-'"),
        ("deep/train.py", r"has a setup\.py, .* Pass source_dir='.*/src/deep' and entry_point='train.py'"),
    ],
)
def test_entry_point_that_no_job_finds_is_rejected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entry_point: str, said: str
) -> None:
    (tmp_path / "src" / "deep").mkdir(parents=True)
    for name in ("outside.py", "src/train.py", "src/my train.py", "src/-train.py", "src/deep/train.py", "src/setup.py"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)

    source_dir = "src" if entry_point == "src/train.py" else tmp_path / "src"
    with pytest.raises(ConfigError, match=said):
        JobSpec(entry_point.format(folder=tmp_path), source_dir=source_dir)


def test_trials_do_not_share_their_checkpoints(workspace: Workspace, data: Path) -> None:
    """Unless one resumes another; a trial without any is named."""
    (data / "train.py").write_text(
        "import pathlib, os\npath = pathlib.Path(os.environ['SM_MODEL_DIR']).parent / 'checkpoints' / 'epoch'\n"
        "path.parent.mkdir(exist_ok=True)\nprint('found', path.exists())\npath.touch()\n"
    )
    job = JobSpec(data / "train.py", estimator={"checkpoint_s3_uri": f"s3://{workspace.bucket}/checkpoints/"})
    runner = ExperimentRunner(workspace, "kept", job=job)
    first, second = runner.submit(name="first"), runner.submit(name="second")
    first.wait()
    third = runner.submit(name="third", resume_from="first")
    fourth = runner.submit(name="fourth", resume_from=third.wait())

    logs = [list(one.logs(follow=True)) for one in (first, second, third, fourth)]
    listed = workspace.client("s3").list_objects_v2(Bucket=workspace.bucket, Prefix="checkpoints")["Contents"]
    assert logs == [["found False"], ["found False"], ["found True"], ["found True"]]
    assert [item["Key"] for item in listed] == ["checkpoints/first/epoch", "checkpoints/second/epoch"]
    with pytest.raises(StateError, match="has no checkpoints: its job has no 'checkpoint_s3_uri'"):
        runner.submit(resume_from=ExperimentRunner(workspace, "bare", job=JobSpec(data / "train.py")).run())
