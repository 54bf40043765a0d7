"""The one place where AWS's errors become this library's."""

import random
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from boto3.exceptions import Boto3Error
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
    SSOError,
    TokenRetrievalError,
)
from botocore.model import OperationModel

from mnist_tracking.errors import (
    NO_CREDENTIALS,
    AccessDeniedError,
    ConfigError,
    MnistTrackingError,
    ServiceError,
    ThrottledError,
)

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
_NO_CREDENTIALS = (CredentialRetrievalError, PartialCredentialsError, SSOError, TokenRetrievalError)
_QUOTA = re.compile(r"is (?P<limit>\d+) .*request delta of (?P<asked>\d+) ")
_MISSING = ("ResourceNotFound", "ResourceNotFoundException", "NoSuchKey", "NoSuchBucket", "404")


@contextmanager
def translated() -> Iterator[None]:
    """Turn botocore's errors raised inside the block into this library's; the original is the cause."""
    try:
        yield
    except MnistTrackingError:
        raise
    except ClientError as error:
        raise translate(error) from error
    except ParamValidationError as error:
        raise ConfigError(f"{error}".rstrip(".") + ".") from error
    except NoRegionError as error:
        raise ConfigError(
            "No region is known. Give region=, or set AWS_DEFAULT_REGION or the profile's region."
        ) from error
    except NoCredentialsError as error:
        raise AccessDeniedError(NO_CREDENTIALS, "Every call", "no AWS credentials were found") from error
    except _NO_CREDENTIALS as error:
        raise AccessDeniedError(type(error).__name__, "Every call", str(error)) from error
    except (BotoCoreError, Boto3Error) as error:
        raise ServiceError(type(error).__name__, "A call", str(error)) from error


def translate(error: ClientError) -> ServiceError:
    """Return the error of this library that says what *error* says."""
    told = error.response.get("Error", {})
    code = str(told.get("Code", "Unknown"))
    request_id = str(error.response.get("ResponseMetadata", {}).get("RequestId", ""))
    found = _CLASSES.get(code, ServiceError)
    return found(code, error.operation_name, str(told.get("Message", "")), request_id)


def is_missing(error: ClientError | ServiceError) -> bool:
    """Whether AWS says that the thing does not exist; older operations say so by a ValidationException."""
    code, message = _told(error)
    words = ("not found", "could not find", "does not exist")
    return code in _MISSING or (code == "ValidationException" and any(word in message.lower() for word in words))


def is_in_progress(error: ServiceError) -> bool:
    """Whether AWS says that an endpoint is being made or changed, and nothing can be done with it until it is."""
    return error.code == "ValidationException" and "in-progress endpoint" in error.detail


def _told(error: ClientError | ServiceError) -> tuple[str, str]:
    if isinstance(error, ServiceError):
        return error.code, error.detail
    return error.response["Error"]["Code"], error.response["Error"].get("Message", "")


def is_taken(error: ClientError) -> bool:
    """Whether AWS says that the name is taken, in its old wording or its new one."""
    code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
    said = ("already exist", "must be unique")
    return code == "ResourceInUse" or (code == "ValidationException" and any(words in message for words in said))


def is_over_limit(error: ServiceError) -> bool:
    """Whether AWS starts no job just now, and will when others have ended; a quota of none frees itself never."""
    if error.operation != "CreateTrainingJob":
        return False
    quota = _QUOTA.search(error.detail)
    can_be = quota is None or int(quota["limit"]) >= int(quota["asked"])
    return isinstance(error, ThrottledError) or (error.code == "ResourceLimitExceeded" and can_be)


_MOST_ATTEMPTS = 8  # about 20 s at most
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 8.0


def repeat_momentary(client: Any) -> None:
    """Make a client of SageMaker's repeat what is refused for a moment only, beside what botocore repeats."""
    client.meta.events.register("needs-retry.sagemaker", _pause_before_repeating)


def _pause_before_repeating(
    response: tuple[object, Mapping[str, Any]] | None, operation: OperationModel, attempts: int, **_: object
) -> float | None:
    """Return how long to wait before the call is repeated, in seconds; None if it is not."""
    if response is None or attempts >= _MOST_ATTEMPTS:
        return None
    error = response[1].get("Error", {})
    if not is_momentary(operation.name, str(error.get("Code", "")), str(error.get("Message", ""))):
        return None
    longest = min(_FIRST_PAUSE_S * 2 ** (attempts - 1), _LONGEST_PAUSE_S)
    return random.uniform(longest / 2, longest)  # noqa: S311 - so that writers who collided do not meet again


def is_momentary(operation: str, code: str, message: str) -> bool:
    """Whether a refusal passes by itself; that something has links may, since they are taken away before."""
    is_still_linked = operation.startswith("Delete") and "cannot be deleted" in message
    return code == "ConflictException" or (code == "ValidationException" and is_still_linked)
