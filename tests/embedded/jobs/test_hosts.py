"""A job on several hosts: the input of each, and the output of all."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.training_account import TrainingAccount

from mnist_tracking.embedded.engine import EmbeddedSageMaker
from mnist_tracking.embedded.jobs.hosts import hosts_of, resource_config
from mnist_tracking.errors import UnsupportedOperationError

LOOKS = """
import json, os
from pathlib import Path
host = os.environ["SM_CURRENT_HOST"]
base = Path(os.environ["SM_MODEL_DIR"]).parent
for folder in ("SM_MODEL_DIR", "SM_OUTPUT_DATA_DIR"):
    for name in ("both", host):
        Path(os.environ[folder], name).write_text(host)
files = {str(path.relative_to(base)): path.read_text() for path in (base / "input").rglob("*") if path.is_file()}
print(json.dumps({"host": host, "base": str(base), "env": dict(os.environ), "files": files}))
print(f"loss={host[-1]};")
Path(os.environ["SAGEMAKER_METRICS_DIRECTORY"], "1.json").write_text(
    json.dumps({"MetricName": "told", "Value": int(host[-1]), "Timestamp": 1.7e9})
)
"""
TWO = {"InstanceType": "ml.c5.xlarge", "InstanceCount": 2, "VolumeSizeInGB": 1}
GROUPS = [
    {"InstanceGroupName": "one", "InstanceType": "ml.m5.xlarge", "InstanceCount": 1},
    {"InstanceGroupName": "two", "InstanceType": "ml.c5.xlarge", "InstanceCount": 2},
]
METRICS = {
    "TrainingImage": "image",
    "TrainingInputMode": "File",
    "MetricDefinitions": [{"Name": "loss", "Regex": "loss=(.*?);"}],
}


def channel(name: str, **more: Any) -> dict[str, Any]:
    source = {"S3DataType": "S3Prefix", "S3Uri": "s3://bucket/data/", **more}
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}}


def run(account: TrainingAccount, **more: Any) -> dict[str, dict[str, Any]]:
    """Run a job that prints its environment on each host; return the output of each."""
    job = account.run(LOOKS, AlgorithmSpecification=METRICS, **more)
    assert (job["TrainingJobStatus"], job.get("FailureReason")) == ("Completed", None)
    told = [json.loads(line) for line in account.log() if line.startswith("{")]
    return {each["host"]: each for each in told}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrainingAccount]:
    """An account in which a job has run on two hosts."""
    engine = EmbeddedSageMaker(tmp_path_factory.mktemp("home"))
    account = TrainingAccount(engine)
    for name in ("a", "b", "c"):
        account.put(f"data/{name}", name)
    yield account
    engine.close()


@pytest.fixture(scope="module")
def seen(shared: TrainingAccount) -> dict[str, dict[str, Any]]:
    """The output of its hosts."""
    sharded = channel("shards", S3DataDistributionType="ShardedByS3Key")
    return run(shared, ResourceConfig=TWO, InputDataConfig=[channel("all"), sharded])


def test_each_host_has_its_own_variables(seen: dict[str, dict[str, Any]]) -> None:
    for host, looked in seen.items():
        env, resources = looked["env"], json.loads(looked["files"]["input/config/resourceconfig.json"])
        assert (env["SM_CURRENT_HOST"], env["CURRENT_HOST"], resources["current_host"]) == (host, host, host)
        assert json.loads(env["SM_HOSTS"]) == resources["hosts"] == ["algo-1", "algo-2"]
        assert json.loads(env["SM_RESOURCE_CONFIG"]) == resources
        assert json.loads(env["SM_TRAINING_ENV"])["is_master"] == (host == "algo-1")

    assert seen.keys() == {"algo-1", "algo-2"}
    assert len({looked["base"] for looked in seen.values()}) == 2


def test_all_hosts_have_the_same_rendezvous_address(seen: dict[str, dict[str, Any]]) -> None:
    """Host names do not resolve on one machine, so it is loopback, with a port reserved for the job."""
    told = {(looked["env"]["MASTER_ADDR"], looked["env"]["MASTER_PORT"]) for looked in seen.values()}

    assert [address for address, _ in told] == ["127.0.0.1"]
    assert {looked["env"]["SM_NETWORK_INTERFACE_NAME"] for looked in seen.values()} <= {"lo", "lo0"}


def test_a_channel_is_replicated_or_sharded_by_key(seen: dict[str, dict[str, Any]]) -> None:
    for looked in seen.values():
        assert [looked["files"][f"input/data/all/{name}"] for name in "abc"] == ["a", "b", "c"]
    shards = [
        [name.rpartition("/")[2] for name in looked["files"] if name.startswith("input/data/shards/")]
        for looked in seen.values()
    ]

    assert sorted(name for names in shards for name in names) == ["a", "b", "c"]
    assert sorted(map(len, shards)) == [1, 2]
    told = json.loads(seen["algo-2"]["files"]["input/config/inputdataconfig.json"])
    assert told["shards"]["S3DistributionType"] == "ShardedByS3Key"


@pytest.mark.usefixtures("seen")
def test_output_of_all_hosts_is_packed_into_one_archive(shared: TrainingAccount) -> None:
    """AWS's guide for algorithms asks hosts to use different names; here, the file of the later host wins."""
    files = {"algo-1": b"algo-1", "algo-2": b"algo-2", "both": b"algo-2"}

    assert shared.members("jobs/job/output/model.tar.gz") == files
    assert shared.members("jobs/job/output/output.tar.gz") == files


@pytest.mark.usefixtures("seen")
def test_each_host_has_a_log_stream(shared: TrainingAccount) -> None:
    found = shared.logs.describe_log_streams(
        logGroupName="/aws/sagemaker/TrainingJobs", logStreamNamePrefix="job/", orderBy="LogStreamName"
    )
    names = [stream["logStreamName"].rpartition("-")[0] for stream in found["logStreams"]]

    assert names == ["job/algo-1", "job/algo-2"]


@pytest.mark.usefixtures("seen")
def test_metrics_are_those_of_all_hosts(shared: TrainingAccount) -> None:
    told = {name: (value["Count"], value["Min"], value["Max"]) for name, value in shared.metrics().items()}

    assert told == {"loss": (2, 1.0, 2.0), "told": (2, 1.0, 2.0)}
    assert shared.component()["Parameters"]["SageMaker.InstanceCount"] == {"NumberValue": 2.0}


def test_the_hosts_of_instance_groups(account: TrainingAccount) -> None:
    """Hosts are numbered across groups; a channel can be limited to some groups."""
    account.put("data/a", "a")
    seen = run(
        account,
        ResourceConfig={"InstanceGroups": GROUPS, "VolumeSizeInGB": 1},
        InputDataConfig=[channel("all"), channel("some", InstanceGroupNames=["two"])],
    )
    told = {host: looked["env"] for host, looked in seen.items()}

    assert [told[host]["SM_CURRENT_INSTANCE_GROUP"] for host in sorted(told)] == ["one", "two", "two"]
    assert [told[host]["SM_CHANNELS"] for host in sorted(told)] == ['["all"]', '["all","some"]', '["all","some"]']
    assert told["algo-3"]["SM_CURRENT_INSTANCE_GROUP_HOSTS"] == '["algo-2","algo-3"]'
    assert told["algo-1"]["SM_CURRENT_INSTANCE_TYPE"] == "ml.m5.xlarge"
    assert told["algo-1"]["SM_IS_HETERO"] == "true"


def test_hosts_are_sorted_as_sagemaker_sorts_them() -> None:
    request = {"ResourceConfig": {**TWO, "InstanceCount": 11}}
    hosts = hosts_of(request)

    assert resource_config(request, hosts[0])["hosts"][:4] == ["algo-1", "algo-10", "algo-11", "algo-2"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"ResourceConfig": {**TWO, "InstanceCount": 0}}, "InstanceCount must be 1 or more: 0"),
        ({"ResourceConfig": {**TWO, "InstanceGroups": GROUPS}}, "but not both"),
        ({"ResourceConfig": {"InstanceGroups": GROUPS[:1] * 2, "VolumeSizeInGB": 1}}, "a unique InstanceGroupName"),
        (
            {"InputDataConfig": [channel("a", InstanceGroupNames=["two"])]},
            r"for instance groups \['two'\]; the job has",
        ),
    ],
)
def test_inconsistent_resources_are_rejected(account: TrainingAccount, more: dict[str, Any], said: str) -> None:
    with pytest.raises(account.sagemaker.exceptions.ClientError, match=said):
        account.submit(**more)

    assert account.sagemaker.list_training_jobs()["TrainingJobSummaries"] == []


def test_too_many_hosts_are_rejected(account: TrainingAccount) -> None:
    """Each host would be a process."""
    with pytest.raises(UnsupportedOperationError, match=r"on 1000000 instances.* 64 is the maximum"):
        account.submit(ResourceConfig={**TWO, "InstanceCount": 1_000_000})

    assert account.sagemaker.list_training_jobs()["TrainingJobSummaries"] == []
