"""What the tests look at in S3's answers."""

from typing import Any

import pytest
from botocore.exceptions import ClientError


def code(caught: pytest.ExceptionInfo[Any]) -> tuple[str, int]:
    """Return the error's code and the HTTP status."""
    error = caught.value
    assert isinstance(error, ClientError)
    return error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]
