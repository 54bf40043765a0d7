"""Requests, responses and log lines of any size and content."""

import http.client
import sqlite3
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from tests.support.hosting_account import HostingAccount

from mnist_tracking.embedded.hosting.log import EndpointLog
from mnist_tracking.embedded.hosting.state import SECRET_HEADER
from mnist_tracking.embedded.store import Store

RUNS = """
import os
def model_fn(model_dir): return None
def transform_fn(model, body, content_type, accept, context):
    found = {"context": context, "result": body}
    exec(body, found)
    return found["result"]
"""
BIG = 50_000_000
ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"


@pytest.fixture
def served(account: HostingAccount) -> HostingAccount:
    account.deploy(script=RUNS)
    return account


@pytest.mark.parametrize(
    ("content_type", "received"),
    [
        ("'text/plain\\r\\nX-More: 1'", "text/plain X-More: 1"),
        ("'text/三'", "text/?"),
        ("b'image/png'", "image/png"),
        ("None", "application/json"),
        ("42", "42"),
        ("chr(0xd800)", "?"),
    ],
)
def test_strange_content_type_is_a_response(served: HostingAccount, content_type: str, received: str) -> None:
    response = served.runtime.invoke_endpoint(EndpointName="digits", Body=f"result = 'x', {content_type}")

    assert (response["Body"].read(), response["ContentType"]) == (b"x", received)


def test_headers_of_handlers_cannot_break_a_response(served: HostingAccount) -> None:
    """Those that would are changed or left out."""
    headers = {
        ATTRIBUTES: "two\r\n\r\nlines\x00三",
        "Content-Length": "1",
        "Transfer-Encoding": "chunked",
        "Connection": "close",
        "a b": "c",
        "": "d",
        "x\n": "e",
    }
    body = f"for name, value in {headers!r}.items(): context.set_response_header(0, name, value)\nresult = 'whole'"
    for _ in range(2):
        response = served.runtime.invoke_endpoint(EndpointName="digits", Body=body)
        assert response["Body"].read() == b"whole"
        assert response["CustomAttributes"] == "two lines ?"


@pytest.mark.parametrize("name", ["ContentType", "Accept", "CustomAttributes"])
@pytest.mark.parametrize("value", ["a\nb", "a\r\nX-More: 1", "\x00"])
def test_request_header_that_cannot_be_sent_is_rejected(served: HostingAccount, name: str, value: str) -> None:
    with pytest.raises(ClientError) as caught:
        served.runtime.invoke_endpoint(EndpointName="digits", Body=b"", **{name: value})

    assert caught.value.response["Error"]["Code"] == "ValidationError"


def test_large_response_and_large_line_are_passed_on(served: HostingAccount) -> None:
    """A line longer than CloudWatch's limit is several lines in the log."""
    assert len(served.ask(f"print('é' * {BIG // 2}); result = 'x' * {BIG}")) == BIG
    served.sagemaker.delete_endpoint(EndpointName="digits")
    lines = served.log()

    assert {line.strip("é") for line in lines} == {""}
    assert sum(map(len, lines)) == BIG // 2
    assert max(len(line.encode()) for line in lines) == 1 << 18


def test_request_beyond_the_limit_is_not_kept_in_memory(served: HostingAccount) -> None:
    """The endpoint rejects it itself, while it is still coming."""
    connection = http.client.HTTPConnection("127.0.0.1", served.row()["port"])
    secret = (served.folder() / "secret").read_text()
    connection.putrequest("POST", "/invocations")
    for header, value in {SECRET_HEADER: secret, "Content-Length": str(BIG)}.items():
        connection.putheader(header, value)
    connection.endheaders(b"x" * 6_291_457)

    assert connection.getresponse().status == 413
    connection.close()


class FullStore(Store):
    """A store whose disk can be full."""

    is_full = False

    def write(self):  # type: ignore[no-untyped-def] # as the original
        if self.is_full:
            raise sqlite3.OperationalError("database or disk is full")
        return super().write()


def test_lines_that_cannot_be_written_are_counted(tmp_path: Path) -> None:
    """The log goes on once there is room again."""
    store = FullStore(tmp_path)
    log = EndpointLog(store, "group", "stream", poll_s=1.0)
    for line, is_full in {"a": False, "b": True, "c": True, "d": False, "e": False}.items():
        store.is_full = is_full
        log.write([line])
    with store.read() as connection:
        found = [row["message"] for row in connection.execute("SELECT message FROM log_events ORDER BY id")]
    store.close()

    assert found == ["a", "2 lines could not be written.", "d", "e"]
    assert log.last_line == "e"
