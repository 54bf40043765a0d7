"""Pages of a list, and the opaque token that leads to the next one."""

import base64
import binascii
import json
from typing import Any

from mnist_tracking.embedded.faults import ValidationFault


def page_size(params: dict[str, Any], default: int = 10) -> int:
    """Return how many results a caller wants on a page."""
    return int(params.get("MaxResults", default))


def read_offset(params: dict[str, Any]) -> int:
    """Return where a page starts."""
    token = params.get("NextToken")
    if not token:
        return 0
    try:
        offset = int(json.loads(base64.urlsafe_b64decode(token))["offset"])
    except (binascii.Error, ValueError, KeyError, TypeError):
        offset = -1
    if not 0 <= offset < 2**63:
        raise ValidationFault("The pagination token is not valid.")
    return offset


def next_token(offset: int, size: int, found: int) -> dict[str, str]:
    """Return ``{"NextToken": ...}`` if *found* (one more than *size* was asked for) shows that there is a next page."""
    if found <= size:
        return {}
    return {"NextToken": base64.urlsafe_b64encode(json.dumps({"offset": offset + size}).encode()).decode()}
