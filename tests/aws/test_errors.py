"""What AWS's error codes and messages mean."""

from collections.abc import Callable

import pytest
from boto3.exceptions import S3UploadFailedError
from botocore.exceptions import ClientError

from mnist_tracking import AccessDeniedError, NotFoundError, ServiceError, ThrottledError
from mnist_tracking._aws.errors import (
    described,
    exists,
    is_denied,
    is_fault_of_service,
    is_missing,
    is_missing_or_invalid,
    is_passing,
    is_taken,
    translated,
)


def aws(code: str, message: str = "") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "DescribeTrial")


def raising(error: Exception) -> Callable[[], object]:
    def call() -> object:
        raise error

    return call


@pytest.mark.parametrize(
    ("error", "missing", "invalid"),
    [
        (aws("ResourceNotFound"), True, True),
        (aws("ResourceNotFoundException"), True, True),
        (aws("NoSuchBucket"), True, True),
        (aws("404"), True, True),
        (aws("ValidationException", 'Could not find endpoint "x".'), True, True),
        (aws("ValidationException", "Trial x does not exist"), True, True),
        (aws("ValidationException", "failed to satisfy constraint"), False, True),
        (aws("AccessDeniedException", "not found"), False, False),
        (ServiceError("ResourceNotFound", "DescribeTrial", ""), True, True),
        (ClientError({}, "DescribeTrial"), False, False),
    ],
)
def test_missing(error: ClientError | ServiceError, missing: bool, invalid: bool) -> None:
    assert is_missing(error) is missing
    assert is_missing_or_invalid(error) is invalid


@pytest.mark.parametrize(
    ("error", "taken"),
    [
        (aws("ResourceInUse"), True),
        (aws("ValidationException", "Experiment names must be unique within an account"), True),
        (aws("ValidationException", "Cannot create already existing endpoint"), True),
        (aws("ValidationException", "Name is too long"), False),
        (aws("ConflictException", "must be unique"), False),
    ],
)
def test_taken(error: ClientError, taken: bool) -> None:
    assert is_taken(error) is taken


def test_denied_is_a_permission_and_no_expired_token() -> None:
    assert all(is_denied(aws(code)) for code in ("403", "AccessDenied", "AccessDeniedException"))
    assert not any(is_denied(aws(code)) for code in ("ExpiredToken", "NoCredentials", "404"))


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (ThrottledError("ThrottlingException", "CreateTrial", ""), True),
        (ServiceError("EndpointConnectionError", "A call", ""), True),
        (ServiceError("ReadTimeoutError", "A call", ""), True),
        (ServiceError("ServiceUnavailable", "CreateTrial", ""), True),
        (ServiceError("503", "PutObject", ""), True),
        (AccessDeniedError("ExpiredTokenException", "CreateTrial", ""), False),
        (ServiceError("ResourceLimitExceeded", "CreateTrial", ""), False),
        (ServiceError("SSLError", "A call", ""), False),
    ],
)
def test_what_passes_by_itself(error: ServiceError, passes: bool) -> None:
    assert is_passing(error) is passes


@pytest.mark.parametrize(
    ("reason", "is_of_service"),
    [
        ("CapacityError: Unable to provision requested ML compute capacity. Please retry.", True),
        ("InternalServerError: We encountered an internal error.  Please try again.", True),
        ("AlgorithmError: ExecuteUserScriptError: CapacityError", False),
        ("", False),
    ],
)
def test_failures_that_are_the_services(reason: str, is_of_service: bool) -> None:
    assert is_fault_of_service(reason) is is_of_service


def test_a_failed_upload_without_a_response_keeps_its_class() -> None:
    with pytest.raises(ServiceError, match="S3UploadFailedError") as caught, translated():
        raise S3UploadFailedError("no response")

    assert type(caught.value) is ServiceError


def test_exists_is_false_only_for_what_is_missing() -> None:
    assert exists(dict)
    assert not exists(raising(aws("ResourceNotFound")))
    with pytest.raises(ServiceError, match="ThrottlingException"):
        exists(raising(aws("ThrottlingException")))


def test_a_name_that_does_not_exist_is_answered_with_the_nearest_ones() -> None:
    with pytest.raises(NotFoundError, match=r"No trial named 'hihg'\. Existing: 'high', 'low'") as caught:
        described("trial", "hihg", raising(aws("ResourceNotFound")), lambda: ["low", "high"])

    assert caught.value.existing == ("high", "low")
    assert described("trial", "high", lambda: 7, lambda: pytest.fail("not needed")) == 7
    with pytest.raises(ServiceError):
        described("trial", "high", raising(aws("ThrottlingException")), lambda: pytest.fail("not needed"))
