"""The table of operations and the functions that handle them, used by dispatch, the coverage page and tests."""

from collections.abc import Callable
from typing import Any

import attrs

from mnist_tracking.embedded.context import Context

Params = dict[str, Any]
Response = dict[str, Any]


@attrs.frozen
class Call:
    """One API call: botocore's parameter names and Python types, checked against the service model."""

    context: Context
    service: str
    operation: str
    params: Params


Handler = Callable[[Call], Response]
OPERATIONS: dict[tuple[str, str], Handler] = {}


def serves(service: str, operation: str) -> Callable[[Handler], Handler]:
    """Register the decorated function as the handler of one operation, such as ``("sagemaker", "CreateTrial")``."""

    def register(handler: Handler) -> Handler:
        OPERATIONS[service, operation] = handler
        return handler

    return register
