"""Errors of boto3 clients."""

from typing import Any

import pytest
from botocore.exceptions import ClientError


def code(caught: pytest.ExceptionInfo[Any]) -> tuple[str, int]:
    """Return AWS's error code and the HTTP status."""
    error = caught.value
    assert isinstance(error, ClientError)
    return error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]
