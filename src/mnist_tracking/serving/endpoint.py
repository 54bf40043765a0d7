"""Endpoint: a deployed model, ready to predict."""

from types import TracebackType
from typing import Any, Self

from mnist_tracking._aws.account import Account
from mnist_tracking._aws.endpoints import (
    EndpointFacts,
    EndpointStatus,
    delete_endpoint,
    delete_endpoint_alone,
    endpoint_status,
    find_endpoint,
    invoke,
    wait_for_endpoint,
)
from mnist_tracking._values.checks import check_timeout
from mnist_tracking._values.dotted import resolve_known
from mnist_tracking._values.formats import (
    Deserializer,
    Format,
    Serializer,
    accept_header,
    deserializer_of,
    formats_in,
    serializer_of,
)
from mnist_tracking.errors import ConfigError

__all__ = ["Endpoint", "attach_to_endpoint"]


class Endpoint:
    """
    A deployed model, from `Trial.deploy`, `BestModelDeployer.deploy` or `Workspace.endpoint`.

    Leaving its ``with`` block deletes it if it was deployed for that; one that was looked up stays.

    **Thread safety.** `predict` may be called from several threads at once.

    Attributes:
        name: Its name.
        trial: The name of the trial whose model it serves; None if unknown.
        adapter: The dotted name of its adapter, or the formats it was deployed with by name, such as ``"json"`` or
            ``"numpy/csv"``; None if unknown.
    """

    def __init__(
        self,
        account: Account,
        facts: EndpointFacts,
        *,
        serializer: Serializer | Format | None = None,
        deserializer: Deserializer | Format | None = None,
        delete: bool,
    ) -> None:
        self.name = facts.name
        self.trial = facts.trial
        self.adapter = facts.adapter
        self._account = account
        self._facts = facts
        self._has_own_format = serializer is not None or deserializer is not None
        if not self._has_own_format:
            serializer, deserializer = formats_in(facts.adapter)
        self._serializer = serializer_of(serializer)
        self._deserializer = deserializer_of(deserializer, serializer)
        self._delete = delete

    def __repr__(self) -> str:
        return f"<Endpoint {self.name!r}" + (f" serving {self.trial!r}>" if self.trial else ">")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._delete:
            self.delete()

    @property
    def status(self) -> EndpointStatus:
        """
        Its status, such as ``"Creating"`` or ``"InService"``; requested each time.

        Raises:
            NotFoundError: If it was deleted.
        """
        return endpoint_status(self._account, self.name)

    def wait(self, *, timeout_s: float | None = 1800.0) -> Self:
        """
        Wait until it is in service.

        Args:
            timeout_s: Give up waiting after this many seconds; the endpoint stays.

        Returns:
            The endpoint itself.

        Raises:
            ConfigError: If *timeout_s* is negative or not a number.
            JobFailedError: If it fails to start; carries the end of its log. The endpoint stays, and can be deleted.
            JobTimeoutError: If it takes longer than *timeout_s*.
            NotFoundError: If it is deleted meanwhile.
        """
        check_timeout(timeout_s)
        wait_for_endpoint(self._account, self.name, timeout_s, "It may still start; wait again, or delete it.")
        return self

    def predict(self, data: Any, **options: Any) -> Any:
        """
        Invoke the endpoint.

        Args:
            data: What the serializer takes; by default an array, sent as it is in one request. With an adapter, what
                that takes: for the CNN of `mnist_job`, ``(28, 28)``, ``(N, 28, 28)`` or ``(N, 1, 28, 28)`` uint8 in
                [0, 255], any number of images, not normalised.
            **options: Passed to the adapter: for the CNN, ``probabilities=True`` returns ``(N, 10)`` float32
                probabilities.

        Returns:
            What the deserializer returns, by default an array, or what the adapter returns: for the CNN ``(N,)`` int64
            digits.

        Raises:
            ConfigError: If the data cannot be sent, or the adapter does not take it. Nothing was sent.
            ServiceError: If the model fails, with its message, or its response cannot be read.
            NotFoundError: If the endpoint was deleted.
            StateError: If it is not in service.
        """
        adapter = None if self._has_own_format else resolve_known(self.adapter or "")
        if callable(adapter):
            return adapter(self._invoke, data, **options)
        if options:
            raise ConfigError(
                f"predict() got {', '.join(map(repr, options))}, but {self.name!r} has no adapter that takes options."
            )
        return self._invoke(data)

    def _invoke(self, data: Any) -> Any:
        stream, content_type = invoke(
            self._account,
            self.name,
            self._serializer.serialize(data),
            content_type=self._serializer.CONTENT_TYPE,
            accept=accept_header(self._deserializer),
        )
        return self._deserializer.deserialize(stream, content_type)

    def delete(self) -> None:
        """
        Delete the endpoint, its configuration, its model and the archive packed for it. Safe to call more than once.

        For an endpoint that this library did not create, the configuration and the model stay: others may use them.

        SageMaker does not delete an endpoint that is being created, so this waits until it is in service or has failed,
        which may take many minutes on AWS. Ctrl-C ends the waiting, and the endpoint stays.

        Raises:
            StateError: If it is still being created after an hour. Nothing was deleted then.
        """
        (delete_endpoint if self._facts.is_ours else delete_endpoint_alone)(self._account, self.name)


def attach_to_endpoint(
    account: Account,
    name: str,
    serializer: Serializer | Format | None,
    deserializer: Deserializer | Format | None,
) -> Endpoint:
    """
    Return an endpoint by its name; see `Workspace.endpoint`.

    Raises:
        ConfigError: If the serializer or the deserializer is not valid.
        NotFoundError: If the endpoint does not exist; the error lists the nearest names.
    """
    serializer_of(serializer)  # a wrong one is reported first, as when a model is deployed
    deserializer_of(deserializer, serializer)
    facts = find_endpoint(account, name)
    return Endpoint(account, facts, serializer=serializer, deserializer=deserializer, delete=False)
