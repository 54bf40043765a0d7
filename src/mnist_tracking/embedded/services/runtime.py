"""The service sagemaker-runtime: a request to an endpoint's own server on loopback."""

import contextlib
import http.client
import io
from http import HTTPStatus

from botocore.response import StreamingBody

from mnist_tracking.embedded.faults import AwsFault
from mnist_tracking.embedded.hosting import state
from mnist_tracking.embedded.registry import Call, Response, serves

_MAX_BODY = 6_291_456
_TIMEOUT_S = 60.0  # what the service gives a model to answer


@serves("sagemaker-runtime", "InvokeEndpoint")
def invoke_endpoint(call: Call) -> Response:
    params = call.params
    port = _port_of(call)
    body = params.get("Body", b"")
    body = body.encode() if isinstance(body, str) else body if isinstance(body, bytes | bytearray) else body.read()
    if len(body) > _MAX_BODY:
        said = f"Request size of {len(body)} bytes exceeds the limit of {_MAX_BODY} bytes."
        raise AwsFault(said, code="ValidationError")
    headers = {"Content-Type": params.get("ContentType", "application/json"), "Accept": params.get("Accept", "*/*")}
    status, content_type, answer = _post(call, port, bytes(body), headers)
    if status != HTTPStatus.OK:
        raise _model_error(call, status, answer.decode("utf-8", "replace"))
    return {
        "Body": StreamingBody(io.BytesIO(answer), len(answer)),
        "ContentType": content_type,
        "InvokedProductionVariant": "AllTraffic",
    }


def _port_of(call: Call) -> int:
    name = call.params["EndpointName"]
    state.recover_lost(call.engine.store, name, call.engine.now())
    with call.engine.store.read() as connection:
        row = state.read_endpoint(connection, name)
    if row is None:
        said = f"Endpoint {name} of account {call.engine.identity.account_id} not found."
        raise AwsFault(said, code="ValidationError")
    if row["status"] != "InService":
        raise AwsFault(f"Endpoint {name} is {row['status']}, not InService.", code="ValidationError")
    return int(row["port"])


def _post(call: Call, port: int, body: bytes, headers: dict[str, str]) -> tuple[int, str, bytes]:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_S)) as connection:
        try:
            connection.request("POST", "/invocations", body, headers)
            response = connection.getresponse()
            return response.status, response.headers.get("content-type", ""), response.read()
        except (OSError, http.client.HTTPException) as error:
            raise _model_error(call, 503, f"The model server does not answer: {error}") from error


def _model_error(call: Call, status: int, said: str) -> AwsFault:
    name = call.params["EndpointName"]
    message = f'Received server error ({status}) from primary with message "{said.strip()}".'
    details = {
        "OriginalStatusCode": status,
        "OriginalMessage": said,
        "LogStreamArn": f"arn:aws:logs:{call.engine.identity.region}:{call.engine.identity.account_id}:log-group:"
        f"{state.log_group(name)}",
    }
    return AwsFault(message, code="ModelError", status=424, details=details)
