"""The reference workflow, by this library: what a user of an account does."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from botocore.model import OperationModel
from tests.support.namespace import LIVE_TAG
from tests.support.rigs import Rig
from tests.support.toy_job import TOY

from mnist_tracking import ExperimentRunner, JobSpec, Workspace
from mnist_tracking._aws.account import Timing

pytestmark = pytest.mark.needs("jobs")


def test_the_workflow_works_and_leaves_nothing(rig: Rig, tmp_path: Path) -> None:
    """
    Data, a step, a trial, its metrics and its lineage, a deployed model, and the end of all of them.

    No call is rejected, except those for the component of a job, which AWS creates some seconds after the job.
    """
    rejected: set[tuple[str, str]] = set()

    def see(parsed: dict[str, Any], model: OperationModel, **_: object) -> None:
        if error := parsed.get("Error"):
            rejected.add((model.name, error["Code"]))

    rig.session.events.register("after-call.*.*", see)
    data = tmp_path / "data"
    data.mkdir()
    (data / "rows.csv").write_text("1,2\n")
    quick = min(rig.pause_s, 2.0)
    workspace = Workspace.aws(
        boto_session=rig.session,
        role=rig.role,
        bucket=rig.bucket,
        prefix=f"{rig.prefix}workflow",
        tags={LIVE_TAG: rig.prefix},
        timing=Timing(poll_s=rig.pause_s, first_poll_s=quick, log_quiet_s=2 * quick),
    )
    job = JobSpec(
        "train.py",
        source_dir=TOY,
        metrics={"score": r"score=(\S+?);"},
        objective="score",
        instance_type="ml.m5.large",
        max_run_s=300,
    )
    runner = ExperimentRunner(workspace, f"{rig.prefix}lines", job=job)
    runner.upload_dataset(data)
    trial = runner.run({"slope": 1.0})
    with trial.deploy(instance_type="ml.m5.large") as endpoint:
        predicted = endpoint.predict(np.array([8.0]))

    assert trial.metrics["score"].last == 0.875
    assert predicted.tolist() == [7.0]
    assert [step.display_name for step in trial.steps] == ["Preprocessing", "Training", "Deployment"]
    assert trial.job_name in str(trial.lineage())
    runner.cleanup()
    assert rejected <= {("DescribeTrialComponent", "ResourceNotFound")}
    assert not [found for found in workspace.experiments() if found.name == f"{rig.prefix}lines"]
