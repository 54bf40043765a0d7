"""Pages of a list, and the opaque token that leads to the next one."""

import base64
import binascii
import json
from typing import Any

from mnist_tracking.embedded.faults import ValidationFault


def page_size(params: dict[str, Any], default: int = 10) -> int:
    """Return how many results a caller wants on a page."""
    return int(params.get("MaxResults", default))


def make_token(position: object) -> str:
    """Return the token that carries a position: anything that JSON can hold."""
    return base64.urlsafe_b64encode(json.dumps(position).encode()).decode()


def read_token(token: str) -> Any:
    """
    Return the position that a token carries.

    Raises:
        ValidationFault: If it is no token of `make_token`.
    """
    try:
        return json.loads(base64.urlsafe_b64decode(token))
    except (binascii.Error, ValueError, RecursionError):
        raise bad_token() from None


def bad_token() -> ValidationFault:
    """Build the error for a token that no page gave."""
    return ValidationFault("The pagination token is not valid.")


def read_offset(params: dict[str, Any]) -> int:
    """Return where a page starts, in a list that is paged by number."""
    token = params.get("NextToken")
    if not token:
        return 0
    match read_token(token):
        case {"offset": int(offset)} if 0 <= offset < 2**63:
            return offset
    raise bad_token()


def next_token(offset: int, size: int, found: int) -> dict[str, str]:
    """Return ``{"NextToken": ...}`` if *found* (one more than *size* was asked for) shows that there is a next page."""
    return {"NextToken": make_token({"offset": offset + size})} if found > size else {}
