"""The scripts of several hosts run together: they find each other, and end together when one fails."""

import os
import signal
from typing import Any

import pytest
from tests.embedded.jobs.test_supervision import LOST
from tests.support.processes import is_alive, until
from tests.support.training_account import WAITS, TrainingAccount

from mnist_tracking.embedded.containment import descendants
from mnist_tracking.embedded.jobs.hosts import ReservedPort
from mnist_tracking.embedded.timing import EngineTiming
from mnist_tracking.errors import UnsupportedOperationError

TWO = {"InstanceType": "ml.g5.xlarge", "InstanceCount": 2, "VolumeSizeInGB": 1}
TORCHRUN = {"sagemaker_torch_distributed_enabled": "true"}
HOST = "import os, sys, time\nhost = os.environ['SM_CURRENT_HOST']\n"
MEETS = f"""{HOST}
from multiprocessing.connection import Client, Listener
address = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
name = os.environ["SAGEMAKER_JOB_NAME"].encode()
if host == "algo-1":
    with Listener(address, authkey=name) as listener, listener.accept() as other:
        print("met", other.recv())
while host == "algo-2":
    try:
        with Client(address, authkey=name) as other:
            other.send(host)
            break
    except ConnectionRefusedError:
        time.sleep(0.01)
"""
REDUCES = """
import os
import torch
import torch.distributed as dist
dist.init_process_group("gloo")
total = torch.tensor(float(dist.get_rank() + 1))
dist.all_reduce(total)
print("sum", total.item(), "on", os.environ["SM_CURRENT_HOST"], flush=True)
dist.destroy_process_group()
"""
DIES = f"""{HOST}
print('started', host, flush=True)
if host == 'algo-2':
    while not os.path.exists('go'): time.sleep(0.01)
    raise SystemExit('the data are upside down')
{WAITS}
"""
PIDS = f"{HOST}print('pid', os.getpid(), flush=True)\n{WAITS}"
IGNORES = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
SAVES = f"""{HOST}
import signal
def save(*_):
    open(os.environ["SM_MODEL_DIR"] + "/" + host, "w").write("so far")
    sys.exit()
signal.signal(signal.SIGTERM, save)
print('started', host, flush=True)
{WAITS}
"""


def follow_both(account: TrainingAccount) -> None:
    for host in ("algo-1", "algo-2"):
        account.follow(f"started {host}")


def pids(account: TrainingAccount) -> list[int]:
    until(lambda: len([line for line in account.log() if line.startswith("pid")]) == 2)
    return [int(line.split()[1]) for line in account.log() if line.startswith("pid")]


def test_hosts_of_concurrent_jobs_find_their_own_job(account: TrainingAccount) -> None:
    for name in ("one", "two"):
        account.submit(MEETS, name, ResourceConfig=TWO)

    assert [account.wait(name)["TrainingJobStatus"] for name in ("one", "two")] == ["Completed"] * 2
    assert [account.log(name) for name in ("one", "two")] == [["met algo-2"]] * 2


def test_reserved_port_is_unique_and_can_be_listened_on() -> None:
    with ReservedPort() as one, ReservedPort() as two:
        assert one.number != two.number


def test_torchrun_starts_a_process_on_each_host(account: TrainingAccount) -> None:
    pytest.importorskip("torch")
    job = account.run(REDUCES, ResourceConfig=TWO, HyperParameters=TORCHRUN)

    assert (job["TrainingJobStatus"], job.get("FailureReason")) == ("Completed", None)
    assert {"sum 3.0 on algo-1", "sum 3.0 on algo-2"} <= set(account.log())


@pytest.mark.parametrize("timing", [EngineTiming(sigterm=True, stop_grace_s=3600.0)])
def test_host_that_fails_is_named_in_the_failure_reason(account: TrainingAccount) -> None:
    account.submit(DIES, ResourceConfig=TWO)
    follow_both(account)
    (account.ml(host="algo-2") / "code" / "go").touch()
    job = account.wait()

    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("AlgorithmError: ExecuteUserScriptError on algo-2:\nExitCode 1\n")
    assert "the data are upside down" in job["FailureReason"]


@pytest.mark.parametrize("timing", [EngineTiming(sigterm=True, stop_grace_s=0.2)])
def test_other_hosts_are_killed_if_they_ignore_sigterm(account: TrainingAccount) -> None:
    account.submit(IGNORES + DIES, ResourceConfig=TWO)
    follow_both(account)
    account.signal_script(signal.SIGKILL, host="algo-1")

    assert "on algo-1:\nExitCode -9 (killed by SIGKILL)" in account.wait()["FailureReason"]


def test_job_waits_for_all_hosts(account: TrainingAccount) -> None:
    account.submit(f"{HOST}if host == 'algo-1': raise SystemExit\n{DIES}", ResourceConfig=TWO)
    account.follow("started algo-2")
    until(lambda: len(descendants(account.supervisor())) == 1)

    assert account.describe()["TrainingJobStatus"] == "InProgress"
    (account.ml(host="algo-2") / "code" / "go").touch()
    assert "on algo-2" in account.wait()["FailureReason"]


@pytest.mark.parametrize("timing", [EngineTiming(sigterm=True, stop_grace_s=3600.0)])
def test_a_stop_reaches_all_hosts(account: TrainingAccount) -> None:
    account.submit(SAVES, ResourceConfig=TWO)
    follow_both(account)
    account.stop()

    assert account.wait()["TrainingJobStatus"] == "Stopped"
    assert account.members("jobs/job/output/model.tar.gz") == {"algo-1": b"so far", "algo-2": b"so far"}


def test_scripts_of_all_hosts_end_when_their_supervisor_is_killed(account: TrainingAccount) -> None:
    account.submit(PIDS, ResourceConfig=TWO)
    found = pids(account)
    os.kill(account.supervisor(), signal.SIGKILL)

    assert account.wait()["FailureReason"] == LOST
    until(lambda: not any(map(is_alive, found)))


def test_workers_in_other_process_groups_are_killed(account: TrainingAccount) -> None:
    """As the workers of torchrun do."""
    child = f"import os\nos.setsid()\n{IGNORES}{PIDS}"
    account.submit(
        f"import subprocess, sys\n{IGNORES}subprocess.run([sys.executable, '-c', {child!r}])", ResourceConfig=TWO
    )
    found = pids(account)
    account.stop()

    assert account.wait()["TrainingJobStatus"] == "Stopped"
    until(lambda: not any(map(is_alive, found)))


@pytest.mark.parametrize(
    ("word", "called"),
    [("mpi", "mpi"), ("distributed_dataparallel", "smdistributed"), ("pytorch_ddp", "pytorchddp")],
)
def test_unsupported_launcher_is_rejected(account: TrainingAccount, word: str, called: str) -> None:
    with pytest.raises(
        UnsupportedOperationError, match=f"with the distribution {called} .supported: torch_distributed"
    ):
        account.submit(HyperParameters={f"sagemaker_{word}_enabled": "true"})

    assert account.sagemaker.list_training_jobs()["TrainingJobSummaries"] == []


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"sagemaker_program": '"train.sh"'}, "Unsupported entry point type for torch_distributed: 'train.sh'"),
    ],
)
def test_torchrun_runs_only_python(account: TrainingAccount, more: dict[str, Any], said: str) -> None:
    with pytest.raises(account.sagemaker.exceptions.ClientError, match=said):
        account.submit(HyperParameters=TORCHRUN | more)
