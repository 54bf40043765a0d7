"""A job is stopped, by its user or by its runtime limit, and what it saved is kept."""

import signal

import pytest
from botocore.exceptions import ClientError
from tests.support.processes import until
from tests.support.training_account import WAITS, TrainingAccount

from mnist_tracking.embedded.timing import EngineTiming

IGNORES = f"import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n{WAITS}"
SAVES = f"""
import os, signal, sys
def save(*_):
    open(os.environ["SM_MODEL_DIR"] + "/model", "w").write("so far")
    sys.exit()
signal.signal(signal.SIGTERM, save)
{WAITS}
"""


def ended(account: TrainingAccount, name: str = "job") -> tuple[str, str, str]:
    job = account.wait(name)
    return job["TrainingJobStatus"], job["SecondaryStatus"], account.component(name)["Status"]["PrimaryStatus"]


def test_job_can_be_stopped_before_its_script_starts(account: TrainingAccount) -> None:
    account.submit("print('started')")
    account.stop()

    assert ended(account) == ("Stopped", "Stopped", "Stopped")


def test_job_can_be_stopped_while_its_script_runs(account: TrainingAccount) -> None:
    account.submit(WAITS)
    account.follow()
    account.stop()

    assert ended(account) == ("Stopped", "Stopped", "Stopped")
    stages = [stage["Status"] for stage in account.describe()["SecondaryStatusTransitions"]]
    assert stages == ["Starting", "Downloading", "Training", "Stopping", "Uploading", "Stopped"]


@pytest.mark.parametrize("timing", [EngineTiming(sigterm=True, stop_grace_s=3600.0)])
def test_stopped_job_is_stopping_until_it_ends(account: TrainingAccount) -> None:
    account.submit(IGNORES)
    account.follow()
    account.stop()
    account.stop()

    assert account.describe()["TrainingJobStatus"] == "Stopping"
    assert account.component()["Status"]["PrimaryStatus"] == "Stopping"
    account.signal_script(signal.SIGKILL)
    assert ended(account) == ("Stopped", "Stopped", "Stopped")


@pytest.mark.parametrize("timing", [EngineTiming(sigterm=True, stop_grace_s=0.2)])
def test_script_that_ignores_sigterm_is_killed(account: TrainingAccount) -> None:
    account.submit(IGNORES)
    account.follow()
    account.stop()

    assert ended(account) == ("Stopped", "Stopped", "Stopped")


def test_script_gets_no_sigterm_as_on_aws(account: TrainingAccount) -> None:
    """aws/sagemaker-training-toolkit#125: the shell that starts the script does not pass the signal on."""
    account.submit(SAVES)
    account.follow()
    account.stop()

    assert ended(account) == ("Stopped", "Stopped", "Stopped")
    assert account.component()["OutputArtifacts"] == {}


@pytest.mark.parametrize("timing", [EngineTiming(stop_grace_s=3600.0)])
def test_script_without_signal_may_use_the_grace_time(account: TrainingAccount) -> None:
    account.submit(
        "import os, time\nprint('started', flush=True)\nwhile not os.path.exists('go'): time.sleep(0.01)\n"
        "open(os.environ['SM_MODEL_DIR'] + '/model', 'w').write('whole')"
    )
    account.follow()
    account.stop()
    (account.ml() / "code" / "go").touch()

    assert ended(account) == ("Stopped", "Stopped", "Stopped")
    assert account.members("jobs/job/output/model.tar.gz") == {"model": b"whole"}


@pytest.mark.parametrize("timing", [EngineTiming(sigterm=True, stop_grace_s=3600.0)])
def test_model_saved_on_sigterm_is_kept(account: TrainingAccount) -> None:
    account.submit(SAVES)
    account.follow()
    account.stop()

    assert ended(account) == ("Stopped", "Stopped", "Stopped")
    assert account.members("jobs/job/output/model.tar.gz") == {"model": b"so far"}
    assert "SageMaker.ModelArtifact" in account.component()["OutputArtifacts"]


def test_job_can_be_stopped_while_its_model_is_uploaded(account: TrainingAccount) -> None:
    """A job whose stop was accepted never ends as Completed."""
    account.submit("import os\nwith open(os.environ['SM_MODEL_DIR'] + '/model', 'wb') as file: file.truncate(1 << 28)")
    until(lambda: account.describe()["SecondaryStatus"] == "Uploading")
    account.stop()

    assert ended(account) == ("Stopped", "Stopped", "Stopped")
    assert "SageMaker.ModelArtifact" in account.component()["OutputArtifacts"]


@pytest.mark.parametrize("script", ["", "raise SystemExit(1)"])
def test_ended_job_cannot_be_stopped(account: TrainingAccount, script: str) -> None:
    status = account.run(script)["TrainingJobStatus"]

    with pytest.raises(account.sagemaker.exceptions.ClientError, match=f"the training job is in status {status}"):
        account.stop()
    assert account.describe()["TrainingJobStatus"] == status


@pytest.mark.parametrize("operation", ["stop_training_job", "describe_training_job"])
def test_a_job_that_does_not_exist_is_invalid(account: TrainingAccount, operation: str) -> None:
    """As on AWS, where it is no ResourceNotFound."""
    with pytest.raises(ClientError, match="Requested resource not found") as caught:
        getattr(account.sagemaker, operation)(TrainingJobName="gone")

    assert caught.value.response["Error"]["Code"] == "ValidationException"


@pytest.mark.parametrize(
    ("timing", "script"),
    [
        (EngineTiming(), WAITS),
        (EngineTiming(sigterm=True, stop_grace_s=3600.0), WAITS),
        (EngineTiming(sigterm=True, stop_grace_s=0.2), IGNORES),
    ],
    ids=["killed", "signalled", "ignores"],
)
def test_the_runtime_limit_ends_the_script(account: TrainingAccount, script: str) -> None:
    account.submit(script, StoppingCondition={"MaxRuntimeInSeconds": 1})

    assert ended(account) == ("Stopped", "MaxRuntimeExceeded", "Stopped")
