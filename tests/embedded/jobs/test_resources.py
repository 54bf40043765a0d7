"""What jobs may use of this machine: shares of its processors, and slots for its GPUs, which need not exist here."""

import itertools
import json
import os
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.support.processes import until
from tests.support.training_account import WAITS, TrainingAccount

from mnist_tracking import ConfigError, Workspace
from mnist_tracking.embedded.engine import EmbeddedSageMaker
from mnist_tracking.embedded.jobs import resources
from mnist_tracking.embedded.jobs.resources import Machine, find_cpus, find_gpus

SHOWS = "import os\nprint(os.environ['CUDA_VISIBLE_DEVICES'], os.environ['SM_NUM_GPUS'], flush=True)\n"
THREADS = "import os\nprint(os.environ.get('OMP_NUM_THREADS'), os.environ['SM_NUM_CPUS'])\n"


def instances(kind: str = "ml.g5.xlarge", count: int = 1) -> dict[str, Any]:
    return {"ResourceConfig": {"InstanceType": kind, "InstanceCount": count, "VolumeSizeInGB": 1}}


@pytest.fixture
def machine() -> dict[str, Any]:
    """What the engine lets jobs use. Tests replace it by a parameter."""
    return {"gpus": 2}


@pytest.fixture
def account(tmp_path: Path, machine: dict[str, Any]) -> Iterator[TrainingAccount]:
    engine = EmbeddedSageMaker(tmp_path / "home", **machine)
    account = TrainingAccount(engine)
    yield account
    account.end_all()
    engine.close()


def first_line(account: TrainingAccount, name: str) -> str:
    until(lambda: account.log(name))
    return account.log(name)[0]


def is_pending(account: TrainingAccount, name: str) -> bool:
    return bool(account.describe(name)["SecondaryStatus"] == "Pending")


def test_each_job_has_a_gpu_of_its_own_and_the_next_one_waits_for_it(account: TrainingAccount) -> None:
    for name in ("first", "second", "third", "fourth"):
        account.submit(SHOWS + WAITS, name, **instances())
        if name in ("first", "second"):
            first_line(account, name)
    assert {first_line(account, name) for name in ("first", "second")} == {"0 1", "1 1"}
    until(lambda: is_pending(account, "third") and is_pending(account, "fourth"))
    freed = first_line(account, "second")
    account.stop("second")

    assert first_line(account, "third") == freed
    assert is_pending(account, "fourth")
    stages = [stage["Status"] for stage in account.describe("third")["SecondaryStatusTransitions"]]
    assert stages[:4] == ["Starting", "Pending", "Downloading", "Training"]


def test_a_job_without_a_gpu_sees_none_and_does_not_wait(account: TrainingAccount) -> None:
    account.submit(WAITS, "gpu", **instances("ml.g5.12xlarge"))
    account.follow(name="gpu")
    account.submit(WAITS, "waiting", **instances())
    until(lambda: is_pending(account, "waiting"))

    assert account.run(SHOWS, "cpu")["TrainingJobStatus"] == "Completed"
    assert account.log("cpu") == [" 0"]


@pytest.mark.parametrize(
    ("kind", "count", "expected"),
    [
        ("ml.g5.xlarge", 1, ["0 1"]),
        ("ml.g5.12xlarge", 1, ["0,1 2"]),  # four on AWS
        ("ml.g5.xlarge", 2, ["0 1", "1 1"]),
        ("ml.g5.xlarge", 3, [" 0"] * 3),  # no two hosts share one
    ],
)
def test_hosts_have_what_there_is(account: TrainingAccount, kind: str, count: int, expected: list[str]) -> None:
    assert account.run(SHOWS, **instances(kind, count))["TrainingJobStatus"] == "Completed"
    assert sorted(account.log()) == expected


def test_a_killed_supervisor_frees_its_gpus(account: TrainingAccount) -> None:
    account.submit(WAITS, "first", **instances("ml.p3.8xlarge"))
    account.follow(name="first")
    account.submit(SHOWS, "second", **instances())
    until(lambda: is_pending(account, "second"))
    os.kill(account.supervisor("first"), signal.SIGKILL)

    assert account.wait("second")["TrainingJobStatus"] == "Completed"
    assert account.log("second") == ["0 1"]


def test_a_waiting_job_whose_supervisor_was_killed_blocks_nobody(account: TrainingAccount) -> None:
    account.submit(WAITS, "first", **instances("ml.p3.8xlarge"))
    account.follow(name="first")
    for name in ("second", "third"):
        account.submit(SHOWS, name, **instances())
        until(partial(is_pending, account, name))
    os.kill(account.supervisor("second"), signal.SIGKILL)
    account.stop("first")

    assert account.wait("third")["TrainingJobStatus"] == "Completed"
    assert account.describe("second")["TrainingJobStatus"] == "Failed"


def test_a_waiting_job_is_stopped_at_once(account: TrainingAccount) -> None:
    account.submit(WAITS, "first", **instances("ml.p3.8xlarge"))
    account.follow(name="first")
    account.submit(WAITS, "second", **instances())
    until(lambda: is_pending(account, "second"))
    account.stop("second")

    assert account.wait("second")["TrainingJobStatus"] == "Stopped"
    assert "TrainingStartTime" not in account.describe("second")


@pytest.mark.parametrize("machine", [{"max_jobs": 1, "gpus": 0}])
def test_jobs_run_one_after_another_in_their_order(account: TrainingAccount) -> None:
    names = ["first", "second", "third"]
    for name in names:
        account.submit("", name, **instances())
    jobs = [account.wait(name) for name in names]

    assert [job["TrainingJobStatus"] for job in jobs] == ["Completed"] * 3
    assert all(one["TrainingEndTime"] <= other["TrainingStartTime"] for one, other in itertools.pairwise(jobs))


@pytest.mark.parametrize(
    ("machine", "count", "expected"),
    [
        ({"max_jobs": 1}, 1, str(find_cpus())),
        ({"max_jobs": 2}, 1, str(max(1, find_cpus() // 2))),
        ({"max_jobs": 4096}, 2, "1"),
    ],
)
def test_jobs_share_the_processors(account: TrainingAccount, count: int, expected: str) -> None:
    account.run(THREADS, **instances("ml.m5.xlarge", count))

    assert account.log() == [f"{expected} {expected}"] * count


def test_without_a_limit_a_job_has_all_processors(account: TrainingAccount) -> None:
    account.run(THREADS)

    assert account.log() == [f"None {os.cpu_count()}"]


@pytest.mark.parametrize("machine", [{"max_jobs": 2}])
def test_the_environment_of_a_job_comes_first(account: TrainingAccount) -> None:
    account.run(THREADS, Environment={"OMP_NUM_THREADS": "7"})

    assert account.log()[0].split()[0] == "7"


def test_several_engines_on_a_home_share_the_gpus(account: TrainingAccount) -> None:
    account.submit(WAITS, "first", **instances())
    account.follow(name="first")
    account.send(SHOWS)
    other = EmbeddedSageMaker(account.engine.home, gpus=2)
    other.session().client("sagemaker").create_training_job(**json.loads(account.request("second", **instances())))
    other.close()

    assert first_line(account, "second") == "1 1"


@pytest.mark.parametrize(
    ("visible", "count", "expected"),
    [
        ("2,3", None, ("2", "3")),
        (" GPU-7 , 1", None, ("GPU-7", "1")),
        ("", None, ()),
        ("-1", None, ()),
        ("0,-1,1", None, ("0",)),
        ("2,3", 1, ("2",)),
        ("2", 2, ("0", "1")),
        ("2", 0, ()),
        (None, 2, ("0", "1")),
    ],
)
def test_gpus_are_those_that_cuda_shows(
    monkeypatch: pytest.MonkeyPatch, visible: str | None, count: int | None, expected: tuple[str, ...]
) -> None:
    if visible is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)

    assert find_gpus(count) == expected


LISTED = (
    "GPU 0: NVIDIA H200 (UUID: GPU-ab-1)\n  MIG 1g.18gb Device 0: (UUID: MIG-cd)\nGPU 1: NVIDIA H200 (UUID: GPU-ab-2)"
)


@pytest.mark.parametrize(
    ("script", "expected"),
    [(f"echo '{LISTED}'", ("GPU-ab-1", "GPU-ab-2")), ("echo 'No devices'; exit 9", ()), ("exec sleep 60", ())],
)
def test_nvidia_smi_lists_the_gpus_and_may_fail(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str, expected: tuple[str, ...]
) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(resources, "_NVIDIA_S", 5.0 if expected else 0.2)
    resources._listed.cache_clear()

    assert find_gpus() == expected
    resources._listed.cache_clear()


@pytest.mark.parametrize("given", [{"gpus": -1}, {"max_jobs": 0}])
def test_silly_numbers_are_rejected_before_a_home_is_made(tmp_path: Path, given: dict[str, int]) -> None:
    (name,) = given
    with pytest.raises(ConfigError, match=f"{name}=.*; expected an integer >= "):
        Workspace.embedded(tmp_path / "home", **given)  # type: ignore[arg-type]
    assert not (tmp_path / "home").exists()


def test_a_share_is_at_least_one_thread() -> None:
    assert [Machine(8, (), jobs).threads(hosts) for jobs, hosts in ((1, 1), (3, 1), (2, 2), (9, 1))] == [8, 2, 2, 1]
