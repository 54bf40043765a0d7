"""Models and endpoints: what is reported for unknown ones, and what one endpoint answers."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.support.archives import archive
from tests.support.rigs import Rig

pytestmark = pytest.mark.needs("jobs")

SCRIPT = """
import json

def model_fn(model_dir):
    return 3

def input_fn(body, content_type):
    return [type(body).__name__, content_type]

def predict_fn(data, model):
    if data[1] == "text/csv":
        raise ValueError("too many fingers")
    return data

def output_fn(prediction, accept):
    return json.dumps(prediction)
"""
INSTANCE_TYPE = "ml.m5.large"


@pytest.fixture
def endpoint(rig: Rig) -> Iterator[str]:
    """An endpoint in service, deleted at once afterwards: it is billed by the second."""
    client = rig.sagemaker()
    environment = {"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"}
    data = rig.put("model.tar.gz", archive({"code/inference.py": SCRIPT}))
    container = {"Image": rig.image("inference"), "ModelDataUrl": data, "Environment": environment}
    client.create_model(ModelName="model", ExecutionRoleArn=rig.role, PrimaryContainer=container)  # type: ignore[arg-type]
    variant = {"VariantName": "AllTraffic", "ModelName": "model", "InitialInstanceCount": 1}
    variants: Any = [{**variant, "InstanceType": INSTANCE_TYPE}]
    client.create_endpoint_config(EndpointConfigName="config", ProductionVariants=variants)
    client.create_endpoint(EndpointName="endpoint", EndpointConfigName="config")
    try:
        assert rig.until(lambda: status(rig)) == "InService"
        yield "endpoint"
    finally:
        rig.until(
            lambda: None if status(rig) is None else True
        )  # AWS does not delete an endpoint that is being created
        client.delete_endpoint(EndpointName="endpoint")


def status(rig: Rig) -> str | None:
    """Return the status of the endpoint; None while it is being created."""
    found: str = rig.sagemaker().describe_endpoint(EndpointName="endpoint")["EndpointStatus"]
    return None if found == "Creating" else found


def test_unknown_ones_are_validation_errors(rig: Rig) -> None:
    """botocore's model declares no error for them."""
    client = rig.sagemaker()
    for call in (
        lambda: client.describe_endpoint(EndpointName="nowhere"),
        lambda: client.describe_endpoint_config(EndpointConfigName="nowhere"),
        lambda: client.describe_model(ModelName="nowhere"),
        lambda: client.delete_endpoint(EndpointName="nowhere"),
        lambda: client.delete_endpoint_config(EndpointConfigName="nowhere"),
        lambda: client.delete_model(ModelName="nowhere"),
    ):
        with pytest.raises(ClientError, match=r"Could not find .*nowhere") as missing:
            call()  # type: ignore[no-untyped-call]
        assert missing.value.response["Error"]["Code"] == "ValidationException"
    with pytest.raises(ClientError, match=r"Endpoint nowhere of account \d+ not found") as unknown:
        rig.client("sagemaker-runtime").invoke_endpoint(EndpointName="nowhere", Body=b"")
    assert unknown.value.response["Error"]["Code"] == "ValidationError"


def test_an_endpoint_decodes_bare_types_and_reports_what_a_model_raises(rig: Rig, endpoint: str) -> None:
    runtime: Any = rig.client("sagemaker-runtime")

    def ask(kind: str) -> Any:
        response = runtime.invoke_endpoint(EndpointName=endpoint, Body=b"{}", ContentType=kind)
        return json.loads(response["Body"].read())

    assert ask("application/json") == ["str", "application/json"]
    assert ask("application/json; charset=utf-8") == ["bytes", "application/json; charset=utf-8"]
    with pytest.raises(ClientError, match="too many fingers") as raised:
        ask("text/csv")
    error: Any = raised.value.response
    group = f"/aws/sagemaker/Endpoints/{endpoint}"
    assert (error["Error"]["Code"], error["OriginalStatusCode"]) == ("ModelError", 500)
    assert error["Error"]["Message"].startswith('Received server error (500) from primary with message "')
    assert f"#logEventViewer:group={group} in account" in error["Error"]["Message"]
    assert error["LogStreamArn"].endswith(group)
