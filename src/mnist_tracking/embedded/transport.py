"""
Answer botocore's calls inside this process.

botocore emits ``before-parameter-build`` with the caller's own parameters and, after checking and serialising them,
``before-call``; a response returned from ``before-call`` takes the place of the network. Its own Stubber works the same
way. So clients, paginators, waiters and typed exceptions are botocore's; only the response is ours. Before all that, a
call's parameters are read as AWS reads them: botocore's own code fails in many ways for those that it does not check.

**Errors.** A call ends in a response, an error of AWS's, botocore's ``ParamValidationError``, or one of this library's
errors, such as `UnsupportedOperationError`. Anything else that a handler raises is an InternalFailure, which has it as
its cause, and is logged.

botocore retries below ``before-call``. So an injected error, and a response that comes too late for the client, is
passed to the client's own retry handlers here, with the event ``needs-retry``, as botocore's endpoint does.
"""

import itertools
import logging
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from types import SimpleNamespace
from typing import Any

import attrs
from botocore.client import BaseClient
from botocore.exceptions import ClientError, HTTPClientError, ParamValidationError, ReadTimeoutError
from botocore.hooks import BaseEventHooks, first_non_none_response
from botocore.model import OperationModel
from botocore.session import Session
from botocore.validate import ParamValidationDecorator, ParamValidator

from mnist_tracking.embedded.context import Context
from mnist_tracking.embedded.deserialiser import deserialise, without_own_forms
from mnist_tracking.embedded.faults import AwsFault, MomentaryFault
from mnist_tracking.embedded.injection import ConnectionFault, Injections
from mnist_tracking.embedded.interrupts import uninterrupted, uninterrupted_read
from mnist_tracking.embedded.registry import OPERATIONS, Call, Handler, Response
from mnist_tracking.embedded.store.filesystem import is_storage_error
from mnist_tracking.embedded.validation import check_request, check_required
from mnist_tracking.errors import MnistTrackingError, UnsupportedOperationError

_logger = logging.getLogger(__name__)
_PARAMS = "mnist_tracking_params"
Reply = tuple[SimpleNamespace, Response]
Outcome = Reply | ConnectionFault

response_observers: list[Callable[[OperationModel, Response], None]] = []
"""Called with each successful response before it is returned; tests check each against the service model."""


def install(session: Session, context: Context, injections: Injections) -> None:
    """Answer the calls of all clients that a botocore session makes from now on."""

    def answer(model: OperationModel, params: dict[str, Any], request_signer: Any, **given: Any) -> Reply:
        retries = _Retries(request_signer._event_emitter, model, params)
        call = Call(
            context,
            model.service_model.service_name,
            model.name,
            given["context"][_PARAMS],
            given["context"]["client_config"].read_timeout,
        )
        return _answer(call, injections, model, retries)

    emitter = session.get_component("event_emitter")
    emitter.register_last("creating-client-class", _read_params_first)
    emitter.register_first("before-parameter-build", _reject_presigning)
    emitter.register_last("before-parameter-build", _remember_params)
    emitter.register_first("before-call", answer)
    emitter.register_first("before-send", _reject_sending)


def _read_params_first(base_classes: list[type], **_: object) -> None:
    base_classes.insert(0, _Client)


class _Client(BaseClient):
    """A client that reads the parameters of a call as AWS does, before botocore's code depends on their types."""

    def _make_api_call(self, operation_name: str, api_params: Mapping[str, Any]) -> Any:
        model = self.meta.service_model.operation_model(operation_name)
        if (model.service_model.service_name, operation_name) in OPERATIONS:
            api_params = self._read(model, api_params)
        return super()._make_api_call(operation_name, api_params)  # type: ignore[misc] # the stubs know public names

    def _read(self, model: OperationModel, params: Mapping[str, Any]) -> dict[str, Any]:
        is_checked = isinstance(self.__dict__["_serializer"], ParamValidationDecorator)
        try:
            plain = deserialise(model, params, is_strict=is_checked)
            if not is_checked:
                check_required(model, plain)
        except AwsFault as fault:
            if is_checked and (report := _report(model, params)):
                raise ParamValidationError(report=report) from None
            _, parsed = _error_reply(fault, 0)
            error: Any = self.exceptions.from_code(fault.code)
            raise error(parsed, model.name) from fault.__cause__
        return plain


def _report(model: OperationModel, params: Mapping[str, Any]) -> str | None:
    """Return what botocore itself objects to, or None."""
    shape: Any = model.input_shape
    try:
        found = ParamValidator().validate(without_own_forms(model, params), shape)
        return str(found.generate_report()) if found.has_errors() else None
    except Exception:  # noqa: BLE001 - the parameters that it cannot check are the service's to reject
        return None


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

    def delay_after(self, failure: Outcome, attempts: int) -> float | None:
        """Return how many seconds the client waits before the next attempt; None if it gives up."""
        exception = failure if isinstance(failure, Exception) else None
        answers = self.emitter.emit(
            f"needs-retry.{self.model.service_model.service_id.hyphenize()}.{self.model.name}",
            response=None if exception else failure,
            endpoint=None,
            operation=self.model,
            attempts=attempts,
            caught_exception=exception,
            request_dict=self.request,
        )
        delay = first_non_none_response(answers)
        return None if delay is None or delay is False else float(delay)


def _answer(call: Call, injections: Injections, model: OperationModel, retries: _Retries) -> Reply:
    handler = OPERATIONS.get((call.service, call.operation))
    if handler is None:
        raise UnsupportedOperationError(call.service, call.operation)
    for attempts in itertools.count():
        outcome, may_be_retried = _attempt(handler, call, injections, model, attempts)
        delay = retries.delay_after(outcome, attempts + 1) if may_be_retried else None
        if delay is not None:
            call.context.sleep(delay)
        elif isinstance(outcome, Exception):
            raise outcome
        else:
            return outcome
    raise AssertionError("unreachable")


def _attempt(
    handler: Handler, call: Call, injections: Injections, model: OperationModel, attempts: int
) -> tuple[Outcome, bool]:
    """Make one attempt at a call; return its outcome, and whether that is one that clients may retry."""
    fault = injections.next_fault(call.service, call.operation, call.params)
    if fault is None:
        try:
            return _execute(handler, call, model, attempts), False
        except ReadTimeoutError as error:
            return error, True
        except MomentaryFault as momentary:
            return _error_reply(momentary, attempts), True
    if fault.lost:
        with _rewound(call.params):
            _execute(handler, call, model, attempts)
    failure = fault.to_error()
    return (_error_reply(failure, attempts) if isinstance(failure, AwsFault) else failure), True


@contextmanager
def _rewound(params: Mapping[str, Any]) -> Iterator[None]:
    """Set the files among parameters back to where they were before the block, as botocore does before a retry."""
    positions = {name: value.tell() for name, value in params.items() if hasattr(value, "seek")}
    yield
    for name, position in positions.items():
        params[name].seek(position)


def _execute(handler: Handler, call: Call, model: OperationModel, attempts: int) -> Reply:
    try:
        run = uninterrupted_read if call.service == "sagemaker-runtime" else uninterrupted
        response = run(_handle, handler, model, call)
    except MomentaryFault:
        raise
    except AwsFault as fault:
        if fault.status < HTTPStatus.INTERNAL_SERVER_ERROR:
            return _error_reply(fault, attempts)
        parsed: Any = _error_reply(fault, attempts)[1]
        raise ClientError(parsed, call.operation) from fault.__cause__
    for observe in response_observers:
        observe(model, response)
    return _reply(_status(model, response), response, attempts)


def _status(model: OperationModel, response: Response) -> int:
    """Return the HTTP status of a success: 206 for a part of a content, else the service model's."""
    return HTTPStatus.PARTIAL_CONTENT if "ContentRange" in response else model.http.get("responseCode", HTTPStatus.OK)


def _error_reply(fault: AwsFault, retries: int) -> Reply:
    error = {"Code": fault.code, "Message": fault.message, "Type": "Sender"}
    return _reply(fault.status, {"Error": error, **fault.details}, retries)


def _handle(handler: Handler, model: OperationModel, call: Call) -> Response:
    """
    Call a handler.

    Raises:
        AwsFault: If the request is wrong, or for any error that is neither AWS's nor this library's.
    """
    try:
        check_request(model, call.params)
        return handler(call)
    except (AwsFault, MnistTrackingError, HTTPClientError):  # the last one: the caller's own file cannot be read
        raise
    except Exception as error:
        raise _internal_failure(call, error) from error


def _internal_failure(call: Call, error: Exception) -> AwsFault:
    if is_storage_error(error):
        message = f"The embedded SageMaker cannot use {str(call.context.store.home)!r}: {error}. Nothing was changed."
    else:
        _logger.error("%s:%s failed", call.service, call.operation, exc_info=error)
        message = f"The embedded SageMaker failed in {call.operation}: {type(error).__name__}: {error}"
    return AwsFault(message, status=HTTPStatus.INTERNAL_SERVER_ERROR)


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
