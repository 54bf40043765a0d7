"""Hyperparameters that are more than a number or a string: lists, mappings, paths, members of enumerations."""

import json
from enum import Enum
from pathlib import Path
from typing import Any

import pytest

from mnist_tracking import ConfigError, ExperimentRunner, HyperparameterSweep, JobSpec, Leaderboard, Workspace, where

SHOWS = "import json, os, sys\nprint('shown ' + json.dumps([sys.argv[1:], json.loads(os.environ['SM_HPS'])]))\n"


class Optimizer(Enum):
    SGD = "sgd"


GIVEN: dict[str, Any] = {
    "data": Path("data/train"),
    "layers": (64, 128),
    "optimizer": Optimizer.SGD,
    "schedule": {"name": "cosine", "steps": [1.0, 2], "warm": True},
    "text": "[64, 128]",
}
READ = {
    "data": "data/train",
    "layers": [64, 128],
    "optimizer": "sgd",
    "schedule": {"name": "cosine", "steps": [1.0, 2], "warm": True},
    "text": "[64, 128]",
}


@pytest.fixture
def job(tmp_path: Path) -> JobSpec:
    (tmp_path / "train.py").write_text(SHOWS)
    return JobSpec(tmp_path / "train.py")


def test_job_gets_them_as_sagemaker_passes_them(workspace: Workspace, job: JobSpec) -> None:
    """The toolkit's own forms are in its ``mapping.py``; `scripts/compare-toolkit.py` compares them."""
    submitted = ExperimentRunner(workspace, "kinds", job=job).submit(GIVEN, name="first")
    trial = submitted.result()
    (line,) = [line for line in submitted.logs() if line.startswith("shown ")]
    arguments, variable = json.loads(line.removeprefix("shown "))

    assert dict(zip(arguments[::2], arguments[1::2], strict=True)) == {
        "--data": "data/train",
        "--layers": "[64, 128]",
        "--optimizer": "sgd",
        "--schedule": "name=cosine,steps=[1.0, 2],warm=True",
        "--text": "[64, 128]",
    }
    assert variable == READ
    assert repr(trial.hyperparameters) == repr(READ)
    (found,) = workspace.trials("kinds", where=where.param("layers") == [64, 128])
    assert found.name == "first"
    assert list(workspace.trials("kinds", where=where.param("text") == [64, 128])) == []


def test_steps_and_local_trials_keep_them(workspace: Workspace) -> None:
    runner = ExperimentRunner(workspace, "kinds")
    with runner.trial(GIVEN, name="local") as trial:
        trial.log_parameters({"shape": [1, [2.0, None]]})
    board = Leaderboard.load(workspace, "kinds", objective="accuracy")

    assert repr(workspace.trial("local").hyperparameters["shape"]) == "[1, [2.0, None]]"
    assert {name: workspace.trial("local").hyperparameters[name] for name in READ} == READ
    assert board.dataframe()["param.layers"].tolist() == [[64, 128]]


def test_sweep_over_lists(workspace: Workspace, job: JobSpec) -> None:
    runner = ExperimentRunner(workspace, "kinds", job=job)
    board = HyperparameterSweep(runner, {"layers": [[64], [64, 128]]}).run()

    first, second = (trial.name for trial in board)
    (difference,) = workspace.compare(first, second).differences
    assert sorted(map(str, difference.values)) == ["[64, 128]", "[64]"]
    assert sorted(json.dumps(trial.hyperparameters["layers"]) for trial in board) == ["[64, 128]", "[64]"]


@pytest.mark.parametrize("value", [{1: "a"}, [float("nan")], {"a": [{1, 2}]}, {"a": object()}, b"bytes"])
def test_what_json_has_no_form_for_is_rejected(job: JobSpec, value: Any) -> None:
    with pytest.raises(ConfigError, match="expected a finite number, a string, a boolean, None, or a list or mapping"):
        job.merged({"layers": value})
