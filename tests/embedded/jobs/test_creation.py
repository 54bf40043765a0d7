"""Jobs that are rejected when they are created, and programs that end while they create or stop one."""

import json
import subprocess
import sys
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.support.training_account import ROLE, WAITS, TrainingAccount

from mnist_tracking.embedded.jobs import launcher
from mnist_tracking.errors import UnsupportedOperationError

NOT_STARTED = (
    "InternalServerError: the job was not started: the program that created it ended, or its supervisor failed."
)
ALGORITHM = {"TrainingImage": "image", "TrainingInputMode": "File"}
NOTHING = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://bucket/nothing"}}
DIES = """
import json, os, signal, sys
from mnist_tracking.embedded.engine import EmbeddedSageMaker
from mnist_tracking.embedded.jobs import launcher
from mnist_tracking.embedded.services.sagemaker import training_jobs
home, where, request = sys.argv[1:]
def die(*_, **__): os.kill(os.getpid(), signal.SIGKILL)
setattr({"launcher": launcher, "training_jobs": training_jobs}[where.split(".")[0]], where.split(".")[1], die)
client = EmbeddedSageMaker(home).session().client("sagemaker")
name = json.loads(request)["TrainingJobName"]
client.stop_training_job(TrainingJobName=name) if "stop" in where else client.create_training_job(**json.loads(request))
"""


FORKS = """
import os, signal, sys
from pathlib import Path
from mnist_tracking._values.files import is_locked
from mnist_tracking.embedded.engine import EmbeddedSageMaker
from mnist_tracking.embedded.jobs.launcher import Launch, supervisor_lock
from mnist_tracking.embedded.supervision import SupervisorSettings
engine = EmbeddedSageMaker(sys.argv[1])
launch = Launch(engine.store, "job", SupervisorSettings.of(engine._context))
launch.prepare()
reading, writing = os.pipe()
helper = os.fork()
if not helper:
    os.write(writing, b"1")
    signal.pause()
os.read(reading, 1)
before = is_locked(supervisor_lock(engine.store, "job"))
launch.drop_lock()
print(before, is_locked(supervisor_lock(engine.store, "job")))
os.kill(helper, signal.SIGKILL)
os.wait()
"""


def dies_at(account: TrainingAccount, where: str) -> None:
    """Create or stop the job in a program that is killed at a function."""
    command = [sys.executable, "-c", DIES, str(account.engine.home), where, account.request()]
    assert subprocess.run(command, check=False).returncode == -9


def rejection(account: TrainingAccount, **more: Any) -> str:
    with pytest.raises(ClientError) as caught:
        account.sagemaker.create_training_job(**json.loads(account.request(**more)))
    error = caught.value.response["Error"]
    assert error["Code"] == "ValidationException"
    assert account.sagemaker.list_training_jobs()["TrainingJobSummaries"] == []
    return str(error["Message"])


def test_job_without_its_data_is_rejected(account: TrainingAccount) -> None:
    message = rejection(account, InputDataConfig=[{"ChannelName": "train", "DataSource": NOTHING}])

    assert message == (
        'No S3 objects found under S3 URL "s3://bucket/nothing" given in input data source. Please ensure that the '
        "bucket exists in the selected region, that objects exist under that S3 prefix, and that the role "
        f'"{ROLE}" has "s3:ListBucket" permissions on bucket "bucket".'
    )


@pytest.mark.parametrize("condition", [{}, {"MaxWaitTimeInSeconds": 3599}])
def test_spot_job_needs_time_to_wait_and_to_run(account: TrainingAccount, condition: dict[str, int]) -> None:
    stopping = {"MaxRuntimeInSeconds": 3600, **condition}
    message = rejection(account, EnableManagedSpotTraining=True, StoppingCondition=stopping)

    assert "Invalid MaxWaitTimeInSeconds" in message


def test_spot_job_that_waits_long_enough_runs(account: TrainingAccount) -> None:
    stopping = {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 3600}

    assert account.run(EnableManagedSpotTraining=True, StoppingCondition=stopping)["TrainingJobStatus"] == "Completed"


@pytest.mark.parametrize("member", ["ContainerEntrypoint", "ContainerArguments"])
def test_command_of_a_container_is_rejected_by_name(account: TrainingAccount, member: str) -> None:
    """It would replace the script, which must not run in its place."""
    request = json.loads(account.request(AlgorithmSpecification={**ALGORITHM, member: ["python", "train.py"]}))

    with pytest.raises(UnsupportedOperationError, match=f"with {member}"):
        account.sagemaker.create_training_job(**request)


def test_creation_that_was_not_committed_leaves_nothing(account: TrainingAccount) -> None:
    account.send()
    dies_at(account, "launcher.hold_lock")
    assert account.folder().exists()

    assert account.sagemaker.list_training_jobs()["TrainingJobSummaries"] == []
    assert account.run(name="next")["TrainingJobStatus"] == "Completed"
    assert not account.folder().exists()


def test_job_whose_creator_was_killed_before_its_start_fails(account: TrainingAccount) -> None:
    account.send()
    dies_at(account, "launcher.start_detached")

    assert account.describe()["FailureReason"] == NOT_STARTED
    assert account.component()["Status"]["PrimaryStatus"] == "Failed"


def test_job_whose_creator_was_interrupted_before_its_start_fails(
    account: TrainingAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The program that goes on holds no lock."""

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(launcher, "start_detached", interrupt)
    with pytest.raises(KeyboardInterrupt):
        account.submit()

    assert account.describe()["FailureReason"] == NOT_STARTED


def test_job_whose_stopper_was_killed_stops_at_the_next_look(account: TrainingAccount) -> None:
    """Its supervisor was not told."""
    account.submit(WAITS)
    account.follow()
    dies_at(account, "training_jobs.signal_stop")

    assert account.wait()["TrainingJobStatus"] == "Stopped"


def test_forked_helper_does_not_inherit_the_lock_of_a_new_job(account: TrainingAccount) -> None:
    """Such as a worker that another thread forks while a job is created: the job would seem to run for ever."""
    command = [sys.executable, "-W", "ignore", "-c", FORKS, str(account.engine.home)]

    assert subprocess.check_output(command, text=True) == "True False\n"
