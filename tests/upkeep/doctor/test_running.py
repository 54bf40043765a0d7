"""The doctor on what runs, and what it costs."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from tests.support.diagnoses import Answering, found, one

from mnist_tracking import (
    BestModelDeployer,
    ExperimentRunner,
    JobSpec,
    JobTimeoutError,
    Workspace,
)


def test_what_runs_is_listed_with_its_cost(workspace: Workspace, toy_job: Callable[..., JobSpec]) -> None:
    """
    Ours with how to end it, others' without; a type that is not in the table has no price.

    What runs on this machine costs nothing.
    """
    runner = ExperimentRunner(workspace, "lines", job=toy_job())
    dear = ExperimentRunner(workspace, "dear", job=toy_job(instance_type="ml.c7i.large"))
    with BestModelDeployer(workspace).deploy(runner.run()) as endpoint:
        endpoint.predict(np.array([1.0]))
        for one_runner in (runner, dear):
            with pytest.raises(JobTimeoutError):
                one_runner.run({"behaviour": "hang"}, timeout_s=0.0)
        here = {name: found(workspace, name) for name in ("running jobs", "training job", "endpoints", "endpoint")}
        on_aws = Workspace.aws(boto_session=workspace.boto_session)
        checks = {name: found(on_aws, name) for name in here}
        disown(workspace, endpoint.name)
        (others,) = found(on_aws, "endpoint")
        for one_runner in (runner, dear):
            one_runner.cleanup()

    assert checks["running jobs"][0].detail.startswith("2, about 0.23 USD per hour, and 1 of unknown price")
    assert {check.outcome for check in checks["training job"]} == {"warning"}
    assert sorted("price unknown" in check.detail for check in checks["training job"]) == [False, True]
    assert checks["endpoints"][0].detail.startswith("1, about 0.12 USD per hour (estimated")
    assert checks["endpoint"][0].remedy.endswith(f"workspace.endpoint({endpoint.name!r}).delete()")
    assert (others.outcome, others.remedy) == ("ok", "")
    assert others.detail.endswith("created by others.")
    assert here["running jobs"][0].detail == "2, on this machine."
    assert here["endpoints"][0].detail == "1, on this machine."
    assert not any(money in str(here) for money in ("USD", "price"))
    assert here["endpoint"][0].remedy == checks["endpoint"][0].remedy


def test_serverless_endpoints_and_those_that_vanish_meanwhile(answering: Answering) -> None:
    made = {"CreationTime": datetime(2026, 1, 2, 3, 4, tzinfo=UTC), "EndpointStatus": "InService"}
    arn = "arn:aws:sagemaker:us-east-1:000000000000:endpoint/"
    listed = [{**made, "EndpointName": name, "EndpointArn": arn + name} for name in ("here", "gone")]

    def describe(body: Mapping[str, str]) -> dict[str, Any]:
        if body["EndpointName"] == "gone":
            return {"Error": {"Code": "ValidationException", "Message": 'Could not find endpoint "gone".'}}
        return {"EndpointConfigName": "config", "ProductionVariants": [{"VariantName": "a"}]}

    variants = [{"VariantName": "a", "ServerlessConfig": {"MemorySizeInMB": 2048, "MaxConcurrency": 1}}]
    workspace = answering(
        {
            "sagemaker.ListEndpoints": lambda _: {"Endpoints": listed},
            "sagemaker.DescribeEndpoint": describe,
            "sagemaker.DescribeEndpointConfig": lambda _: {"ProductionVariants": variants},
            "sagemaker.ListTags": lambda _: {"Tags": []},
        }
    )

    assert one(workspace, "endpoint").detail == (
        "here: serverless, 0.00 USD per hour, since 2026-01-02 03:04, created by others."
    )


def test_a_warm_pool_costs_and_can_be_ended(answering: Answering) -> None:
    job = {
        "TrainingJobName": "warm",
        "TrainingJobArn": "arn:aws:sagemaker:us-east-1:000000000000:training-job/warm",
        "CreationTime": datetime(2026, 1, 2, tzinfo=UTC),
        "TrainingJobStatus": "Completed",
    }
    groups = [{"InstanceType": "ml.m5.large", "InstanceCount": 2}, {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1}]
    tags = [{"Key": "mnist-tracking:created-by", "Value": "mnist-tracking"}]
    workspace = answering(
        {
            "sagemaker.ListTrainingJobs": lambda body: {
                "TrainingJobSummaries": [job] if "WarmPoolStatusEquals" in body else []
            },
            "sagemaker.DescribeTrainingJob": lambda _: {"ResourceConfig": {"InstanceGroups": groups}},
            "sagemaker.ListTags": lambda _: {"Tags": tags},
        }
    )
    check = one(workspace, "warm pool")

    assert check.detail.startswith("warm: 2 ml.m5.large + 1 ml.m5.xlarge, 0.46 USD per hour")
    assert "'KeepAlivePeriodInSeconds': 0" in check.remedy


def disown(workspace: Workspace, endpoint: str) -> None:
    client = workspace.client("sagemaker")
    arn = client.describe_endpoint(EndpointName=endpoint)["EndpointArn"]
    client.delete_tags(ResourceArn=arn, TagKeys=["mnist-tracking:created-by"])
