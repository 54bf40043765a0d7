"""A trial as files: whole or not there, below its folder, and fetched once."""

import gc
import io
import json
import os
import resource
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.support.hostile import hostile_archives, write_hostile

from mnist_tracking import (
    AccessDeniedError,
    BestModelDeployer,
    ConfigError,
    ExperimentRunner,
    NotFoundError,
    StateError,
    Workspace,
)
from mnist_tracking._values.archives import unpack
from mnist_tracking.embedded import EmbeddedSageMaker, Fault


@pytest.fixture
def engine_settings(naps: list[float]) -> dict[str, Any]:
    return {"sleep": naps.append}


@pytest.fixture
def baseline(workspace: Workspace, tmp_path: Path) -> str:
    """A trial with a model of two files, an artifact, and an evaluation with one more."""
    model = tmp_path / "made"
    (model / "code").mkdir(parents=True)
    (model / "weights.txt").write_text("0.5")
    (model / "code" / "inference.py").write_text("pass")
    (tmp_path / "cm.png").write_bytes(b"png")
    runner = ExperimentRunner(workspace, "churn")
    with runner.trial({"C": 1.0}, name="baseline") as trial:
        trial.log_model(model)
        trial.log_artifact(tmp_path / "cm.png")
    with runner.step("Evaluation", trial="baseline") as step:
        step.log_artifact(tmp_path / "cm.png")
    return f"{runner.prefix}/jobs/baseline/output"


def files_in(folder: Path) -> dict[str, str]:
    """Return what a download wrote, by path, without its record and its ledger."""
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {name: path.read_text() for name, path in found.items() if name not in ("trial.json", ".download.jsonl")}


def put(workspace: Workspace, uri: str, body: bytes) -> None:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    workspace.client("s3").put_object(Bucket=bucket, Key=key, Body=body)


def packed(members: dict[str, bytes]) -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return archive.getvalue()


def test_a_trial_is_its_model_its_artifacts_and_its_record(workspace: Workspace, baseline: str, tmp_path: Path) -> None:
    trial = workspace.trial("baseline")
    evaluation = trial.steps[-1].name
    found = trial.download(tmp_path / "got")

    assert files_in(tmp_path / "got") == {
        "model/weights.txt": "0.5",
        "model/code/inference.py": "pass",
        "artifacts/cm.png": "png",
        f"steps/{evaluation}/artifacts/cm.png": "png",
    }
    assert found.model == tmp_path / "got" / "model"
    assert [(file.kind, file.path, file.size_bytes) for file in found.files] == [
        ("model", "model", 7),
        ("artifact", "artifacts/cm.png", 3),
        ("artifact", f"steps/{evaluation}/artifacts/cm.png", 3),
    ]
    record = json.loads((tmp_path / "got" / "trial.json").read_text())
    assert (record["schema_version"], record["hyperparameters"]) == (1, {"C": 1})
    assert [file["path"] for file in record["files"]] == [file.path for file in found.files]


def test_what_is_there_and_whole_is_not_fetched_again(workspace: Workspace, baseline: str, tmp_path: Path) -> None:
    trial, folder = workspace.trial("baseline"), tmp_path / "got"
    before = (trial.download(folder).fetched, files_in(folder))

    assert trial.download(folder).fetched == 0
    (folder / "artifacts" / "cm.png").write_text("p")
    (folder / "model" / "code" / "inference.py").unlink()
    assert trial.download(folder).fetched == 2
    assert (3, files_in(folder)) == before


def test_what_has_changed_takes_the_place_of_what_was(workspace: Workspace, baseline: str, tmp_path: Path) -> None:
    trial, folder = workspace.trial("baseline"), tmp_path / "got"
    trial.download(folder)
    put(workspace, f"{baseline}/model.tar.gz", packed({"other.txt": b"1"}))

    assert trial.download(folder).fetched == 1
    assert [name for name in files_in(folder) if name.startswith("model/")] == ["model/other.txt"]


def test_the_model_alone(workspace: Workspace, baseline: str, tmp_path: Path) -> None:
    found = workspace.trial("baseline").download(tmp_path / "got", model_only=True)

    assert set(files_in(tmp_path / "got")) == {"model/weights.txt", "model/code/inference.py"}
    assert found.fetched == 1
    assert workspace.trial("baseline").download(tmp_path / "got").fetched == 2


def test_a_model_that_is_not_there_is_said(workspace: Workspace, baseline: str, tmp_path: Path) -> None:
    with ExperimentRunner(workspace, "churn").trial(name="bare"):
        pass
    bucket, _, key = f"{baseline}/model.tar.gz".removeprefix("s3://").partition("/")
    workspace.client("s3").delete_object(Bucket=bucket, Key=key)

    with pytest.raises(StateError, match="'bare' has no model to download"):
        workspace.trial("bare").download(tmp_path / "bare", model_only=True)
    assert not (tmp_path / "bare").exists()
    assert workspace.trial("bare").download(tmp_path / "bare").model is None
    with pytest.raises(NotFoundError, match=r"No object named 's3://.*/model\.tar\.gz'"):
        workspace.trial("baseline").download(tmp_path / "got", model_only=True)
    rest = workspace.trial("baseline").download(tmp_path / "got")
    assert (rest.model, rest.missing, len(rest.files)) == (None, (f"{baseline}/model.tar.gz",), 3)


def test_only_a_folder_of_its_own_is_written_to(workspace: Workspace, baseline: str, tmp_path: Path) -> None:
    with ExperimentRunner(workspace, "churn").trial(name="other"):
        pass
    workspace.trial("other").download(tmp_path / "other")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "project" / "model").mkdir(parents=True)
    trial = workspace.trial("baseline")

    with pytest.raises(ConfigError, match="is a file"):
        trial.download(tmp_path / "file")
    with pytest.raises(ConfigError, match="contains files that are not from a download, such as 'model'"):
        trial.download(tmp_path / "project")
    with pytest.raises(ConfigError, match=r"contains another download: .*trial other"):
        trial.download(tmp_path / "other")
    with pytest.raises(ConfigError, match="cannot be created"):
        trial.download(tmp_path / "file" / "below")
    assert files_in(tmp_path / "other") == files_in(tmp_path / "project") == {}


@pytest.mark.parametrize(
    "archive",
    [
        packed({"../escaped.txt": b"1"}),
        packed({"/escaped.txt": b"1"}),
        packed({"a.txt": os.urandom(9999)})[:-9],
        packed({"a.txt": b"1"})[:-8] + bytes(8),
        b"no archive",
    ],
    ids=["climbs", "absolute", "truncated", "wrong checksum", "none"],
)
def test_an_archive_that_is_damaged_or_leaves_its_folder_is_refused(
    workspace: Workspace, baseline: str, tmp_path: Path, archive: bytes
) -> None:
    put(workspace, f"{baseline}/model.tar.gz", archive)

    with pytest.raises(StateError, match=r"archive 's3://.*model\.tar\.gz' cannot be unpacked"):
        workspace.trial("baseline").download(tmp_path / "got")
    assert files_in(tmp_path / "got") == {}
    assert not (tmp_path / "got" / "trial.json").exists()
    assert not (tmp_path / "escaped.txt").exists()


@pytest.mark.parametrize("name", ["path of 3952", "file replaced by a link, then linked"])
def test_a_model_made_to_escape_changes_nothing_outside(
    workspace: Workspace, baseline: str, tmp_path: Path, name: str
) -> None:
    """As with CVE-2025-4517, which `tarfile` does not notice: neither in a download nor when the SDK packs it again."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("mine")
    (tmp_path / "serve.py").write_text("def model_fn(folder): return 1")
    write_hostile(tmp_path / "evil.tar.gz", hostile_archives()[name], outside)
    put(workspace, f"{baseline}/model.tar.gz", (tmp_path / "evil.tar.gz").read_bytes())

    with pytest.raises(StateError, match=r"cannot be unpacked: its (member|hard link)"):
        workspace.trial("baseline").download(tmp_path / "got")
    with pytest.raises(StateError, match=r"cannot be packed with its code"):
        BestModelDeployer(workspace).deploy("baseline", entry_point=tmp_path / "serve.py")
    assert files_in(outside) == {"secret": "mine"}
    assert (outside / "secret").stat().st_nlink == 1


def test_a_full_disk_is_not_a_damaged_archive(
    workspace: Workspace, baseline: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    defaults = {**(unpack.__kwdefaults__ or {}), "reserve_bytes": 1 << 60}
    monkeypatch.setattr(unpack, "__kwdefaults__", defaults)

    with pytest.raises(StateError, match=r"folder .* cannot be written: disk full") as caught:
        workspace.trial("baseline").download(tmp_path / "got")
    assert caught.value.reason == "unwritable"


def test_no_key_and_no_link_leads_out_of_the_folder(workspace: Workspace, baseline: str, tmp_path: Path) -> None:
    bucket = baseline.removeprefix("s3://").split("/")[0]
    with ExperimentRunner(workspace, "churn").step("Report", trial="baseline") as step:
        step.log_output("pages", f"s3://{bucket}/pages")
    for key in ("pages/../../up.txt", "pages/sub/a?b#c.txt", "pages/", "pages/sub", "pages/x//y", "pages/x/y"):
        workspace.client("s3").put_object(Bucket=bucket, Key=key, Body=b"1")
    workspace.trial("baseline").download(tmp_path / "got")
    pages = f"steps/{step.component_name}/artifacts/pages"

    assert {name for name in files_in(tmp_path / "got") if pages in name} == {
        f"{pages}/%2E%2E/%2E%2E/up.txt",
        f"{pages}/sub",
        f"{pages}/sub%/a%3Fb#c.txt",
        f"{pages}/x/%/y",
        f"{pages}/x/y",
    }
    (tmp_path / "got" / "artifacts" / "cm.png").unlink()
    (tmp_path / "got" / "artifacts").rmdir()
    (tmp_path / "got" / "artifacts").symlink_to(tmp_path)
    with pytest.raises(ConfigError, match="is a symbolic link"):
        workspace.trial("baseline").download(tmp_path / "got")


def test_what_breaks_off_is_carried_on(
    engine: EmbeddedSageMaker, workspace: Workspace, baseline: str, tmp_path: Path
) -> None:
    trial, folder = workspace.trial("baseline"), tmp_path / "got"
    trial.download(folder, model_only=True)
    with (
        engine.inject(Fault("AccessDenied", operation="GetObject")),
        pytest.raises(AccessDeniedError, match=r"cm\.png"),
    ):
        trial.download(folder)

    assert not (folder / "trial.json").exists()
    assert set(files_in(folder)) == {"model/weights.txt", "model/code/inference.py"}
    assert trial.download(folder).fetched == 2


def test_what_may_not_be_read_is_named(
    engine: EmbeddedSageMaker, workspace: Workspace, baseline: str, tmp_path: Path
) -> None:
    with (
        engine.inject(Fault("403", operation="HeadObject", status=403)),
        pytest.raises(AccessDeniedError, match=rf"no permission to read {baseline}/model\.tar\.gz"),
    ):
        workspace.trial("baseline").download(tmp_path / "got")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # boto3 leaves the answer open
def test_a_full_disk_is_said_and_what_is_whole_stays(workspace: Workspace, baseline: str, tmp_path: Path) -> None:
    (tmp_path / "large.bin").write_bytes(bytes(3 << 20))
    with ExperimentRunner(workspace, "churn").step("Report", trial="baseline") as step:
        step.log_artifact(tmp_path / "large.bin")
    trial = workspace.trial("baseline")

    with _files_of_at_most(2 << 20), pytest.raises(StateError, match="cannot be written: File too large"):
        trial.download(tmp_path / "got")
    gc.collect()
    assert len(files_in(tmp_path / "got")) == 4
    assert trial.download(tmp_path / "got").fetched == 1


@contextmanager
def _files_of_at_most(size: int) -> Iterator[None]:
    """Have the system refuse to let any file grow larger, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_two_downloads_do_not_mix(workspace: Workspace, baseline: str, tmp_path: Path) -> None:
    trial: Any = workspace.trial("baseline")
    from mnist_tracking.reading.download.folder import opened_folder

    with (
        opened_folder(tmp_path / "got", {"trial": "baseline"}),
        pytest.raises(StateError, match="is being written by another download"),
    ):
        trial.download(tmp_path / "got")
    assert trial.download(tmp_path / "got").fetched == 3


def test_a_bucket_that_a_step_names_is_not_downloaded(workspace: Workspace, baseline: str, tmp_path: Path) -> None:
    """SageMaker's debugger records a whole bucket as its output."""
    bucket = baseline.removeprefix("s3://").split("/")[0]
    with ExperimentRunner(workspace, "churn").step("Debugging", trial="baseline") as step:
        step.log_output("slash", f"s3://{bucket}/")
        step.log_output("none", f"s3://{bucket}")
    found = workspace.trial("baseline").download(tmp_path / "got")

    assert (found.fetched, found.missing) == (3, ())
    assert {file.name for file in found.files}.isdisjoint({"slash", "none"})


def test_a_model_may_become_an_archive_or_a_folder(workspace: Workspace, baseline: str, tmp_path: Path) -> None:
    client, training = workspace.client("sagemaker"), workspace.trial("baseline").steps[0].name
    put(workspace, f"{baseline}/plain/weights.txt", b"1.5")
    put(workspace, f"{baseline}/plain/code/more.py", b"more")

    def download(model: str) -> dict[str, str]:
        outputs = {"SageMaker.ModelArtifact": {"Value": f"{baseline}/{model}"}}
        client.update_trial_component(TrialComponentName=training, OutputArtifacts=outputs)
        workspace.trial("baseline").download(tmp_path / "got")
        return {name: text for name, text in files_in(tmp_path / "got").items() if name.startswith("model/")}

    packed_files = {"model/weights.txt": "0.5", "model/code/inference.py": "pass"}
    assert download("model.tar.gz") == packed_files
    assert download("plain") == {"model/weights.txt": "1.5", "model/code/more.py": "more"}
    assert download("model.tar.gz") == packed_files


def test_what_a_killed_download_left_does_no_harm(workspace: Workspace, baseline: str, tmp_path: Path) -> None:
    workspace.trial("baseline").download(tmp_path / "got")
    (tmp_path / "got" / ".part" / "half").mkdir(parents=True)
    with (tmp_path / "got" / ".download.jsonl").open("a") as ledger:
        ledger.write('{"path": "model", "uri": "s3://')

    assert workspace.trial("baseline").download(tmp_path / "got").fetched == 0
    assert not (tmp_path / "got" / ".part").exists()
    assert workspace.trial("baseline").download(tmp_path / "got").fetched == 0
