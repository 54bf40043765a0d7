"""
Answer botocore's calls inside this process.

botocore emits ``before-parameter-build`` with the caller's own parameters and, after checking and serialising them,
``before-call``; a response returned from ``before-call`` takes the place of the network. Its own Stubber works the same
way. So clients, paginators, waiters and typed exceptions are botocore's; only the response is ours.

botocore retries below ``before-call``. So an injected error is passed to the client's own retry handlers here, with
the event ``needs-retry``, as botocore's endpoint does.
"""

import sqlite3
import uuid
from collections.abc import Callable
from http import HTTPStatus
from types import SimpleNamespace
from typing import Any

import attrs
from botocore.hooks import BaseEventHooks, first_non_none_response
from botocore.model import OperationModel
from botocore.session import Session

from mnist_tracking.embedded.context import Context
from mnist_tracking.embedded.faults import AwsFault
from mnist_tracking.embedded.injection import Injections
from mnist_tracking.embedded.interrupts import uninterrupted
from mnist_tracking.embedded.registry import OPERATIONS, Call, Handler, Response
from mnist_tracking.embedded.store.filesystem import is_storage_error
from mnist_tracking.embedded.validation import check_request
from mnist_tracking.errors import UnsupportedOperationError

_PARAMS = "mnist_tracking_params"
Reply = tuple[SimpleNamespace, Response]

response_observers: list[Callable[[OperationModel, Response], None]] = []
"""Called with each successful response before it is returned; tests check each against the service model."""


def install(session: Session, context: Context, injections: Injections) -> None:
    """Answer the calls of all clients that a botocore session makes from now on."""

    def answer(model: OperationModel, params: dict[str, Any], request_signer: Any, **given: Any) -> Reply:
        retries = _Retries(request_signer._event_emitter, model, params)
        call = Call(context, model.service_model.service_name, model.name, given["context"][_PARAMS])
        return _answer(call, injections, model, retries)

    emitter = session.get_component("event_emitter")
    emitter.register_first("before-parameter-build", _reject_presigning)
    emitter.register_last("before-parameter-build", _remember_params)
    emitter.register_first("before-call", answer)
    emitter.register_first("before-send", _reject_sending)


def _reject_presigning(model: OperationModel, context: dict[str, Any], **_: object) -> None:
    """A presigned URL would lead to AWS, to somebody else's bucket of that name."""
    if context.get("is_presign_request"):
        raise UnsupportedOperationError(model.service_model.service_name, f"{model.name} by a presigned URL")


def _remember_params(params: dict[str, Any], context: dict[str, Any], **_: object) -> None:
    context[_PARAMS] = params


def _reject_sending(event_name: str, **_: object) -> None:
    raise UnsupportedOperationError(*event_name.split(".")[1:3])


@attrs.frozen
class _Retries:
    """The retries of one call, according to the settings of its client."""

    emitter: BaseEventHooks
    model: OperationModel
    request: dict[str, Any]

    def delay_after(self, reply: Reply, attempts: int) -> float | None:
        """Return how many seconds the client waits before the next attempt; None if it gives up."""
        answers = self.emitter.emit(
            f"needs-retry.{self.model.service_model.service_id.hyphenize()}.{self.model.name}",
            response=reply,
            endpoint=None,
            operation=self.model,
            attempts=attempts,
            caught_exception=None,
            request_dict=self.request,
        )
        delay = first_non_none_response(answers)
        return None if delay is None or delay is False else float(delay)


def _answer(call: Call, injections: Injections, model: OperationModel, retries: _Retries) -> Reply:
    handler = OPERATIONS.get((call.service, call.operation))
    if handler is None:
        raise UnsupportedOperationError(call.service, call.operation)
    attempts = 0
    while fault := injections.next_fault(call.service, call.operation, call.params):
        error_reply = _error_reply(fault, attempts)
        attempts += 1
        delay = retries.delay_after(error_reply, attempts)
        if delay is None:
            return error_reply
        call.context.sleep(delay)
    try:
        response = uninterrupted(_handle, handler, model, call)
    except AwsFault as fault:
        return _error_reply(fault, attempts)
    for observe in response_observers:
        observe(model, response)
    return _reply(HTTPStatus.OK, response, attempts)


def _error_reply(fault: AwsFault, retries: int) -> Reply:
    error = {"Code": fault.code, "Message": fault.message, "Type": "Sender"}
    return _reply(fault.status, {"Error": error, **fault.details}, retries)


def _handle(handler: Handler, model: OperationModel, call: Call) -> Response:
    check_request(model, call.params)
    try:
        return handler(call)
    except (sqlite3.OperationalError, OSError) as error:
        if not is_storage_error(error):
            raise
        message = (
            f"The embedded SageMaker cannot write to {str(call.context.store.home)!r}: {error}. Nothing was changed."
        )
        raise AwsFault(message, status=HTTPStatus.INTERNAL_SERVER_ERROR) from error


def _reply(status: int, parsed: Response, retries: int) -> Reply:
    request_id = str(uuid.uuid4())
    headers = {"x-amzn-requestid": request_id}
    parsed["ResponseMetadata"] = {
        "RequestId": request_id,
        "HTTPStatusCode": int(status),
        "HTTPHeaders": headers,
        "RetryAttempts": retries,
    }
    return SimpleNamespace(status_code=int(status), headers=headers, raw=None, content=b""), parsed
