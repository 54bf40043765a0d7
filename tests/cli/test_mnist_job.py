"""``mnist-tracking run --mnist`` and ``sweep --mnist``: the CNN that is built in."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from tests.support.digits import write_idx_dataset

from mnist_tracking import Workspace
from mnist_tracking.training.hyperparameters import known_hyperparameters

Ask = Callable[..., Result]
CNN = ("--mnist", "-e", "digits", "--param", "epochs=1")


def test_a_sweep_trains_the_cnn_on_data_that_are_checked_and_ranks_by_its_objective(
    ask: Ask, workspace: Workspace, tmp_path: Path
) -> None:
    data = write_idx_dataset(tmp_path / "data")
    result = ask("sweep", *CNN, "--data", str(data), "--grid", "hidden_channels=2,3", "--format", "json")
    board = json.loads(result.stdout)
    steps = workspace.trial(board[0]["name"]).steps

    assert result.exit_code == 0, result.stderr
    assert "Data: Custom data: 300 training and 100 test images" in result.stderr
    assert sorted(trial["hyperparameters"]["hidden_channels"] for trial in board) == [2, 3]
    assert all(trial["objective"] == trial["metrics"]["validation:accuracy"]["max"] for trial in board)
    assert steps[0].parameters["train_images"] == 300


def test_its_hyperparameters_are_listed_by_help(ask: Ask) -> None:
    for command in ("run", "sweep"):
        told = ask(command, "--help").stdout.partition("Hyperparameters of --mnist:")[2]

        assert [line.split()[0] for line in told.splitlines() if line[2:3].strip()] == [*known_hyperparameters()]


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        ((*CNN, "--param", "hiden_channels=2"), 1, "Did you mean 'hidden_channels'?"),
        ((*CNN, "--param", "dropout=2"), 1, "'dropout' is 2, but must be a number"),
        (("train.py", *CNN), 2, "--mnist has its own script and metrics; omit ENTRY_POINT."),
        ((*CNN, "--metric", "f1"), 2, "omit --metric"),
        (("-e", "digits"), 2, "Pass ENTRY_POINT, a script, or --mnist for the built-in CNN."),
        ((*CNN, "--data", "nowhere"), 1, "'nowhere' is neither a folder nor an S3 URI."),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_made(
    ask: Ask, tmp_path: Path, arguments: tuple[str, ...], status: int, said: str
) -> None:
    result = ask("run", *arguments)

    assert result.exit_code == status
    assert said in result.stderr
    assert not (tmp_path / "home").exists()


def test_data_that_are_wrong_make_no_experiment(ask: Ask, workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    result = ask("run", *CNN, "--data", str(tmp_path / "empty"))

    assert result.exit_code == 1
    assert not workspace.experiments()
