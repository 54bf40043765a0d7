"""What is sent: the calls of a workspace, recorded, and one workflow that makes all of them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mnist_tracking import BestModelDeployer, ExperimentRunner, JobSpec, Workspace
from mnist_tracking._aws.account import Account

Sent = list[tuple[str, dict[str, Any]]]


def record_calls(workspace: Account) -> Sent:
    """Return a list that every call of a new workspace is added to: its operation and its parameters."""
    calls: Sent = []
    workspace.boto_session.events.register(
        "before-parameter-build.*.*", lambda params, model, **_: calls.append((model.name, dict(params)))
    )
    return calls


def count_calls(workspace: Account, operation: str) -> list[str]:
    """Return a list that grows with each call of one operation."""
    calls: list[str] = []
    events = workspace.client("sagemaker").meta.events
    events.register_first(f"before-call.sagemaker.{operation}", lambda **_: calls.append(operation))
    return calls


def requests(sent: Sent, *operations: str) -> list[dict[str, Any]]:
    """Return the parameters of the calls of some operations; there is one at least."""
    found = [params for operation, params in sent if operation in operations]
    assert found
    return found


def at(request: Mapping[str, Any], path: str) -> Any:
    """Return what a request has at a dotted path; nothing is an empty mapping."""
    for name in path.split("."):
        request = request.get(name, {})
    return request


def whole_workflow(workspace: Workspace, job: JobSpec, place: Path, **deploying: Any) -> None:
    """Make one of everything, with a file that is large enough to be sent in parts."""
    data = place / "data"
    data.mkdir(exist_ok=True)
    (data / "rows.csv").write_text("1,2\n")
    (data / "large.bin").write_bytes(bytes(9 << 20))
    runner = ExperimentRunner(workspace, "lines", job=job)
    runner.upload_dataset(data)
    trial = runner.run({"slope": 1.0})
    with runner.step("Evaluation", trial=trial) as step:
        step.log_artifact(data / "rows.csv")
        step.log_table({"x": [1, 2]}, name="rows")
    with BestModelDeployer(workspace, **deploying).deploy(trial) as endpoint:
        endpoint.predict(np.array([1.0]))
