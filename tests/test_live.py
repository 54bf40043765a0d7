"""``scripts/live``, on the embedded SageMaker in place of an account: its guards, its recordings, and its deletions."""

import os
import re
import signal
import subprocess
import sys
from collections import Counter
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import Any

import pytest
from tests.support.recording import Recorder, load, save
from tests.support.replaying import Replay
from tests.support.rigs import embedded

from mnist_tracking import Workspace

ROOT = Path(__file__).parents[1]
MAIN = [sys.executable, "-c", "from mnist_tracking.cli import main; main()"]
ACCOUNT = {"MNIST_TRACKING_LIVE_ACCOUNT": "000000000000"}
ROLE = ["--role", "arn:aws:iam::000000000000:role/mnist-tracking-embedded"]
KINDS = (
    *("experiments", "trials", "trial_components", "artifacts", "associations"),
    *("models", "endpoint_configs", "endpoints"),
)


def live(home: Path, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run the script; its calls, and those of its tests, go to the embedded SageMaker in *home*."""
    return subprocess.run(
        [*MAIN, "--home", str(home), "exec", "--", sys.executable, str(ROOT / "scripts" / "live"), *ROLE, *arguments],
        env={**os.environ, "MNIST_TRACKING_LIVE_PAUSE_S": "0.02", **variables},
        capture_output=True,
        check=False,
        text=True,
    )


def content(home: Path) -> Counter[str]:
    """Count what there is, of each kind; jobs that run, too, since AWS deletes none."""
    found: Counter[str] = Counter()
    with Workspace.embedded(home) as workspace:
        client = workspace.client("sagemaker")
        for kind in KINDS:
            for page in client.get_paginator(f"list_{kind}").paginate():
                (items,) = (value for value in page.values() if isinstance(value, list))
                found[kind] += len(items)
        running = client.list_training_jobs(StatusEquals="InProgress")["TrainingJobSummaries"]
        found["running jobs"] = len(running)
        found["buckets"] = len(workspace.client("s3").list_buckets()["Buckets"])
    return +found


@pytest.fixture(scope="module")
def script() -> Any:
    """The script, as a module."""
    loader = SourceFileLoader("live", str(ROOT / "scripts" / "live"))
    spec = spec_from_loader("live", loader)
    assert spec is not None
    module = module_from_spec(spec)
    sys.modules["live"] = module  # attrs looks there
    loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("arguments", "variables", "reason"),
    [
        (["--yes"], {}, "set MNIST_TRACKING_LIVE_ACCOUNT to its ID first"),
        (["--yes"], {"MNIST_TRACKING_LIVE_ACCOUNT": "123456789012"}, "the credentials are those of account 0000000000"),
        (["--sweep-up"], ACCOUNT, "the prefix 'mt-live-' and the tag 'mnist-tracking:live'; add"),
        (["--sweep-up", "--yes"], {}, "set MNIST_TRACKING_LIVE_ACCOUNT to its ID first"),
    ],
)
def test_nothing_is_started_by_mistake(
    arguments: list[str], variables: dict[str, str], reason: str, tmp_path: Path
) -> None:
    done = live(tmp_path / "home", *arguments, **variables)

    assert done.returncode == 2
    assert reason in done.stderr
    assert content(tmp_path / "home") == {}


def test_the_cost_is_printed_before_anything_is_started(tmp_path: Path) -> None:
    done = live(tmp_path / "home", **ACCOUNT)

    assert "3 x training job on ml.m5.large, each for 300 s at most" in done.stdout
    assert "at most 0.11 USD in us-east-1, in account 000000000000" in done.stdout
    assert (done.returncode, done.stderr.splitlines()[-1]) == (2, "live: nothing was started; add --yes.")
    assert content(tmp_path / "home") == {}


def test_a_run_that_could_cost_more_is_not_started(script: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert 0 < script.cost() < script.LIMIT_USD

    monkeypatch.setattr(script, "BILLED", (("endpoint", "ml.m5.large", 1, 7 * 3600),))
    assert script.cost() > script.LIMIT_USD


def test_a_run_records_the_answers_and_leaves_nothing(script: Any, tmp_path: Path) -> None:
    """
    What is recorded on an embedded account is what an embedded SageMaker answers.

    One test fails, as one may on AWS: that of a role that does not exist. In an embedded account, every role exists.
    """
    modules = [f"tests/contract/test_{name}.py" for name in ("tags", "lineage", "jobs", "endpoints", "workflow")]
    recorded = tmp_path / "recorded"
    done = live(tmp_path / "home", "--yes", "--recorded", str(recorded), *modules, **ACCOUNT)

    assert done.returncode == 1, done.stdout
    assert re.findall(r"^FAILED \S+::(\w+)", done.stdout, re.MULTILINE) == ["test_a_job_needs_a_role_that_exists"]
    assert done.stdout.endswith("live: everything was deleted\n")
    assert content(tmp_path / "home") == {}

    found = {path.stem: load(path) for path in sorted(recorded.iterdir())}
    assert "mt-live-" not in str(found)
    assert len(found["test_tags"]) == 6
    different = []
    for module in found.values():
        for test, calls in module.items():
            with embedded(tmp_path / "again" / test) as rig:
                different += [(test, one) for one in Replay(rig).differences(calls)]
    assert {test for test, _ in different} == {"test_a_job_needs_a_role_that_exists"}

    with Workspace.embedded(tmp_path / "home") as workspace:
        jobs = workspace.client("sagemaker").list_training_jobs(MaxResults=100)["TrainingJobSummaries"]
        described = [
            workspace.client("sagemaker").describe_training_job(TrainingJobName=job["TrainingJobName"]) for job in jobs
        ]
    _, instance_type, most, longest_s = script.BILLED[0]
    started = [job for job in described if "that-does-not-exist" not in job["RoleArn"]]
    assert len(started) == most
    assert {job["ResourceConfig"]["InstanceType"] for job in started} == {instance_type}
    assert max(job["StoppingCondition"]["MaxRuntimeInSeconds"] for job in started) <= longest_s


def midway(home: Path, number: signal.Signals) -> "subprocess.CompletedProcess[str]":
    variables = {**ACCOUNT, "MIDWAY_SIGNAL": str(int(number))}
    return live(home, "--yes", "--recorded", str(home.parent / "recorded"), "tests/support/midway.py", **variables)


def test_a_terminated_run_leaves_nothing(tmp_path: Path) -> None:
    done = midway(tmp_path / "home", signal.SIGTERM)

    assert done.returncode != 0
    assert "live: everything was deleted" in done.stdout
    assert content(tmp_path / "home") == {}


def test_what_a_killed_run_left_is_swept_up_and_nothing_else(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with Workspace.embedded(home) as workspace:
        client = workspace.client("sagemaker")
        for name in ("digits", "mt-live-of-somebody"):  # the second has the prefix, and not the tag
            client.create_experiment(ExperimentName=name)
            client.create_trial_component(TrialComponentName=name)
            client.create_trial(TrialName=name, ExperimentName=name)
        client.create_artifact(ArtifactType="text/csv", Source={"SourceUri": "s3://a/b"})
        for name in ("mt-live-somebodys", "mt-live-abcdef"):
            workspace.client("s3").create_bucket(Bucket=name)
            workspace.client("s3").put_object(Bucket=name, Key="theirs", Body=b"")
    others = content(home)
    killed = midway(home, signal.SIGKILL)
    left = content(home) - others
    swept = live(home, "--sweep-up", "--yes", **ACCOUNT)

    assert killed.returncode == -signal.SIGKILL
    assert left == Counter([*KINDS, "trial_components", "running jobs", "buckets"])
    assert (swept.returncode, swept.stderr.splitlines()[1:]) == (0, [])
    assert content(home) == others


def test_what_would_tell_whose_account_it_was_is_not_recorded(tmp_path: Path) -> None:
    secrets = {"company-bucket": "contract", "123456789012": "000000000000", "run-1-": ""}
    with embedded(tmp_path / "home") as rig:
        recorder = Recorder(secrets)
        client: Any = rig.session.client("sagemaker")
        recorder.connect_first(client)
        client.meta.events.register("after-call", reveal)
        recorder.connect_last(client)
        client.create_experiment(ExperimentName="run-1-digits")
        client.describe_experiment(ExperimentName="run-1-digits")
    save(tmp_path, "module", "test", recorder)
    text = (tmp_path / "module.json").read_text()

    assert not any(secret in text for secret in ("123456789012", "ann", "AROA", "10-0-0-1", "company", "run-1", "2026"))
    assert load(tmp_path / "module.json")["test"][1]["response"]["CreatedBy"] == {}


def reveal(parsed: dict[str, Any], **_: object) -> None:
    parsed["Description"] = "s3://company-bucket/run-1-a on ip-10-0-0-1.ec2.internal, AROAABCDEFGHIJKLMNOP"
    parsed["CreatedBy"] = {"IamIdentity": {"Arn": "arn:aws:iam::123456789012:user/ann", "PrincipalId": "AROAXYZ123"}}
    parsed["Reason"] = "arn:aws:sts::123456789012:assumed-role/company/ann may not"


def test_a_recording_with_a_secret_is_not_written(tmp_path: Path) -> None:
    recorder = Recorder({"hush": "x"})
    recorder.calls.append({"service": "s3", "operation": "PutObject", "request": {"Key": "hush"}, "response": {}})

    with pytest.raises(AssertionError, match=r"not recorded, since test has \['hush'\]"):
        save(tmp_path, "module", "test", recorder)
    assert list(tmp_path.iterdir()) == []
