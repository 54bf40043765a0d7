"""The table of operations and the functions that handle them, used by dispatch, the coverage page and tests."""

from collections.abc import Callable
from typing import Any

import attrs

from mnist_tracking.embedded.context import Context

Params = dict[str, Any]
Response = dict[str, Any]


@attrs.frozen
class Call:
    """
    One API call.

    Attributes:
        context: The embedded SageMaker that handles it.
        service: The service, by boto3's name.
        operation: The operation.
        params: botocore's parameter names and Python types, checked against the service model.
        read_timeout_s: How long the client waits for the response; None for as long as it takes.
    """

    context: Context
    service: str
    operation: str
    params: Params
    read_timeout_s: float | None = None


Handler = Callable[[Call], Response]
OPERATIONS: dict[tuple[str, str], Handler] = {}


def serves(service: str, operation: str) -> Callable[[Handler], Handler]:
    """Register the decorated function as the handler of one operation, such as ``("sagemaker", "CreateTrial")``."""

    def register(handler: Handler) -> Handler:
        OPERATIONS[service, operation] = handler
        return handler

    return register
