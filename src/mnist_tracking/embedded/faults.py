"""
AWS's errors, by AWS's own codes.

A handler raises one of these; the transport makes it the error response that botocore turns into its typed exception.
Unrelated to `mnist_tracking.errors`, the errors that callers of this library see.
"""

from collections.abc import Mapping


class AwsFault(Exception):  # noqa: N818 - "fault" sets AWS's errors apart from this library's
    """An error response: AWS's code, its message and the HTTP status."""

    code = "InternalFailure"
    status = 400

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        status: int | None = None,
        details: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.code
        self.status = status or self.status
        self.details = dict(details or {})


class ValidationFault(AwsFault):
    code = "ValidationException"


class MomentaryFault(ValidationFault):
    """A temporary error: the client's own settings decide whether it makes another attempt."""


class SerializationFault(AwsFault):
    code = "SerializationException"


class ResourceNotFoundFault(AwsFault):
    code = "ResourceNotFound"


class ResourceInUseFault(AwsFault):
    code = "ResourceInUse"


class ResourceLimitFault(AwsFault):
    code = "ResourceLimitExceeded"
