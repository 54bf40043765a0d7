"""The one place where AWS's errors become this library's."""

from collections.abc import Iterator
from contextlib import contextmanager

from boto3.exceptions import Boto3Error
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError, ParamValidationError

from mnist_tracking.errors import (
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
    "InvalidClientTokenId": AccessDeniedError,
    "UnrecognizedClientException": AccessDeniedError,
    "Throttling": ThrottledError,
    "ThrottlingException": ThrottledError,
    "TooManyRequestsException": ThrottledError,
}
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
        raise ConfigError("No region is known. Give region=, or set AWS_REGION or the profile's region.") from error
    except NoCredentialsError as error:
        raise AccessDeniedError("NoCredentials", "any call", "no AWS credentials were found") from error
    except (BotoCoreError, Boto3Error) as error:
        raise ServiceError(type(error).__name__, "a call", str(error)) from error


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


def is_still_linked(error: ServiceError) -> bool:
    """Whether AWS says that something hangs on what is to be deleted."""
    return error.code == "ValidationException" and "cannot be deleted" in error.detail


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
    """Whether AWS refused for a quota that frees itself when other jobs end."""
    return error.code == "ResourceLimitExceeded" and error.operation == "CreateTrainingJob"
