"""Dimensions that are no hyperparameters: instance type, inputs and environment."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mnist_tracking import ConfigError, ExperimentRunner, HyperparameterSweep, JobSpec, Workspace
from mnist_tracking.experiments.sweep.applying import apply_point


def test_a_point_changes_the_job(toy_job: Callable[..., JobSpec], tmp_path: Path) -> None:
    job = toy_job(inputs={"data": "s3://bucket/a", "labels": "s3://bucket/l"}, environment={"KEPT": "1"})

    changed, hyperparameters = apply_point(
        job,
        {
            "slope": 2,
            "job:instance_type": "ml.g5.xlarge",
            "job:inputs.data": str(tmp_path),
            "job:environment.OMP_NUM_THREADS": 4,
            "job:environment.MODE": "fast",
            "job:environment.AMP": True,
        },
    )

    assert hyperparameters == {"slope": 2}
    assert changed.instance_type == "ml.g5.xlarge"
    assert changed.inputs == {"data": str(tmp_path), "labels": "s3://bucket/l"}
    assert changed.environment == {"KEPT": "1", "OMP_NUM_THREADS": "4", "MODE": "fast", "AMP": "true"}
    assert (changed.entry_point, changed.metrics) == (job.entry_point, job.metrics)


def test_a_point_of_hyperparameters_leaves_the_job_alone(toy_job: Callable[..., JobSpec]) -> None:
    job = toy_job()

    assert apply_point(job, {"slope": 2}) == (job, {"slope": 2})


@pytest.mark.parametrize(
    ("point", "said"),
    [
        ({"job:instance_type": 5}, "instance_type=5; expected a SageMaker instance type"),
        ({"job:inputs.data": 5}, "job:inputs.data=5; expected an S3 location, or the path"),
        ({"job:inputs.data": "no/such/folder"}, "'no/such/folder' is not a file or folder"),
    ],
)
def test_what_a_job_cannot_have_is_rejected(
    toy_job: Callable[..., JobSpec], point: dict[str, object], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        apply_point(toy_job(), point)  # type: ignore[arg-type]


def test_an_input_that_a_job_needs_may_vary(
    toy_job: Callable[..., JobSpec], workspace: Workspace, tmp_path: Path
) -> None:
    """The job alone lacks it; folders are uploaded for each trial."""
    for name in ("full", "small"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "rows.csv").write_text(name)
    runner = ExperimentRunner(workspace, "lines", job=toy_job(required_inputs=["data"]))
    folders = [str(tmp_path / "full"), str(tmp_path / "small")]

    board = HyperparameterSweep(runner, {"job:inputs.data": folders}).run()

    assert [trial.status for trial in board] == ["Completed", "Completed"]
    assert len({item.uri for trial in board for item in trial.steps[-1].inputs if item.name == "data"}) == 2
    with pytest.raises(ConfigError, match="needs the input 'data'"):
        HyperparameterSweep(runner, {"job:inputs.dat": folders}).run()
