"""Updates of a job to its own trial component, as files in a folder."""

import json

import pytest
from tests.support.processes import until
from tests.support.training_account import WAITS, TrainingAccount

SAYS = """
import json, os
from pathlib import Path
folder = Path(os.environ["MNIST_TRACKING_UPDATES"])
def leave(name, text):
    (folder / "part").write_text(text)
    (folder / "part").rename(folder / f"{name}.json")
def say(name, **members):
    leave(name, json.dumps({"TrialComponentName": os.environ["TRAINING_JOB_NAME"] + "-aws-training-job", **members}))
"""


def parameters(account: TrainingAccount) -> dict[str, object]:
    """Those that the job has recorded."""
    told = account.component()["Parameters"].items()
    return {name: value.get("NumberValue") for name, value in told if not name.lower().startswith("sagemaker")}


def test_updates_are_applied_in_the_order_of_their_names(account: TrainingAccount) -> None:
    account.run(SAYS + "for n in range(3): say(n, Parameters={'lr': {'NumberValue': n}, f'n{n}': {'NumberValue': n}})")

    assert parameters(account) == {"lr": 2.0, "n0": 0.0, "n1": 1.0, "n2": 2.0}


def test_updates_are_applied_while_the_job_runs(account: TrainingAccount) -> None:
    account.submit(SAYS + "say(1, Parameters={'lr': {'NumberValue': 1}})\n" + WAITS)

    until(lambda: parameters(account) == {"lr": 1.0})
    assert account.describe()["TrainingJobStatus"] == "InProgress"


def test_updates_are_applied_when_the_job_fails(account: TrainingAccount) -> None:
    account.run(SAYS + "say(1, Parameters={'lr': {'NumberValue': 1}})\nraise SystemExit(1)")

    assert parameters(account) == {"lr": 1.0}
    assert account.component()["Status"]["PrimaryStatus"] == "Failed"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (json.dumps({"Parameters": {}}), "Missing required parameter"),
        (json.dumps({"TrialComponentName": "job-aws-training-job", "Nonsense": 1}), "Unknown parameter"),
        (json.dumps({"TrialComponentName": "another"}), "(ResourceNotFound)"),
        (json.dumps({"TrialComponentName": "-"}), "(ValidationException)"),
        ("[1]", "must be a mapping"),
        ("{", "Expecting"),
    ],
)
def test_rejected_update_is_logged_and_the_job_continues(account: TrainingAccount, text: str, reason: str) -> None:
    job = account.run(SAYS + f"leave(1, {text!r})\nsay(2, Parameters={{'lr': {{'NumberValue': 1}}}})")

    assert job["TrainingJobStatus"] == "Completed"
    assert [line for line in account.log() if "not recorded" in line and reason in line]
    assert parameters(account) == {"lr": 1.0}
