"""A job's processes: they outlive the creator of the job, end together, and their loss is noticed."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from tests.support.processes import is_alive, until
from tests.support.training_account import WAITS, TrainingAccount

from mnist_tracking._values.files import is_locked
from mnist_tracking.embedded.jobs.launcher import supervisor_lock

LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux has subreapers")
LOST = "InternalServerError: the process that supervised this job was killed, or the machine was restarted."
PID = f"import os\nprint(os.getpid(), flush=True)\n{WAITS}"
DAEMON = """
import os, sys, threading
if os.fork() == 0:
    os.setsid()
    if os.fork(): os._exit(0)
    os.execve("/bin/sh", ["sh", "-c", "echo daemon $$; exec sleep 3600"], {"PATH": os.environ["PATH"]})
os.wait()
"""
CREATOR = """
import json, sys
from mnist_tracking.embedded.engine import EmbeddedSageMaker
home, request = sys.argv[1:]
try:
    EmbeddedSageMaker(home).session().client("sagemaker").create_training_job(**json.loads(request))
    print("created")
except Exception as error:
    print(type(error).__name__)
"""


def create_elsewhere(account: TrainingAccount, *names: str) -> list[str]:
    """Create jobs from separate processes, all at once; return the output of each."""
    requests = [account.request(name) for name in names]
    command = [sys.executable, "-c", CREATOR, str(account.engine.home)]
    processes = [
        subprocess.Popen([*command, request], stdout=subprocess.PIPE, text=True, start_new_session=True)
        for request in requests
    ]
    return [process.communicate()[0].strip() for process in processes]


def test_a_job_outlives_its_creator(account: TrainingAccount) -> None:
    account.send("import os\nwhile not os.path.exists('go'): pass\nprint('trained')")
    assert create_elsewhere(account, "job") == ["created"]
    until((account.ml() / "code").is_dir)
    (account.ml() / "code" / "go").touch()

    assert account.wait()["TrainingJobStatus"] == "Completed"
    assert account.log() == ["trained"]


def test_concurrent_jobs_cannot_share_a_name(account: TrainingAccount) -> None:
    """Without case, too, as SageMaker's names are."""
    account.send("print('trained')")
    said = create_elsewhere(account, "job", "job", "Job", "JOB")

    assert sorted(said) == ["ResourceInUse", "ResourceInUse", "ResourceInUse", "created"]
    assert account.wait()["TrainingJobStatus"] == "Completed"
    assert account.log() == ["trained"]


def test_job_fails_and_its_script_ends_when_its_supervisor_is_killed(account: TrainingAccount) -> None:
    account.submit(PID)
    account.follow()
    os.kill(account.supervisor(), signal.SIGKILL)
    job = account.wait()

    assert (job["TrainingJobStatus"], job["FailureReason"]) == ("Failed", LOST)
    assert account.component()["Status"] == {"PrimaryStatus": "Failed", "Message": LOST}
    until(lambda: not is_alive(int(account.log()[0])))
    assert not (account.folder() / "ml").exists()


def test_failure_reason_shows_why_the_supervisor_failed(account: TrainingAccount) -> None:
    account.submit(WAITS)
    account.follow()
    (account.folder() / "supervisor.log").write_text("Traceback ...\nsqlite3.OperationalError: disk is full\n")
    os.kill(account.supervisor(), signal.SIGKILL)

    assert account.wait()["FailureReason"] == f"{LOST} Its own log ends with: sqlite3.OperationalError: disk is full"


LOOKS: dict[str, Callable[[Any], str]] = {
    "ListTrainingJobs": lambda client: client.list_training_jobs()["TrainingJobSummaries"][0]["TrainingJobStatus"],
    "Search for jobs": lambda client: client.search(Resource="TrainingJob")["Results"][0]["TrainingJob"][
        "TrainingJobStatus"
    ],
    "Search for components": lambda client: client.search(Resource="ExperimentTrialComponent")["Results"][0][
        "TrialComponent"
    ]["Status"]["PrimaryStatus"],
    "DescribeTrialComponent": lambda client: client.describe_trial_component(TrialComponentName="job-aws-training-job")[
        "Status"
    ]["PrimaryStatus"],
    "ListTrialComponents": lambda client: client.list_trial_components()["TrialComponentSummaries"][0]["Status"][
        "PrimaryStatus"
    ],
}


@pytest.mark.parametrize("looks", LOOKS)
def test_every_operation_notices_a_lost_supervisor(account: TrainingAccount, looks: str) -> None:
    account.submit(WAITS)
    account.follow()
    os.kill(account.supervisor(), signal.SIGKILL)
    until(lambda: not is_locked(supervisor_lock(account.engine.store, "job")))

    assert LOOKS[looks](account.sagemaker) == "Failed"


def test_supervisor_killed_at_its_start_is_noticed(account: TrainingAccount) -> None:
    account.submit(WAITS)
    os.kill(account.supervisor(), signal.SIGKILL)

    assert account.wait()["FailureReason"] == LOST


def test_killed_supervisor_and_script_are_noticed(account: TrainingAccount) -> None:
    account.submit(WAITS)
    account.follow()
    script = account.script_pid()
    os.kill(account.supervisor(), signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):  # the guard may have done so
        os.kill(script, signal.SIGKILL)

    assert account.wait()["FailureReason"] == LOST


def test_children_of_the_script_end_with_it(account: TrainingAccount) -> None:
    """They hold its output open, and must not keep the job from ending."""
    script = f"import subprocess, sys\nprint(subprocess.Popen([sys.executable, '-c', {WAITS!r}]).pid, flush=True)"
    job = account.run(script)

    assert job["TrainingJobStatus"] == "Completed"
    assert not is_alive(int(account.log()[0]))


def daemon_of(account: TrainingAccount) -> int:
    """Wait until a job's daemon has printed its process id, and return it."""
    until(lambda: any(line.startswith("daemon") for line in account.log()))
    return int(next(line.split()[1] for line in account.log() if line.startswith("daemon")))


@LINUX
def test_daemon_ends_with_its_job(account: TrainingAccount) -> None:
    """Although it has its own session and an empty environment."""
    account.run(f"{DAEMON}\nimport sys\nsys.stdin.read()")

    assert account.describe()["TrainingJobStatus"] == "Completed"
    assert not is_alive(daemon_of(account))


@LINUX
def test_daemon_ends_when_its_supervisor_is_killed(account: TrainingAccount) -> None:
    """Even if nobody looks."""
    account.submit(f"{DAEMON}\n{WAITS}")
    account.follow()
    daemon, script = daemon_of(account), account.script_pid()
    os.kill(account.supervisor(), signal.SIGKILL)

    until(lambda: not is_alive(daemon) and not is_alive(script))
    assert account.wait()["FailureReason"] == LOST


@LINUX
def test_marked_daemon_ends_at_the_next_look_when_its_guard_was_killed_too(account: TrainingAccount) -> None:
    daemon_with_mark = DAEMON.replace('{"PATH": os.environ["PATH"]}', "os.environ")
    account.submit(f"{daemon_with_mark}\n{WAITS}")
    account.follow()
    daemon = daemon_of(account)
    os.killpg(os.getpgid(account.supervisor()), signal.SIGKILL)

    assert account.wait()["FailureReason"] == LOST
    until(lambda: not is_alive(daemon))


def test_job_ends_despite_a_child_in_another_group(account: TrainingAccount) -> None:
    child = f"import os\nos.setsid()\n{PID}"
    account.submit(
        "import subprocess, sys\n"
        f"child = subprocess.Popen([sys.executable, '-c', {child!r}])\nprint('child', child.pid, flush=True)\n"
    )
    job = account.wait()
    pid = int(next(line.split()[1] for line in account.log() if line.startswith("child")))
    if is_alive(pid):
        os.kill(pid, signal.SIGKILL)

    assert job["TrainingJobStatus"] == "Completed"


def test_deleting_the_home_ends_the_job(account: TrainingAccount) -> None:
    account.submit(PID)
    account.follow()
    script, supervisor = int(account.log()[0]), account.supervisor()
    account.folder().rename(account.engine.home / "gone")
    until(lambda: not is_alive(script) and not is_alive(supervisor))

    assert not account.folder().exists()
