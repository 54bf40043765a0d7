"""Models, configurations and endpoints, and the responses of endpoints."""

import pytest
from botocore.exceptions import ClientError
from tests.support.hosting_account import ROLE, TIMES, HostingAccount
from tests.support.processes import until


def test_endpoint_responds_with_the_users_handlers(account: HostingAccount) -> None:
    described = account.deploy()

    assert described["EndpointStatus"] == "InService"
    assert described["ProductionVariants"][0]["VariantName"] == "AllTraffic"
    response = account.runtime.invoke_endpoint(EndpointName="digits", Body=b"14", ContentType="application/json")
    assert response["Body"].read() == b"42"
    assert response["ContentType"] == "application/json"
    assert response["InvokedProductionVariant"] == "AllTraffic"


def test_model_is_described_as_created(account: HostingAccount) -> None:
    account.make_model(Environment={"A": "1"})

    described = account.sagemaker.describe_model(ModelName="digits")
    assert described["ModelArn"].endswith(":model/digits")
    assert described["ExecutionRoleArn"] == ROLE
    expected = {"Image": "image", "ModelDataUrl": "s3://models/digits", "Environment": {"A": "1"}}
    assert described["PrimaryContainer"] == expected
    assert [model["ModelName"] for model in account.sagemaker.list_models()["Models"]] == ["digits"]


def test_configuration_is_described_as_created(account: HostingAccount) -> None:
    account.make_model()

    described = account.sagemaker.describe_endpoint_config(EndpointConfigName="digits")
    assert described["ProductionVariants"][0]["ModelName"] == "digits"
    configs = account.sagemaker.list_endpoint_configs(NameContains="DIG")["EndpointConfigs"]
    assert [config["EndpointConfigName"] for config in configs] == ["digits"]


@pytest.mark.parametrize(
    ("kind", "operation", "argument"),
    [
        ("model", "describe_model", "ModelName"),
        ("model", "delete_model", "ModelName"),
        ("endpoint configuration", "describe_endpoint_config", "EndpointConfigName"),
        ("endpoint configuration", "delete_endpoint_config", "EndpointConfigName"),
        ("endpoint", "describe_endpoint", "EndpointName"),
        ("endpoint", "delete_endpoint", "EndpointName"),
    ],
)
def test_missing_resources_are_not_found(account: HostingAccount, kind: str, operation: str, argument: str) -> None:
    with pytest.raises(ClientError, match=rf'Could not find {kind} "arn:aws:sagemaker:.*/nothing"\.') as error:
        getattr(account.sagemaker, operation)(**{argument: "nothing"})

    assert error.value.response["Error"]["Code"] == "ValidationException"


def test_taken_name_is_rejected_in_any_case(account: HostingAccount) -> None:
    account.make_model()

    with pytest.raises(ClientError, match=r'Cannot create already existing model ".*:model/digits"'):
        account.sagemaker.create_model(ModelName="Digits", PrimaryContainer={"Image": "image"})


def test_endpoint_with_a_taken_name_is_rejected(account: HostingAccount) -> None:
    account.make_model()
    account.sagemaker.create_endpoint(EndpointName="digits", EndpointConfigName="digits")

    with pytest.raises(ClientError, match=r'Cannot create already existing endpoint ".*:endpoint/digits"'):
        account.sagemaker.create_endpoint(EndpointName="digits", EndpointConfigName="digits")


def test_endpoint_needs_the_data_of_its_model(account: HostingAccount) -> None:
    account.make_model()
    account.s3.delete_object(Bucket="models", Key="digits")

    with pytest.raises(ClientError, match="Could not find model data at s3://models/digits"):
        account.sagemaker.create_endpoint(EndpointName="digits", EndpointConfigName="digits")
    assert account.sagemaker.list_endpoints()["Endpoints"] == []
    assert account.folders() == []


def test_a_configuration_needs_its_model(account: HostingAccount) -> None:
    variant = {"VariantName": "v", "ModelName": "nothing", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}

    with pytest.raises(ClientError, match=r'Could not find model ".*:model/nothing"'):
        account.sagemaker.create_endpoint_config(EndpointConfigName="c", ProductionVariants=[variant])


def test_model_with_unpacked_data_is_served(account: HostingAccount) -> None:
    account.make_model("other")
    account.s3.put_object(Bucket="models", Key="open/code/inference.py", Body=TIMES.encode())
    source = {"S3Uri": "s3://models/open/", "S3DataType": "S3Prefix", "CompressionType": "None"}
    container = {"Image": "image", "ModelDataSource": {"S3DataSource": source}}
    account.sagemaker.delete_model(ModelName="other")
    account.sagemaker.create_model(ModelName="other", ExecutionRoleArn=ROLE, PrimaryContainer=container)
    account.sagemaker.create_endpoint(EndpointName="digits", EndpointConfigName="other")
    account.sagemaker.get_waiter("endpoint_in_service").wait(
        EndpointName="digits", WaiterConfig={"Delay": 0, "MaxAttempts": 100_000}
    )

    assert account.ask("2") == "6"


def test_an_endpoint_outlives_its_model_and_its_configuration(account: HostingAccount) -> None:
    account.deploy()
    account.sagemaker.delete_endpoint_config(EndpointConfigName="digits")
    account.sagemaker.delete_model(ModelName="digits")
    account.s3.delete_object(Bucket="models", Key="digits")

    assert account.ask("1") == "3"
    assert account.status() == "InService"


def test_a_deleted_endpoint_is_gone_and_its_name_free(account: HostingAccount) -> None:
    account.deploy()
    account.sagemaker.delete_endpoint(EndpointName="digits")

    assert list((account.engine.home / "endpoints").iterdir()) == []
    with pytest.raises(ClientError, match="Could not find endpoint"):
        account.describe()
    with pytest.raises(ClientError, match="Endpoint digits of account 000000000000 not found") as error:
        account.ask("1")
    assert error.value.response["Error"]["Code"] == "ValidationError"
    account.sagemaker.create_endpoint(EndpointName="digits", EndpointConfigName="digits")
    account.sagemaker.get_waiter("endpoint_in_service").wait(
        EndpointName="digits", WaiterConfig={"Delay": 0, "MaxAttempts": 100_000}
    )
    assert account.ask("1") == "3"  # over a new connection, since the kept one is of the endpoint before


def test_endpoints_are_listed_by_status(account: HostingAccount) -> None:
    account.deploy("up")
    account.deploy("broken", "raise RuntimeError('no')")

    def names(**filters: str) -> list[str]:
        found = account.sagemaker.list_endpoints(SortBy="Name", SortOrder="Ascending", **filters)["Endpoints"]
        return [endpoint["EndpointName"] for endpoint in found]

    assert names() == ["broken", "up"]
    assert names(StatusEquals="InService") == ["up"]
    assert names(StatusEquals="Failed") == ["broken"]


def test_tags_of_an_endpoint_can_be_listed(account: HostingAccount) -> None:
    account.make_model()
    made = account.sagemaker.create_endpoint(
        EndpointName="digits", EndpointConfigName="digits", Tags=[{"Key": "team", "Value": "cv"}]
    )

    assert account.sagemaker.list_tags(ResourceArn=made["EndpointArn"])["Tags"] == [{"Key": "team", "Value": "cv"}]


def test_endpoint_that_is_not_in_service_cannot_be_invoked(account: HostingAccount) -> None:
    account.make_model(script="import threading\nthreading.Event().wait()\n")
    account.sagemaker.create_endpoint(EndpointName="digits", EndpointConfigName="digits")

    with pytest.raises(ClientError, match="Its status is Creating; it can be invoked while it is InService"):
        account.ask("1")


def test_too_large_request_is_rejected(account: HostingAccount) -> None:
    account.deploy()

    with pytest.raises(ClientError, match="must have length less than or equal to 6291456"):
        account.ask(b"0" * 6_291_457)
    assert len(account.ask(b"1" + b" " * 6_291_455)) == 1


def test_several_variants_are_rejected(account: HostingAccount) -> None:
    variant = {"VariantName": "v", "ModelName": "m", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}

    with pytest.raises(ClientError, match="has 2 variants; the embedded SageMaker serves exactly one"):
        account.sagemaker.create_endpoint_config(EndpointConfigName="c", ProductionVariants=[variant, variant])


def test_several_instances_are_accepted_and_served_by_one_process(account: HostingAccount) -> None:
    """DescribeEndpoint returns the requested number of instances and the actual one."""
    account.make_model("m")
    variant = {"VariantName": "v", "ModelName": "m", "InstanceType": "ml.m5.large", "InitialInstanceCount": 2}
    account.sagemaker.create_endpoint_config(EndpointConfigName="c", ProductionVariants=[variant])
    account.sagemaker.create_endpoint(EndpointName="digits", EndpointConfigName="c")
    until(lambda: account.status() == "InService")
    told = account.describe()["ProductionVariants"][0]

    assert (told["DesiredInstanceCount"], told["CurrentInstanceCount"]) == (2, 1)
    assert account.ask("2") == "6"


@pytest.mark.parametrize(
    "data",
    [
        {"ModelDataUrl": "s3://models/nothing.tar.gz"},
        {"ModelDataUrl": "s3://nowhere/model.tar.gz"},
        {
            "ModelDataSource": {
                "S3DataSource": {"S3Uri": "s3://models/no/", "S3DataType": "S3Prefix", "CompressionType": "None"}
            }
        },
    ],
)
def test_model_needs_its_data(account: HostingAccount, data: dict[str, object]) -> None:
    with pytest.raises(ClientError, match=r"Could not find model data at s3://") as caught:
        account.sagemaker.create_model(
            ModelName="m", ExecutionRoleArn=ROLE, PrimaryContainer={"Image": "image", **data}
        )

    assert caught.value.response["Error"]["Code"] == "ValidationException"
    assert account.sagemaker.list_models()["Models"] == []
