"""The service sagemaker-runtime: requests to the model servers of endpoints, on loopback."""

import http.client
import io
import math
import os
import re
import threading
from http import HTTPStatus
from typing import Any

import attrs
from botocore.exceptions import ReadTimeoutError
from botocore.response import StreamingBody

from mnist_tracking.embedded.faults import AwsFault
from mnist_tracking.embedded.hosting import launcher, state
from mnist_tracking.embedded.hosting.tables import Endpoint
from mnist_tracking.embedded.registry import Call, Response, serves
from mnist_tracking.embedded.services.resources import present
from mnist_tracking.embedded.services.sagemaker.endpoints import find_endpoint

_GRACE_S = 5.0  # the endpoint itself notices when its model takes too long, and says so
_MAX_CONNECTIONS = 16
_ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"
_UNSENDABLE = re.compile(r"[^\t\x20-\x7e]")
_STALE = (http.client.BadStatusLine, BrokenPipeError, ConnectionResetError, ConnectionAbortedError)


class _Connection(http.client.HTTPConnection):
    """Closes itself when its thread ends."""

    def __del__(self) -> None:
        self.close()


@attrs.frozen
class _Reply:
    status: int
    headers: Any
    body: bytes


class _Kept(threading.local):
    """The open connections of one thread, by port. A forked child does not use those of its parent."""

    def __init__(self) -> None:
        self._pid = os.getpid()
        self._by_port: dict[int, _Connection] = {}

    def take(self, port: int) -> _Connection | None:
        """Remove and return the connection to a port, if any."""
        if self._pid != os.getpid():
            self._pid, self._by_port = os.getpid(), {}
        return self._by_port.pop(port, None)

    def keep(self, port: int, connection: _Connection) -> None:
        """Keep a connection for the next request; of too many, the oldest is closed."""
        while len(self._by_port) >= _MAX_CONNECTIONS:
            self._by_port.pop(next(iter(self._by_port))).close()
        self._by_port[port] = connection


_kept = _Kept()


@serves("sagemaker-runtime", "InvokeEndpoint")
def invoke_endpoint(call: Call) -> Response:
    body = _body(call.params)
    reply = _post(call, _endpoint(call), body)
    if reply.status != HTTPStatus.OK:
        raise _model_error(call, reply.status, reply.body.decode("utf-8", "replace"))
    return present(
        Body=StreamingBody(io.BytesIO(reply.body), len(reply.body)),
        ContentType=reply.headers.get("Content-Type"),
        InvokedProductionVariant=reply.headers.get("X-Amzn-Invoked-Production-Variant"),
        CustomAttributes=reply.headers.get(_ATTRIBUTES),
    )


def _body(params: dict[str, Any]) -> bytes:
    given = params["Body"]
    body = given.read() if hasattr(given, "read") else given
    body = body.encode() if isinstance(body, str) else bytes(body)
    if len(body) > state.MAX_BODY:
        raise AwsFault(
            "1 validation error detected: Value at 'body' failed to satisfy constraint: Member must have length less "
            f"than or equal to {state.MAX_BODY}; it has {len(body)}.",
            code="ValidationError",
        )
    return body


def _endpoint(call: Call) -> Endpoint:
    name = call.params["EndpointName"]
    endpoint = find_endpoint(call, name)
    if endpoint is None or endpoint.status != "InService":
        about = f"Endpoint {name} of account {call.context.identity.account_id} not found."
        if endpoint is not None:
            reason = endpoint.failure_reason or ""
            about += f" Its status is {endpoint.status}; it can be invoked while it is InService. {reason}"
        raise AwsFault(about.rstrip(), code="ValidationError")
    return endpoint


def _post(call: Call, endpoint: Endpoint, body: bytes) -> _Reply:
    """
    Send a request over the open connection of this thread, or over a new one if that is stale.

    Raises:
        ReadTimeoutError: If the model takes longer than the client waits.
        AwsFault: If it takes longer than SageMaker allows, or its server does not respond.
    """
    port, timeout_s = int(endpoint.port or 0), call.context.timing.invocation_timeout_s
    client_s = math.inf if call.read_timeout_s is None else call.read_timeout_s
    longest_s, headers = min(timeout_s + _GRACE_S, client_s), _headers(call, endpoint)
    try:
        if connection := _kept.take(port):
            try:
                return _exchange(port, connection, body, headers, longest_s)
            except _STALE:
                pass
        return _exchange(port, _Connection("127.0.0.1", port), body, headers, longest_s)
    except TimeoutError as error:
        if longest_s == client_s:
            raise ReadTimeoutError(endpoint_url=f"https://embedded/endpoints/{endpoint.name}/invocations") from error
        seconds = f"{timeout_s:g} s"
        message = f"Your invocation timed out while waiting for a response: the model took longer than {seconds}."
        raise _model_error(call, 0, message) from error
    except (OSError, http.client.HTTPException) as error:
        raise _model_error(call, 0, f"The model server does not respond; it may have ended: {error!r}") from error


def _headers(call: Call, endpoint: Endpoint) -> dict[str, str]:
    """
    Return the headers of a request.

    Raises:
        AwsFault: If one of them cannot be sent.
    """
    params = call.params
    given = {
        "Content-Type": ("contentType", params.get("ContentType")),
        "Accept": ("accept", params.get("Accept")),
        _ATTRIBUTES: ("customAttributes", params.get("CustomAttributes")),
    }
    for name, value in given.values():
        if value is not None and _UNSENDABLE.search(value):
            message = f"1 validation error detected: Value at '{name}' failed to satisfy constraint: "
            raise AwsFault(message + "Member must have printable ASCII characters only.", code="ValidationError")
    sent = {header: value for header, (_, value) in given.items() if value is not None}
    return {**sent, state.SECRET_HEADER: launcher.read_secret(call.context.store, endpoint)}


def _exchange(port: int, connection: _Connection, body: bytes, headers: dict[str, str], timeout_s: float) -> _Reply:
    """Send a request, and read its response; TimeoutError if nothing is received for *timeout_s*."""
    try:
        connection.timeout = timeout_s
        if connection.sock is not None:
            connection.sock.settimeout(timeout_s)
        connection.request("POST", "/invocations", body, headers)
        response = connection.getresponse()
        reply = _Reply(response.status, response.headers, response.read())
    except BaseException:
        connection.close()
        raise
    _kept.keep(port, connection)
    return reply


def _model_error(call: Call, status: int, reason: str) -> AwsFault:
    identity = call.context.identity
    group = state.log_group(call.params["EndpointName"])
    console = f"https://{identity.region}.console.aws.amazon.com/cloudwatch/home?region={identity.region}"
    message = (
        f'Received server error ({status}) from primary with message "{reason.strip()}". See '
        f"{console}#logEventViewer:group={group} in account {identity.account_id} for more information."
    )
    details = {
        "OriginalStatusCode": status,
        "OriginalMessage": reason,
        "LogStreamArn": f"arn:aws:logs:{identity.region}:{identity.account_id}:log-group:{group}",
    }
    return AwsFault(message, code="ModelError", status=HTTPStatus.FAILED_DEPENDENCY, details=details)
