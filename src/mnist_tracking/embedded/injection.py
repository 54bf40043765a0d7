"""Fault injection: make the embedded SageMaker return AWS's errors, to test how a program handles them."""

import difflib
import threading
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, Self

import attrs
from botocore.exceptions import ConnectionClosedError, ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError

from mnist_tracking.embedded.faults import AwsFault
from mnist_tracking.errors import ConfigError

__all__ = ["Fault", "Injection", "Injections"]

_DEFAULTS = {  # AWS's code: the status and the message that come with it
    "ThrottlingException": (400, "Rate exceeded"),
    "RequestLimitExceeded": (503, "Request limit exceeded."),
    "SlowDown": (503, "Please reduce your request rate."),
    "InternalFailure": (500, "The request processing has failed because of an unknown error."),
    "ServiceUnavailable": (503, "The request has failed due to a temporary failure of the server."),
    "ExpiredTokenException": (400, "The security token included in the request is expired"),
    "ExpiredToken": (400, "The provided token has expired."),
    "UnrecognizedClientException": (400, "The security token included in the request is invalid."),
    "AccessDeniedException": (400, "User is not authorized to perform this operation."),
    "AccessDenied": (403, "Access Denied"),
    "ConflictException": (400, "There was a conflict when you attempted to modify an entity."),
    "ResourceLimitExceeded": (400, "The account-level service limit is reached."),
}
ConnectionFault = ConnectionClosedError | ConnectTimeoutError | EndpointConnectionError | ReadTimeoutError
_CONNECTION_FAULTS: dict[str, type[ConnectionFault]] = {
    fault.__name__: fault
    for fault in (ConnectionClosedError, ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError)
}


def _at_least(least: int) -> Callable[[object, Any, int | None], None]:
    def check(_: object, attribute: Any, value: int | None) -> None:
        if value is not None and value < least:
            raise ConfigError(f"{attribute.name}={value!r}; expected an integer >= {least}.")

    return check


@attrs.frozen
class Fault:
    """
    An AWS error that the embedded SageMaker returns from some calls.

    Attributes:
        code: AWS's error code, such as ``"ThrottlingException"``, or the name of one of botocore's exceptions for a
            connection: ``"ConnectionClosedError"``, ``"ReadTimeoutError"``, ``"ConnectTimeoutError"`` or
            ``"EndpointConnectionError"``.
        operation: Which operation fails, such as ``"CreateTrainingJob"``; by default every one.
        service: The service of the operation, by boto3's name, such as ``"s3"``; by default every one.
        times: How many calls fail, each attempt of a retried call counted; None for all of them.
        after: How many calls succeed before the first one fails.
        when: Called with a call's parameters; returns whether the call may fail. By default, every call may.
        message: The error message; by default AWS's message for this code. Exceptions for connections have their own.
        status: The HTTP status; by default AWS's status for this code.
        lost: Whether the call is executed, and only its response is lost: the client receives the error instead.

    Raises:
        ConfigError: If *times* is less than 1, or *after* than 0.
    """

    code: str
    operation: str | None = attrs.field(default=None, kw_only=True)
    service: str | None = attrs.field(default=None, kw_only=True)
    times: int | None = attrs.field(default=1, kw_only=True, validator=_at_least(1))
    after: int = attrs.field(default=0, kw_only=True, validator=_at_least(0))
    when: Callable[[Mapping[str, Any]], bool] | None = attrs.field(default=None, kw_only=True)
    message: str | None = attrs.field(default=None, kw_only=True)
    status: int | None = attrs.field(default=None, kw_only=True)
    lost: bool = attrs.field(default=False, kw_only=True)

    def matches(self, service: str, operation: str, params: Mapping[str, Any]) -> bool:
        """Whether a call is one of those that fail."""
        is_named = self.service in (None, service) and self.operation in (None, operation)
        return is_named and (self.when is None or self.when(params))

    def to_error(self) -> AwsFault | ConnectionFault:
        """Return the error response, or the exception for a connection."""
        if connection_fault := _CONNECTION_FAULTS.get(self.code):
            return connection_fault(endpoint_url="https://embedded")
        status, message = _DEFAULTS.get(self.code, (400, f"{self.code}, as injected."))
        return AwsFault(self.message or message, code=self.code, status=self.status or status)


class Injection:
    """
    An active fault, created by `EmbeddedSageMaker.inject`. Leaving its ``with`` block removes it.

    **Thread safety.** May be used from several threads.

    Attributes:
        fault: As given.
        failures: How many calls it has made fail so far, each attempt of a retried call counted.
    """

    def __init__(self, fault: Fault, remove: "Callable[[Injection], None]") -> None:
        self.fault = fault
        self.failures = 0
        self._passed = 0
        self._remove = remove

    def __repr__(self) -> str:
        return f"<Injection of {self.fault.code!r}, {self.failures} failed calls>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()

    def remove(self) -> None:
        """Remove the fault. Safe to call more than once."""
        self._remove(self)

    def applies_to(self, service: str, operation: str, params: Mapping[str, Any]) -> bool:
        """Whether this call fails. Counts it."""
        if self.fault.times is not None and self.failures >= self.fault.times:
            return False
        if not self.fault.matches(service, operation, params):
            return False
        if self._passed < self.fault.after:
            self._passed += 1
            return False
        self.failures += 1
        return True


class Injections:
    """The active faults of one engine. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a fault's `when` may make calls
        self._current: list[Injection] = []

    def add(self, fault: Fault, known: Iterable[tuple[str, str]]) -> Injection:
        """
        Make calls fail from now on.

        Args:
            fault: Which calls, and how.
            known: The supported services and operations.

        Raises:
            ConfigError: If the fault names none of them, and so would never occur.
        """
        _check_names(fault, known)
        injection = Injection(fault, self._remove)
        with self._lock:
            self._current.append(injection)
        return injection

    def _remove(self, injection: Injection) -> None:
        with self._lock:
            if injection in self._current:
                self._current.remove(injection)

    def next_fault(self, service: str, operation: str, params: Mapping[str, Any]) -> Fault | None:
        """Return the fault of this call, if it is to fail; of several matching faults, the one injected first."""
        with self._lock:
            for injection in self._current:
                if injection.applies_to(service, operation, params):
                    return injection.fault
        return None


def _check_names(fault: Fault, known: Iterable[tuple[str, str]]) -> None:
    pairs = list(known)
    services = {service for service, _ in pairs}
    if fault.service is not None and fault.service not in services:
        raise ConfigError(f"service={fault.service!r}; expected one of {', '.join(map(repr, sorted(services)))}.")
    operations = sorted({operation for service, operation in pairs if fault.service in (None, service)})
    if fault.operation is not None and fault.operation not in operations:
        near = difflib.get_close_matches(fault.operation, operations, n=3, cutoff=0.4) or operations[:3]
        raise ConfigError(f"operation={fault.operation!r} is not supported by the embedded SageMaker; similar: {near}.")
