"""STS and IAM: who is calling, and the one role there is."""

import pytest

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


def test_another_role_does_not_exist(engine: EmbeddedSageMaker) -> None:
    iam = engine.session().client("iam")

    with pytest.raises(iam.exceptions.NoSuchEntityException):
        iam.get_role(RoleName="admin")
