"""Models that were trained in this process: recorded with a trial, or handed over when they are deployed."""

import io
import tarfile
from pathlib import Path

import pytest

from mnist_tracking import (
    BestModelDeployer,
    ConfigError,
    ExperimentRunner,
    LocalTrial,
    NotFoundError,
    StateError,
    Workspace,
)
from mnist_tracking._aws.storage import split_uri

TIMES = """
import json, pathlib
def model_fn(model_dir): return float(pathlib.Path(model_dir, "factor").read_text())
def transform_fn(model, body, content_type, accept): return json.dumps(model * json.loads(body)), "application/json"
"""


@pytest.fixture
def recording(workspace: Workspace) -> ExperimentRunner:
    """A runner without a job."""
    return ExperimentRunner(workspace, "churn")


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "serving" / "inference.py"
    path.parent.mkdir()
    path.write_text(TIMES)
    return path


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "factor"
    path.write_text("7")
    return path


def names_in(workspace: Workspace, uri: str) -> list[str]:
    """The members of an archive in S3."""
    bucket, key = split_uri(uri)
    body = workspace.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(body)) as tar:
        return sorted(tar.getnames())


def answer(workspace: Workspace, trial: LocalTrial, **more: str | Path) -> object:
    with BestModelDeployer(workspace).deploy(
        trial.name,
        entry_point=more.get("entry_point"),
        source_dir=more.get("source_dir"),
        serializer="json",
    ) as endpoint:
        return endpoint.predict(6)


def test_a_model_with_its_script_is_deployed(
    recording: ExperimentRunner, workspace: Workspace, model: Path, script: Path
) -> None:
    with recording.trial({"C": 1.0}) as trial:
        uri = trial.log_model(model, entry_point=script)

    assert names_in(workspace, uri) == ["factor"]
    assert names_in(workspace, uri.replace("model.tar", "sourcedir.tar")) == ["inference.py"]
    assert answer(workspace, trial) == 42.0


def test_a_folder_is_sent_as_what_is_in_it(
    recording: ExperimentRunner, workspace: Workspace, model: Path, script: Path, tmp_path: Path
) -> None:
    """Of a link, what it points to."""
    folder = tmp_path / "model"
    (folder / "deep").mkdir(parents=True)
    (folder / "factor").symlink_to(model)
    (folder / "deep" / "more").write_text("")
    (script.parent / "helper.py").write_text("FACTOR = 2")
    script.write_text(TIMES.replace("return float", "import helper; return helper.FACTOR * float"))
    with recording.trial() as trial:
        uri = trial.log_model(folder, entry_point="inference.py", source_dir=script.parent)

    assert names_in(workspace, uri) == ["deep", "deep/more", "factor"]
    assert names_in(workspace, uri.replace("model.tar", "sourcedir.tar")) == ["helper.py", "inference.py"]
    model.unlink()
    assert answer(workspace, trial) == 84.0


@pytest.mark.parametrize("with_folder", [True, False])
def test_a_model_without_a_script_is_deployed_with_one(
    recording: ExperimentRunner, workspace: Workspace, model: Path, script: Path, *, with_folder: bool
) -> None:
    with recording.trial() as trial:
        trial.log_model(model)

    with pytest.raises(StateError, match=r"no script to serve it\. Pass entry_point=, a script with model_fn"):
        BestModelDeployer(workspace).deploy(trial.name)
    where = {"entry_point": script.name, "source_dir": script.parent} if with_folder else {"entry_point": script}
    assert answer(workspace, trial, **where) == 42.0


def test_a_model_logged_again_replaces_the_first(
    recording: ExperimentRunner, workspace: Workspace, model: Path, script: Path
) -> None:
    with recording.trial() as trial:
        trial.log_model(model, entry_point=script)
        model.write_text("8")
        trial.log_model(model)

    assert answer(workspace, trial) == 48.0


def test_the_code_of_another_model_may_answer(
    recording: ExperimentRunner, workspace: Workspace, model: Path, script: Path
) -> None:
    """An archive in S3 is a source_dir as well."""
    with recording.trial() as first:
        code = first.log_model(model, entry_point=script).replace("model.tar", "sourcedir.tar")
    with recording.trial() as second:
        second.log_model(model)

    assert answer(workspace, second, entry_point="inference.py", source_dir=code) == 42.0
    with pytest.raises(ConfigError, match="source_dir needs an entry_point"):
        answer(workspace, second, source_dir=code)
    with pytest.raises(NotFoundError, match="No object named 's3://nowhere/code"):
        answer(workspace, second, entry_point="inference.py", source_dir="s3://nowhere/code.tar.gz")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"path": "nothing"}, "The model '.*nothing' does not exist"),
        ({"path": "factor", "entry_point": "nothing.py"}, r"The entry point '.*nothing\.py' does not exist"),
        ({"path": "factor", "source_dir": "serving"}, "source_dir needs an entry_point"),
        ({"path": "factor", "source_dir": ".", "entry_point": "serving/inference.py"}, "not at the top of source_dir"),
    ],
)
def test_what_is_not_there_is_refused_before_anything_is_sent(
    recording: ExperimentRunner,
    workspace: Workspace,
    model: Path,
    script: Path,
    arguments: dict[str, str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(script.parents[1])
    with recording.trial() as trial, pytest.raises(ConfigError, match=message):
        trial.log_model(**arguments)

    assert "Contents" not in workspace.client("s3").list_objects_v2(Bucket=workspace.bucket)


def test_a_wrong_script_is_refused_before_anything_is_sent(
    recording: ExperimentRunner, workspace: Workspace, model: Path, script: Path
) -> None:
    with recording.trial() as trial:
        trial.log_model(model, entry_point=script)

    with pytest.raises(ConfigError, match=r"The entry point '.*nothing\.py' does not exist"):
        answer(workspace, trial, entry_point="nothing.py", source_dir=script.parent)
    with pytest.raises(ConfigError, match="not at the top of source_dir"):
        answer(workspace, trial, entry_point="serving/inference.py", source_dir=script.parents[1])
    assert workspace.client("sagemaker").list_models()["Models"] == []


def test_a_trial_that_goes_on_or_has_no_model_cannot_be_deployed(
    recording: ExperimentRunner, workspace: Workspace, model: Path
) -> None:
    deployer = BestModelDeployer(workspace)
    with recording.trial() as trial, pytest.raises(StateError, match="is InProgress; only a trial that has completed"):
        deployer.deploy(trial.name)
    with pytest.raises(StateError, match="has no model to deploy"):
        deployer.deploy(trial.name)

    workspace.client("sagemaker").create_trial(TrialName="empty", ExperimentName="churn")
    with pytest.raises(StateError, match="has no training, and so no model"):
        deployer.deploy("empty")
