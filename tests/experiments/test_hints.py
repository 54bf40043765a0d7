"""What a failed job's error says about a missing module or input channel."""

from pathlib import Path

import pytest

from mnist_tracking import ExperimentRunner, JobFailedError, JobSpec, Workspace
from mnist_tracking.experiments.hints import failure_hint, loss_hint

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
    with pytest.warns(UserWarning, match="imports 'neighbour', which is next to it but is not sent"):
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
        ("FileNotFoundError: [Errno 2] No such file or directory: '/opt/ml/model/w.pt'", ""),  # on AWS, perhaps
        ("mnist-tracking: '/opt/ml' is a path of SageMaker's containers; ...", "is a path of SageMaker's containers"),
        ("ModuleNotFoundError: No module named 'sagemaker_containers'", "scripts need not import"),
        ("ModuleNotFoundError: No module named 'src/train'", "The code has a setup.py"),
        ("/usr/bin/python: No module named src/train", "The code has a setup.py"),
        ("ModuleNotFoundError: No module named 'utils'", "If 'utils' is a file next to the script"),
        ("botocore.exceptions.NoCredentialsError: Unable to locate credentials", "The job has no AWS credentials"),
        ("train.py: error: unrecognized arguments: True", "JobSpec(arguments=['{amp:--amp}', ...])"),
        ("Got unexpected extra argument (True)", "JobSpec(arguments=['{amp:--amp}', ...])"),
        ("train.py: error: unrecognized arguments: --lr 0.1", "does not accept --lr."),
        ("Error: No such option: --lr", "does not accept --lr."),
        ("FATAL Flags parsing error: Unknown command line flag 'lr'", "does not accept --lr."),
        ("AlgorithmError: the entry point '/home/me/train.py' is not in the source archive.", "relative to source_dir"),
        ("ValueError: the data is upside down", ""),
        ("Writing to /opt/ml/model", ""),
    ],
)
def test_a_line_of_the_log_gives_it_away(line: str, said: str) -> None:
    hint = failure_hint([line], ["training"])

    assert said in hint
    assert bool(said) == bool(hint)


def test_lost_model_is_warned_of(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(
        "import os\npath = os.environ['SM_MODEL_DIR']\nos.rename(path, path + '2')\nos.symlink(path + '2', path)\n"
        "open(path + '/weights', 'w').close()"
    )
    runner = ExperimentRunner(workspace, "hints", job=JobSpec(tmp_path / "train.py"))

    with pytest.warns(UserWarning, match=r"'lost' has no model: '.*/model' was replaced by a link"):
        assert runner.run(name="lost").status == "Completed"


@pytest.mark.parametrize(
    ("line", "is_lost"),
    [
        ("mnist-tracking: /opt/ml/model of this machine is not the job's model folder, so ...", True),
        ("mnist-tracking: '/home/jobs/x/model/w' is a link to 'gone', which ..., so it is not in model.tar.gz.", True),
        ("/opt/ml/model of this machine is not the job's model folder", False),  # of the script itself
        ("mnist-tracking: another note", False),
    ],
)
def test_note_of_a_lost_model_is_found(line: str, is_lost: bool) -> None:
    assert bool(loss_hint(["trained", line])) == is_lost
