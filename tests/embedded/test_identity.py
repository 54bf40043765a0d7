"""STS and IAM: who is calling, and which roles exist."""

from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from mnist_tracking.embedded.engine import EmbeddedSageMaker


def test_the_caller_has_assumed_the_role(engine: EmbeddedSageMaker) -> None:
    identity = engine.session().client("sts").get_caller_identity()

    assert identity["Account"] == "000000000000"
    assert identity["Arn"] == "arn:aws:sts::000000000000:assumed-role/mnist-tracking-embedded/SageMaker"


def test_the_role_is_found_by_the_name_in_the_callers_arn(engine: EmbeddedSageMaker) -> None:
    """As the SageMaker SDK's get_execution_role does."""
    caller = engine.session().client("sts").get_caller_identity()["Arn"]
    role = engine.session().client("iam").get_role(RoleName=caller.split("/")[1])["Role"]

    assert role["Arn"] == "arn:aws:iam::000000000000:role/mnist-tracking-embedded"


def test_every_role_exists_by_default(engine: EmbeddedSageMaker) -> None:
    """So the settings of a company's account can be tried."""
    role = engine.session().client("iam").get_role(RoleName="jobs")["Role"]

    assert role["Arn"] == "arn:aws:iam::000000000000:role/jobs"


def test_with_named_roles_no_other_exists(tmp_path: Path) -> None:
    engine = EmbeddedSageMaker(tmp_path / "home", roles=["jobs"])
    iam = engine.session().client("iam")

    assert [iam.get_role(RoleName=name)["Role"]["RoleName"] for name in ("jobs", "mnist-tracking-embedded")]
    with pytest.raises(iam.exceptions.NoSuchEntityException):
        iam.get_role(RoleName="admin")
    engine.close()


@pytest.mark.parametrize(
    ("role", "reason"),
    [
        ("arn:aws:iam::000000000000:role/service-role/admin", "Could not assume role .*/admin. Please ensure that the"),
        ("arn:aws:iam::123456789012:role/jobs", "Cross-account pass role is not allowed"),
    ],
)
def test_models_and_jobs_need_a_role_that_exists(tmp_path: Path, role: str, reason: str) -> None:
    """The wording of the first is that of predictive-maintenance-using-machine-learning, issue 3."""
    engine = EmbeddedSageMaker(tmp_path / "home", roles=["jobs"])
    client = engine.session().client("sagemaker")

    with pytest.raises(ClientError, match=reason) as rejected:
        client.create_training_job(
            TrainingJobName="job",
            RoleArn=role,
            AlgorithmSpecification={"TrainingImage": "image", "TrainingInputMode": "File"},
            OutputDataConfig={"S3OutputPath": "s3://bucket/jobs"},
            ResourceConfig={"InstanceType": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 30},
            StoppingCondition={"MaxRuntimeInSeconds": 3600},
        )
    with pytest.raises(ClientError, match=reason):
        client.create_model(ModelName="model", ExecutionRoleArn=role, PrimaryContainer={"Image": "image"})
    assert rejected.value.response["Error"]["Code"] == "ValidationException"
    assert not client.list_training_jobs()["TrainingJobSummaries"]
    assert not client.list_models()["Models"]
    engine.close()
