from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.support.toy_job import TOY

from mnist_tracking import ExperimentRunner, JobSpec, Objective, Workspace
from mnist_tracking.cli.app import cli

METRICS = {"score": r"score=(\S+?);", "error": r"error=(\S+?);"}


@pytest.fixture
def ask(tmp_path: Path) -> Callable[..., Result]:
    """Runs a command line in the home of *workspace*."""

    def run(*arguments: str, stdin: str | bytes | None = None) -> Result:
        return CliRunner().invoke(cli, ["--home", str(tmp_path / "home"), *arguments], input=stdin)

    return run


@pytest.fixture
def lines(workspace: Workspace) -> ExperimentRunner:
    """An experiment with two trials that were computed right here: ``steep`` scores more than ``flat``."""
    job = JobSpec(entry_point="train.py", source_dir=TOY, metrics=METRICS, objective=Objective("score"))
    runner = ExperimentRunner(workspace, "lines", description="Fitted lines.", job=job, tags={"team": "cv"})
    with runner.step("Cleaning") as step:
        step.log_parameters({"rows": 100})
    for name, slope, score in (("flat", 1.0, 0.5), ("steep", 2.0, 0.9)):
        with runner.trial({"slope": slope, "optimizer": "sgd"}, name=name) as trial:
            trial.log_metric("score", score / 2)
            trial.log_metric("score", score)
    return runner
