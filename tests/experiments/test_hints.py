"""What a failed job's error says about a missing module or input channel."""

from pathlib import Path

import pytest

from mnist_tracking import ExperimentRunner, JobFailedError, JobSpec, Workspace
from mnist_tracking.experiments.hints import failure_hint

NEIGHBOUR = "import neighbour\n"
CHANNEL = "import os\nprint(os.listdir(os.environ['SM_CHANNEL_TRAIN']))\n"


def failure(workspace: Workspace, script: Path, code: str) -> str:
    script.write_text(code)
    runner = ExperimentRunner(workspace, "hints", job=JobSpec(str(script)))
    with pytest.raises(JobFailedError) as failed:
        runner.run()
    return str(failed.value)


def test_a_neighbour_that_was_not_sent_is_named_with_the_option(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "neighbour.py").touch()
    said = failure(workspace, tmp_path / "train.py", NEIGHBOUR)

    assert "If 'neighbour' is a file next to the script" in said
    assert "--source-dir ." in said


def test_a_missing_channel_is_named_with_those_there_are(workspace: Workspace, tmp_path: Path) -> None:
    said = failure(workspace, tmp_path / "train.py", CHANNEL)

    assert "The job has no input channel 'train'. It has no channels at all." in said
    assert "upload_dataset" in said


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("KeyError: 'SM_CHANNEL_TRAIN'", "no input channel 'train'. Its channels: 'training'"),
        ("FileNotFoundError: [Errno 2] No such file: '/opt/ml/input/data/val/x.csv'", "no input channel 'val'"),
        ("FileNotFoundError: [Errno 2] No such file: '/opt/ml/input/data/training/x.csv'", ""),  # the file is missing
        ("ValueError: the data is upside down", ""),
    ],
)
def test_a_line_of_the_log_gives_it_away(line: str, said: str) -> None:
    hint = failure_hint([line], ["training"])

    assert said in hint
    assert bool(said) == bool(hint)
