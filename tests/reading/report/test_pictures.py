"""What the best trial recorded: confusion matrices and pictures, from S3 and from the output of a job."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support.pages import Page

from mnist_tracking import ExperimentRunner, JobSpec, Objective, Workspace
from mnist_tracking.embedded import EmbeddedSageMaker, Fault
from mnist_tracking.reading.report import pictures

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010800000000"
    "3a7e9b550000000a49444154789c63f80f0001010100"
    "1bb6ee560000000049454e44ae426082"
)
MATRIX = {"type": "ConfusionMatrix", "confusionMatrix": [[8, 2], [0, 5]]}
Recorded = Callable[..., Page]


def file(folder: Path, name: str, content: bytes | str) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_a_picture_and_a_matrix_are_shown(recorded: Recorded, tmp_path: Path) -> None:
    def fill(trial: Any) -> None:
        trial.log_artifact(file(tmp_path, "mistakes.png", PNG))
        trial.log_artifact(file(tmp_path, "confusion-matrix.json", json.dumps(MATRIX)))

    best = recorded(fill).section("best")
    image = best.one("img")
    table = best.one("div", class_="matrix").one("table")

    assert image["src"].startswith("data:image/png;base64,")
    assert image["alt"] == "mistakes-png, recorded by the step Training"
    assert table.cells == [["", "0", "1"], ["0", "8", "2"], ["1", "", "5"]]
    assert table.one("caption").text == (
        "Confusion matrix of Training: 13 of 15 right (86.67%). Rows are true classes."
    )


def test_the_charts_of_the_library_are_shown(recorded: Recorded) -> None:
    pytest.importorskip("sklearn")
    page = recorded(lambda trial: trial.log_confusion_matrix([0, 1, 1], [0, 1, 0]))

    assert page.section("best").one("div", class_="matrix").one("table").cells[1:] == [["0", "1", ""], ["1", "1", "1"]]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("confusion.json", "not JSON"),
        ("confusion.json", "[1, 2]"),
        ("confusion.json", '{"confusionMatrix": []}'),
        ("confusion.json", '{"confusionMatrix": [[1, 2]]}'),
        ("confusion.json", '{"confusionMatrix": [["a"]]}'),
        ("confusion.json", '{"confusionMatrix": [[-1]]}'),
        ("rows.json", json.dumps(MATRIX)),
        ("notes.txt", "a note"),
    ],
)
def test_other_files_are_left_alone(recorded: Recorded, tmp_path: Path, name: str, content: str) -> None:
    best = recorded(lambda trial: trial.log_artifact(file(tmp_path, name, content))).section("best")

    assert not best.all("img") + best.all(class_="matrix")
    assert "is not shown" not in best.text


def test_what_is_too_large_is_named(recorded: Recorded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "_MOST_BYTES", 100)

    def fill(trial: Any) -> None:
        trial.log_artifact(file(tmp_path, "large.png", PNG + bytes(100)))
        for name in ("first.png", "second.png"):
            trial.log_artifact(file(tmp_path, name, PNG))

    best = recorded(fill).section("best")

    assert [image["alt"].partition(",")[0] for image in best.all("img")] == ["first-png"]
    assert "large-png of step Training is not shown: it is larger than 0 KB." in best.text
    assert "second-png of step Training is not shown: the page would be too large." in best.text


def test_what_is_gone_is_named(workspace: Workspace, recorded: Recorded, tmp_path: Path) -> None:
    def fill(trial: Any) -> None:
        trial.log_artifact(file(tmp_path, "mistakes.png", PNG))
        trial.log_output("elsewhere.png", "s3://nowhere/elsewhere.png")
        found = workspace.client("s3").list_objects_v2(Bucket=workspace.bucket)["Contents"]
        for key in (item["Key"] for item in found if item["Key"].endswith(".png")):
            workspace.client("s3").delete_object(Bucket=workspace.bucket, Key=key)

    best = recorded(fill).section("best")

    assert "mistakes-png of step Training is not shown: it is no longer in S3." in best.text
    assert "elsewhere.png of step Training is not shown: it is no longer in S3." in best.text


def test_what_may_not_be_read_is_named(
    engine: EmbeddedSageMaker, workspace: Workspace, recorded: Recorded, tmp_path: Path
) -> None:
    recorded(lambda trial: trial.log_artifact(file(tmp_path, "mistakes.png", PNG)))
    with engine.inject(Fault("AccessDenied", service="s3", operation="HeadObject", times=None)):
        page = Page(workspace.report("one", tmp_path / "page.html", objective="accuracy"))

    assert "mistakes-png of step Training is not shown: " in page.section("best").text
    assert "no permission to read s3://" in page.section("best").text


@pytest.mark.parametrize("member", ["../outside.png", "/etc/outside.png", "missing.png"])
def test_a_file_outside_of_the_output_is_not_read(
    workspace: Workspace, trained: str, tmp_path: Path, member: str
) -> None:
    trial = workspace.trial("only")
    uri = next(artifact.uri for step in trial.steps for artifact in step.outputs if ".tar.gz#" in artifact.uri)
    with ExperimentRunner(workspace, trained).step("Evaluation", trial=trial) as step:
        step.log_output("outside.png", f"{uri.partition('#')[0]}#{member}")
    best = Page(workspace.report(trained, tmp_path / "page.html")).section("best")

    assert "outside.png of step Evaluation is not shown: it is not in the job's output." in best.text
    assert len(best.all("img")) == 1


SCRIPT = """
import base64
from mnist_tracking.job import log_artifact, log_metric
for epoch in range(3):
    log_metric("accuracy", 0.5 + epoch / 10, step=epoch)
open("mistakes.png", "wb").write(base64.b64decode("{png}"))
open("confusion.json", "w").write('{matrix}')
log_artifact("mistakes.png")
log_artifact("confusion.json")
"""


@pytest.fixture
def trained(workspace: Workspace, tmp_path: Path) -> str:
    """An experiment with a job that logged two files."""
    source = tmp_path / "source"
    source.mkdir()
    script = SCRIPT.format(png=base64.b64encode(PNG).decode(), matrix=json.dumps(MATRIX))
    (source / "train.py").write_text(script)
    job = JobSpec("train.py", source_dir=source, metrics=["accuracy"], objective=Objective("accuracy"))
    ExperimentRunner(workspace, "jobs", job=job).run({"lr": 0.1}, name="only")
    return "jobs"


def test_files_in_the_output_of_a_job_are_shown(workspace: Workspace, trained: str, tmp_path: Path) -> None:
    page = Page(workspace.report(trained, tmp_path / "page.html"))
    best = page.section("best")

    assert best.one("img")["alt"] == "mistakes.png, recorded by the step Training"
    assert best.one("div", class_="matrix").one("table").cells[1:] == [["0", "8", "2"], ["1", "", "5"]]
    assert page.data["curves"]["only"]["accuracy"] == [[0, 0.5], [1, 0.6], [2, 0.7]]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "it is no longer in S3"),
        (b"no archive", "its archive cannot be unpacked: truncated header"),
        (b"", "its archive cannot be unpacked"),
    ],
)
def test_a_damaged_output_is_named(
    workspace: Workspace, trained: str, tmp_path: Path, content: bytes | None, reason: str
) -> None:
    s3, bucket = workspace.client("s3"), workspace.bucket
    found = [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    (key,) = [key for key in found if key.endswith("output.tar.gz")]
    if content is None:
        s3.delete_object(Bucket=bucket, Key=key)
    else:
        s3.put_object(Bucket=bucket, Key=key, Body=content)
    best = Page(workspace.report(trained, tmp_path / "page.html")).section("best")

    assert f"mistakes.png of step Training is not shown: {reason}" in best.text
    assert not best.all("img")
