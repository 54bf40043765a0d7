"""AWS errors: translated to this library's errors, and classified. The only reader of AWS's codes and messages."""

import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, TypeVar

from boto3.exceptions import Boto3Error, S3UploadFailedError
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    HTTPClientError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
    ProxyConnectionError,
    SSOError,
    TokenRetrievalError,
)
from botocore.exceptions import ConnectionError as BotoConnectionError
from botocore.model import OperationModel

from mnist_tracking._values.text import nearest
from mnist_tracking.errors import (
    NO_CREDENTIALS,
    AccessDeniedError,
    ConfigError,
    MnistTrackingError,
    NotFoundError,
    ServiceError,
    ThrottledError,
)

T = TypeVar("T")

_CLASSES: dict[str, type[ServiceError]] = {
    "AccessDenied": AccessDeniedError,
    "AccessDeniedException": AccessDeniedError,
    "UnauthorizedOperation": AccessDeniedError,
    "ExpiredToken": AccessDeniedError,
    "ExpiredTokenException": AccessDeniedError,
    "RequestExpired": AccessDeniedError,
    "InvalidClientTokenId": AccessDeniedError,
    "UnrecognizedClientException": AccessDeniedError,
    "RequestLimitExceeded": ThrottledError,
    "SlowDown": ThrottledError,
    "Throttling": ThrottledError,
    "ThrottlingException": ThrottledError,
    "TooManyRequestsException": ThrottledError,
}


@contextmanager
def translated() -> Iterator[None]:
    """Turn botocore's errors raised inside the block into this library's; the original is the cause."""
    try:
        yield
    except (Boto3Error, BotoCoreError, ClientError) as error:
        raise _translate(error) from error


def _translate(error: Exception) -> MnistTrackingError:
    match error:
        case ClientError():
            return _translate_response(error)
        case S3UploadFailedError(__context__=ClientError() as response):
            return _translate_response(response)
        case ParamValidationError():
            return ConfigError(f"{error}".rstrip(".") + ".")
        case NoRegionError():
            return ConfigError("No AWS region. Pass region=, or set AWS_DEFAULT_REGION or a region in the profile.")
        case NoCredentialsError():
            return AccessDeniedError(NO_CREDENTIALS, "Every call", "no AWS credentials were found")
        case CredentialRetrievalError() | PartialCredentialsError() | SSOError() | TokenRetrievalError():
            return AccessDeniedError(type(error).__name__, "Every call", str(error))
    return ServiceError(type(error).__name__, "A call", str(error))


def _translate_response(error: ClientError) -> ServiceError:
    code, message = _code_and_message(error)
    request_id = str(error.response.get("ResponseMetadata", {}).get("RequestId", ""))
    return _CLASSES.get(code, ServiceError)(code, error.operation_name, message, request_id)


def _code_and_message(error: ClientError | ServiceError) -> tuple[str, str]:
    if isinstance(error, ServiceError):
        return error.code, error.detail
    details = error.response.get("Error", {})
    return str(details.get("Code", "Unknown")), str(details.get("Message", ""))


_MISSING = ("ResourceNotFound", "ResourceNotFoundException", "NoSuchKey", "NoSuchBucket", "NoSuchUpload", "404")
_MISSING_MESSAGES = ("not found", "could not find", "does not exist")


def is_missing(error: ClientError | ServiceError) -> bool:
    """Whether something does not exist; older operations report that by a ValidationException."""
    code, message = _code_and_message(error)
    return code in _MISSING or (
        code == "ValidationException" and any(words in message.lower() for words in _MISSING_MESSAGES)
    )


def is_missing_or_invalid(error: ClientError | ServiceError) -> bool:
    """Whether nothing has that name or ARN, or could have it."""
    return is_missing(error) or _code_and_message(error)[0] == "ValidationException"


def if_exists(call: Callable[[], T]) -> T | None:
    """Make a call about something that has a name, and return its result; None if that does not exist."""
    try:
        with translated():
            return call()
    except ServiceError as error:
        if not is_missing(error):
            raise
        return None


def exists(call: Callable[[], object]) -> bool:
    """Make a call about something that has a name, and return whether it exists."""
    return if_exists(lambda: (call(),)) is not None


def described(kind: str, name: str, describe: Callable[[], T], names: Callable[[], Iterable[str]]) -> T:
    """
    Return what *describe* returns about the thing of that name.

    Raises:
        NotFoundError: If it does not exist; lists the nearest of *names*, which is only called then.
    """
    try:
        with translated():
            return describe()
    except ServiceError as error:
        if not is_missing_or_invalid(error):
            raise
        with translated():
            raise NotFoundError(kind, name, nearest(name, names())) from error


def is_taken(error: ClientError | ServiceError) -> bool:
    """Whether a name is taken, in the old or the new wording of AWS."""
    code, message = _code_and_message(error)
    return code == "ResourceInUse" or (
        code == "ValidationException" and any(words in message for words in ("already exist", "must be unique"))
    )


def is_server_error(error: ClientError) -> bool:
    """Whether the service failed, and may have executed the request."""
    return error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= HTTPStatus.INTERNAL_SERVER_ERROR


def may_be_executed(error: MnistTrackingError) -> bool:
    """Whether a failed request may have been executed: a response to it, or to one of its repetitions, was lost."""
    cause = error.__cause__
    if isinstance(cause, ClientError):
        return is_server_error(cause) or bool(cause.response.get("ResponseMetadata", {}).get("RetryAttempts"))
    return isinstance(cause, BotoConnectionError | HTTPClientError)


def is_bucket_name_taken(error: ServiceError) -> bool:
    """Whether another account has a bucket of that name."""
    return error.code == "BucketAlreadyExists"


def is_own_bucket(error: ServiceError) -> bool:
    """Whether the caller's account has that bucket already."""
    return error.code == "BucketAlreadyOwnedByYou"


def is_denied(error: ClientError | ServiceError) -> bool:
    """Whether a permission is missing; expired or missing credentials are something else. HEAD requests return 403."""
    code, _ = _code_and_message(error)
    return code in ("403", "AccessDenied", "AccessDeniedException", "UnauthorizedOperation")


def is_without_credentials(error: ServiceError) -> bool:
    """Whether no credentials were found."""
    return error.code == NO_CREDENTIALS


def is_in_progress(error: ServiceError) -> bool:
    """Whether an endpoint is being created or updated, until which nothing can be done with it."""
    return error.code == "ValidationException" and "in-progress endpoint" in error.detail


def is_already_ended(error: ServiceError) -> bool:
    """Whether a job cannot be stopped since it has ended."""
    return "job is in status" in error.detail


def is_not_in_service(error: ServiceError) -> bool:
    """Whether an endpoint cannot be invoked: it is not in service, or does not exist."""
    return error.code == "ValidationError"


_QUOTA = re.compile(r"is (?P<limit>\d+) .*request delta of (?P<requested>\d+) ")


def is_over_limit(error: ServiceError) -> bool:
    """Whether no job can be started until others end; a quota that is too small for one job does not count."""
    if error.operation != "CreateTrainingJob":
        return False
    quota = _QUOTA.search(error.detail)
    is_enough_for_one = quota is None or int(quota["limit"]) >= int(quota["requested"])
    return isinstance(error, ThrottledError) or (error.code == "ResourceLimitExceeded" and is_enough_for_one)


_OUTAGES = {
    *("ConnectTimeoutError", "ConnectionClosedError", "EndpointConnectionError", "HTTPClientError"),
    *("ProxyConnectionError", "ReadTimeoutError", "ResponseStreamingError"),
    *("InternalError", "InternalFailure", "InternalServerError", "InternalServerException", "RequestTimeout"),
    *("ServiceUnavailable", "ServiceUnavailableException", "500", "502", "503", "504"),
}


def is_passing(error: ServiceError) -> bool:
    """Whether an error is temporary: throttling, or an outage of the service or the network."""
    return isinstance(error, ThrottledError) or error.code in _OUTAGES


def is_fault_of_service(failure_reason: str) -> bool:
    """Whether a job failed for lack of capacity, or because of an internal error of SageMaker: another may complete."""
    return failure_reason.startswith(("CapacityError", "InternalServerError"))


_MOST_ATTEMPTS = 8  # about 20 s at most
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 8.0


def retry_momentary(client: Any) -> None:
    """Make a SageMaker client retry momentary errors, in addition to what botocore retries."""
    client.meta.events.register("needs-retry.sagemaker", _pause_before_retry)


def _pause_before_retry(
    response: tuple[object, Mapping[str, Any]] | None, operation: OperationModel, attempts: int, **_: object
) -> float | None:
    """Return the seconds to wait before a retry; None for no retry."""
    if response is None or attempts >= _MOST_ATTEMPTS:
        return None
    error = response[1].get("Error", {})
    if not _is_momentary(operation.name, str(error.get("Code", "")), str(error.get("Message", ""))):
        return None
    return _pause_after(attempts)


def _pause_after(attempts: int) -> float:
    longest = min(_FIRST_PAUSE_S * 2 ** (attempts - 1), _LONGEST_PAUSE_S)
    return random.uniform(longest / 2, longest)  # noqa: S311 - so that colliding writers do not collide again


def _is_momentary(operation: str, code: str, message: str) -> bool:
    """Whether an error is temporary; links that were just removed may still be visible to a deletion."""
    is_still_linked = operation.startswith("Delete") and "cannot be deleted" in message
    return code == "ConflictException" or (code == "ValidationException" and is_still_linked)


_UNSENT = (ConnectTimeoutError, EndpointConnectionError, ProxyConnectionError)


def retry_unsent(client: Any) -> Any:
    """Make a client retry throttled requests, and those that could not be sent: requests that were not executed."""
    client.meta.events.register(
        f"needs-retry.{client.meta.service_model.service_id.hyphenize()}", _pause_before_sending
    )
    return client


def _pause_before_sending(
    response: tuple[object, Mapping[str, Any]] | None, attempts: int, caught_exception: Exception | None, **_: object
) -> float | None:
    """Return the seconds to wait before a retry; None for no retry."""
    code = "" if response is None else str(response[1].get("Error", {}).get("Code", ""))
    is_unsent = isinstance(caught_exception, _UNSENT) or _CLASSES.get(code) is ThrottledError
    return _pause_after(attempts) if is_unsent and attempts < _MOST_ATTEMPTS else None
