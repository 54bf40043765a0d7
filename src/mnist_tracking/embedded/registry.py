"""Which function answers which operation: the one table that dispatch, coverage and tests read."""

from collections.abc import Callable
from typing import Any

import attrs

from mnist_tracking.embedded.context import Context

Params = dict[str, Any]
Response = dict[str, Any]


@attrs.frozen
class Call:
    """One API call, as the caller gave it: botocore's parameter names and Python types, checked against the model."""

    context: Context
    service: str
    operation: str
    params: Params


Handler = Callable[[Call], Response]
OPERATIONS: dict[tuple[str, str], Handler] = {}


def serves(service: str, operation: str) -> Callable[[Handler], Handler]:
    """Register the decorated function as the answer to one operation, such as ``("sagemaker", "CreateTrial")``."""

    def register(handler: Handler) -> Handler:
        OPERATIONS[service, operation] = handler
        return handler

    return register
