"""
Repeat what SageMaker refuses for a moment only, and botocore does not repeat.

botocore repeats throttled calls and failures of the service itself. Two refusals are left that pass by themselves: a
conflict with another writer, and a link that the service still sees after it was taken away. A refused call has changed
nothing, so repeating it is safe.
"""

import random
from collections.abc import Mapping
from typing import Any

from botocore.model import OperationModel

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
