"""Links in a job's folders: what they point to is kept, and what would be lost on AWS is named in the log."""

from pathlib import Path

import pytest
from tests.support.training_account import TrainingAccount

LINKS = """
import os, pathlib
model, out = pathlib.Path(os.environ["SM_MODEL_DIR"]), pathlib.Path(os.environ["SM_OUTPUT_DATA_DIR"])
checkpoints = model.parent / "checkpoints"
(checkpoints / "best").mkdir(parents=True)
(checkpoints / "best" / "model.pth").write_text("weights")
(model / "own").write_text("own")
"""


def log(account: TrainingAccount) -> list[str]:
    """Return the notes in the log, with the job's folder as /opt/ml."""
    base = str(account.folder() / "ml" / "algo-1")
    return [line.removeprefix("mnist-tracking: ").replace(base, "/opt/ml") for line in account.log()]


@pytest.mark.parametrize(
    ("link", "members"),
    [
        ("(model / 'w').symlink_to(checkpoints / 'best' / 'model.pth')", {"w": b"weights"}),
        ("(model / 'w').symlink_to('../checkpoints/best')", {"w/model.pth": b"weights"}),
    ],
)
def test_what_a_link_out_of_the_model_points_to_is_kept(
    account: TrainingAccount, link: str, members: dict[str, bytes]
) -> None:
    job = account.run(f"{LINKS}\n{link}")

    assert job["TrainingJobStatus"] == "Completed"
    assert account.members("jobs/job/output/model.tar.gz") == {"own": b"own", **members}
    (line,) = log(account)
    assert line.startswith("'/opt/ml/model/w' is a link to '")
    assert "on AWS it may contain the link itself, which is broken" in line


def test_links_inside_the_model_are_its_files(account: TrainingAccount) -> None:
    account.run(f"{LINKS}\n(model / 'latest').symlink_to('own')")

    assert account.members("jobs/job/output/model.tar.gz") == {"own": b"own", "latest": b"own"}
    assert log(account) == []


def test_what_is_left_out_of_an_archive_is_named(account: TrainingAccount) -> None:
    account.run(f"{LINKS}\n(model / 'gone').symlink_to('nowhere')\nos.mkfifo(out / 'fifo')")

    assert account.members("jobs/job/output/model.tar.gz") == {"own": b"own"}
    assert log(account) == [
        "'/opt/ml/output/data/fifo' is a FIFO, so it is not in output.tar.gz.",
        "'/opt/ml/model/gone' is a link to 'nowhere', which does not exist, so it is not in model.tar.gz.",
    ]


def test_model_folder_that_is_a_link_is_named(account: TrainingAccount, tmp_path: Path) -> None:
    account.run(
        f"{LINKS}\nos.rename(model, {str(tmp_path / 'model')!r})\nmodel.symlink_to({str(tmp_path / 'model')!r})"
    )

    assert log(account) == ["'/opt/ml/model' was replaced by a link or a file, so nothing of it is kept."]


def test_linked_checkpoints_are_sent_and_others_named_once(account: TrainingAccount) -> None:
    code = f"{LINKS}\n(checkpoints / 'last').symlink_to('best')\nos.mkfifo(checkpoints / 'fifo')"
    account.run(code, CheckpointConfig={"S3Uri": "s3://bucket/checkpoints"})

    assert account.get("checkpoints/last/model.pth") == b"weights"
    assert log(account) == ["'/opt/ml/checkpoints/fifo' is a FIFO, so it is not sent with the checkpoints."]
