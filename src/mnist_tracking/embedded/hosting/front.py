"""The HTTP side of an endpoint, on loopback: ``GET /ping`` and ``POST /invocations``, for its owner alone."""

import hmac
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

import attrs

from mnist_tracking.embedded.hosting import state
from mnist_tracking.embedded.hosting.model_server import ModelServer, Reply

VARIANT = "x-amzn-invoked-production-variant"
"""The header of a response that names the variant."""

_TEXT = {"content-type": "text/plain; charset=utf-8"}
_OURS = frozenset(
    {"connection", "content-length", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", VARIANT}
)
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")  # RFC 9110, in lower case
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]+")

Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]


@attrs.frozen
class Front:
    """
    The ASGI application of an endpoint.

    A request is rejected unless it has the endpoint's secret and names this machine as its host: so no other user of
    the machine can call it, nor can a web page, whose name may lead to loopback.

    Args:
        server: What responds to invocations.
        secret: The endpoint's secret.
        port: Its port.
        variant: The name of its variant.
    """

    server: ModelServer
    secret: str
    port: int
    variant: str

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Respond to one request."""
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        reply = await self._respond(scope["method"], scope["path"], headers, receive)
        own = {"content-length": str(len(reply.body)), VARIANT: self.variant}
        raw = [(name.encode(), value.encode("latin-1")) for name, value in own.items()]
        sent = {"status": reply.status, "headers": [*response_headers(reply.headers), *raw]}
        await send({"type": "http.response.start", **sent})
        await send({"type": "http.response.body", "body": reply.body})

    async def _respond(self, method: str, path: str, headers: dict[str, str], receive: Receive) -> Reply:
        if not self._is_owner(headers):
            return Reply(403, _TEXT, b"Only the owner of this endpoint may call it, through its SageMaker client.")
        match method, path:
            case "GET", "/ping":
                return Reply(200 if self.server.is_ready else 503, {}, b"")
            case "POST", "/invocations":
                body = await _body(receive)
                if body is None:
                    return Reply(413, _TEXT, f"A request can have {state.MAX_BODY} bytes.".encode())
                return await self.server.ask(headers, body)
            case _:
                return Reply(404, _TEXT, b"Not found. Available: GET /ping, POST /invocations.")

    def _is_owner(self, headers: dict[str, str]) -> bool:
        """Whether a request may be answered; takes the secret out of its headers, which handlers can read."""
        given, host = headers.pop(state.SECRET_HEADER, ""), headers.get("host", "")
        is_secret = hmac.compare_digest(given.encode(), self.secret.encode())
        return is_secret and host in (f"127.0.0.1:{self.port}", f"localhost:{self.port}")


async def _body(receive: Receive) -> bytes | None:
    """Return the body of a request; None if it is too large, or its client has gone."""
    parts: list[bytes] = []
    size, has_more = 0, True
    while has_more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > state.MAX_BODY:
            return None
        has_more = message.get("more_body", False)
    return b"".join(parts)


def response_headers(headers: Mapping[str, Any]) -> Iterable[tuple[bytes, bytes]]:
    r"""
    Yield headers as they can be sent, whatever handlers set.

    A header whose name is not valid, or that would change where the response ends, is left out. In values, control
    characters become a space, and characters that are not Latin-1 a question mark.

    Example:
        >>> list(response_headers({"x-note": "two\nlines", "a b": "c", "x-digit": "\u4e09"}))
        [(b'x-note', b'two lines'), (b'x-digit', b'?')]
    """
    for name, value in headers.items():
        lower = name.lower()
        if _TOKEN.fullmatch(lower) and lower not in _OURS:
            yield lower.encode(), _CONTROL.sub(" ", str(value)).strip().encode("latin-1", "replace")
