"""Errors on purpose: to see what a program does when AWS refuses a call, have the embedded SageMaker refuse it."""

import difflib
import threading
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, Self

import attrs

from mnist_tracking.embedded.faults import AwsFault
from mnist_tracking.errors import ConfigError

__all__ = ["Fault", "Injection", "Injections"]

_SAID = {  # AWS's code: the status and the message that come with it
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


def _at_least(least: int) -> Callable[[object, Any, int | None], None]:
    def check(_: object, attribute: Any, value: int | None) -> None:
        if value is not None and value < least:
            raise ConfigError(f"{attribute.name}={value!r}; a whole number from {least} is needed.")

    return check


@attrs.frozen
class Fault:
    """
    An error that the embedded SageMaker is to answer with, as AWS would.

    Attributes:
        code: AWS's error code, such as ``"ThrottlingException"``.
        operation: What is refused, such as ``"CreateTrainingJob"``; by default every operation.
        service: Whose operations, by boto3's name for it, such as ``"s3"``; by default every service's.
        times: How many calls are refused, each attempt of a retried call counted; None for all of them.
        after: How many calls go through before the first is refused.
        when: Given a call's parameters; says whether the call is meant. By default all are.
        message: What AWS says; by default what it says with this code.
        status: The HTTP status; by default the one that comes with this code.

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

    def concerns(self, service: str, operation: str, params: Mapping[str, Any]) -> bool:
        """Whether a call is one of those that it is about."""
        is_named = self.service in (None, service) and self.operation in (None, operation)
        return is_named and (self.when is None or self.when(params))

    def as_answer(self) -> AwsFault:
        """Return what the caller is answered with."""
        status, message = _SAID.get(self.code, (400, f"{self.code}, as injected."))
        return AwsFault(self.message or message, code=self.code, status=self.status or status)


class Injection:
    """
    A fault while it is there. Made by `EmbeddedSageMaker.inject`; leaving its ``with`` block takes it away.

    **Thread safety.** May be used from several threads.

    Attributes:
        fault: What calls are refused with.
        refused: How many calls it has refused so far, each attempt of a retried call counted.
    """

    def __init__(self, fault: Fault, remove: "Callable[[Injection], None]") -> None:
        self.fault = fault
        self.refused = 0
        self._passed = 0
        self._remove = remove

    def __repr__(self) -> str:
        return f"<Injection of {self.fault.code!r}, {self.refused} calls refused>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()

    def remove(self) -> None:
        """Take the fault away; again is fine."""
        self._remove(self)

    def takes(self, service: str, operation: str, params: Mapping[str, Any]) -> bool:
        """Whether this call is refused. Counts it."""
        if self.fault.times is not None and self.refused >= self.fault.times:
            return False
        if not self.fault.concerns(service, operation, params):
            return False
        if self._passed < self.fault.after:
            self._passed += 1
            return False
        self.refused += 1
        return True


class Injections:
    """What one engine was asked to refuse. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a fault's `when` may make calls
        self._current: list[Injection] = []

    def add(self, fault: Fault, known: Iterable[tuple[str, str]]) -> Injection:
        """
        Refuse calls from now on.

        Args:
            fault: Which, and how.
            known: The services and operations that there are.

        Raises:
            ConfigError: If the fault names none of those, and so could never be.
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

    def next_fault(self, service: str, operation: str, params: Mapping[str, Any]) -> AwsFault | None:
        """Return what this call is refused with, if it is; of several faults the first that was injected."""
        with self._lock:
            for injection in self._current:
                if injection.takes(service, operation, params):
                    return injection.fault.as_answer()
        return None


def _check_names(fault: Fault, known: Iterable[tuple[str, str]]) -> None:
    pairs = list(known)
    services = {service for service, _ in pairs}
    if fault.service is not None and fault.service not in services:
        raise ConfigError(f"service={fault.service!r}; possible are {', '.join(map(repr, sorted(services)))}.")
    operations = sorted({operation for service, operation in pairs if fault.service in (None, service)})
    if fault.operation is not None and fault.operation not in operations:
        near = difflib.get_close_matches(fault.operation, operations, n=3, cutoff=0.4) or operations[:3]
        raise ConfigError(f"operation={fault.operation!r} is none of the embedded SageMaker's; near are {near}.")
