"""The service sagemaker-runtime: requests to the model servers of endpoints, on loopback."""

import http.client
import io
import os
import threading
from http import HTTPStatus
from typing import Any

import attrs
from botocore.response import StreamingBody

from mnist_tracking.embedded.faults import AwsFault
from mnist_tracking.embedded.hosting import launcher, state
from mnist_tracking.embedded.registry import Call, Response, serves
from mnist_tracking.embedded.services.resources import present

_MAX_BODY = 6_291_456
_MAX_CONNECTIONS = 16
_ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"
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
    reply = _post(call, _port(call), body)
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
    if len(body) > _MAX_BODY:
        raise AwsFault(
            "1 validation error detected: Value at 'body' failed to satisfy constraint: Member must have length less "
            f"than or equal to {_MAX_BODY}; it has {len(body)}.",
            code="ValidationError",
        )
    return body


def _port(call: Call) -> int:
    name = call.params["EndpointName"]
    launcher.recover_lost_endpoints(call.context.store, call.context.now(), name)
    with call.context.store.read() as connection:
        row = state.read_endpoint(connection, name)
    if row is None or row["status"] != "InService":
        about = f"Endpoint {name} of account {call.context.identity.account_id} not found."
        if row is not None:
            reason = row["failure_reason"] or ""
            about += f" Its status is {row['status']}; it can be invoked while it is InService. {reason}"
        raise AwsFault(about.rstrip(), code="ValidationError")
    return int(row["port"])


def _post(call: Call, port: int, body: bytes) -> _Reply:
    """Send a request over the open connection of this thread, or over a new one if that is stale."""
    timeout_s = call.context.timing.invocation_timeout_s
    try:
        if connection := _kept.take(port):
            try:
                return _exchange(call, port, connection, body)
            except _STALE:
                pass
        return _exchange(call, port, _Connection("127.0.0.1", port, timeout=timeout_s), body)
    except TimeoutError as error:
        seconds = f"{timeout_s:g} s"
        message = f"Your invocation timed out while waiting for a response: the model took longer than {seconds}."
        raise _model_error(call, 0, message) from error
    except (OSError, http.client.HTTPException) as error:
        raise _model_error(call, 0, f"The model server does not respond; it may have ended: {error!r}") from error


def _exchange(call: Call, port: int, connection: _Connection, body: bytes) -> _Reply:
    params = call.params
    headers = present(
        **{
            "Content-Type": params.get("ContentType"),
            "Accept": params.get("Accept"),
            _ATTRIBUTES: params.get("CustomAttributes"),
        }
    )
    try:
        connection.request("POST", "/invocations", body, headers)
        response = connection.getresponse()
        reply = _Reply(response.status, response.headers, response.read())
    except BaseException:
        connection.close()
        raise
    _kept.keep(port, connection)
    return reply


def _model_error(call: Call, status: int, reason: str) -> AwsFault:
    identity, name = call.context.identity, call.params["EndpointName"]
    group = state.log_group(name)
    message = (
        f'Received server error ({status}) from primary with message "{reason.strip()}". See the log group {group} '
        f"in account {identity.account_id} for more information."
    )
    details = {
        "OriginalStatusCode": status,
        "OriginalMessage": reason,
        "LogStreamArn": f"arn:aws:logs:{identity.region}:{identity.account_id}:log-group:{group}",
    }
    return AwsFault(message, code="ModelError", status=HTTPStatus.FAILED_DEPENDENCY, details=details)
