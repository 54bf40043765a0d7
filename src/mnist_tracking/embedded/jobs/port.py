"""A port of a job's own, on which its first host listens for the others."""

import socket
from types import TracebackType
from typing import Self

from mnist_tracking.embedded.jobs.hosts import MASTER_ADDRESS


class ReservedPort:
    """
    A free port that no other job gets, and the system hands to nobody, until the block ends or the process does.

    A socket is bound to it that never listens. Whoever asks to share the address (SO_REUSEADDR, as torch and the
    listeners of Python's own libraries do) can listen there all the same.

    Attributes:
        number: The port.
    """

    def __init__(self) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind((MASTER_ADDRESS, 0))
        self.number: int = self._socket.getsockname()[1]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._socket.close()
