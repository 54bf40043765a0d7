"""Other users of the machine see and change nothing of a job, and its processes hold no secrets of its user's."""

import os
import stat
from pathlib import Path

import pytest
from tests.support.archives import archive
from tests.support.training_account import WAITS, TrainingAccount

PROC = Path("/proc")
SHELL = "#!/bin/sh\necho started\nsleep 3600"
SHOWS_UMASK = f"import os\nbefore = os.umask(0)\nos.umask(before)\nprint(oct(before))\n{WAITS}"


def parent_of(pid: int) -> int:
    return int((PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[1])


@pytest.mark.skipif(not (PROC / "self/environ").exists(), reason="only Linux shows the environment of processes")
def test_processes_of_a_job_hold_no_secrets(account: TrainingAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setenv("https_proxy", "http://user:secret@proxy")
    account.submit(WAITS)
    account.follow()
    supervisor = account.supervisor()
    environments = [
        (PROC / str(pid) / "environ").read_bytes() for pid in (account.script_pid(), supervisor, parent_of(supervisor))
    ]

    assert [b"secret" in environment for environment in environments] == [False, False, False]


def test_a_jobs_files_are_for_its_user_only(account: TrainingAccount) -> None:
    """Whatever the umask of the program that creates the job; what the script writes follows this umask."""
    before = os.umask(0o002)
    try:
        account.submit(SHOWS_UMASK)
        account.follow()
    finally:
        os.umask(before)
    modes = {
        path.relative_to(account.folder()).as_posix(): stat.S_IMODE(path.stat().st_mode)
        for path in (account.folder(), account.ml(), account.ml() / "model", *account.folder().glob("*.*"))
    }

    assert modes == {
        ".": 0o700,
        "ml/algo-1": 0o700,
        "ml/algo-1/model": 0o700,
        "supervisor.json": 0o600,
        "supervisor.lock": 0o600,
        "supervisor.log": 0o600,
    }
    assert "0o2" in account.log()


def test_an_entry_point_can_be_changed_by_its_user_only(account: TrainingAccount) -> None:
    """Another user could have added a line to the running script."""
    account.submit(code=archive({"run.sh": SHELL}), HyperParameters={"sagemaker_program": '"run.sh"'})
    account.follow()

    assert stat.S_IMODE((account.ml() / "code" / "run.sh").stat().st_mode) == 0o700
