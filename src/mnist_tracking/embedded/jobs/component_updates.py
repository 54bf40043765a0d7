"""Updates that a job makes to its own trial component: requests in a folder, since a job has no network."""

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mnist_tracking.embedded.disk import json_files, open_regular

_SERVER_ERROR = 500  # and above: the status of an error that is not the request's
_LONGEST = 1 << 22  # bytes; no request that the service accepts is longer


class ComponentUpdates:
    """
    The requests in a folder, each a JSON file with the parameters of UpdateTrialComponent.

    They are sent by a client of SageMaker, so they are checked, applied and rejected as any other. Most jobs leave
    none, so there is no client before the first one.

    Args:
        folder: Where the requests are; a file is deleted when it has been applied or rejected.
        warn: Called with the reason when a request is rejected.
        connect: Returns the client.
    """

    def __init__(self, folder: Path, *, warn: Callable[[str], object], connect: Callable[[], Any]) -> None:
        self._folder, self._warn, self._connect = folder, warn, connect
        self._client: Any = None
        self._done: set[Path] = set()  # those that cannot be deleted

    def apply(self, *, is_last: bool = False) -> None:
        """Apply the new requests, in the order of the files' names; while the disk is full, they wait for next time."""
        for path in json_files(self._folder):
            if path in self._done:
                continue
            reason = self._reason_against(path, is_last=is_last)
            if reason is None:
                return
            if reason:
                self._warn(f"An update of the trial component was not recorded: {reason}")
            self._done.add(path)
            with contextlib.suppress(OSError):
                path.unlink()
                self._done.remove(path)

    def _reason_against(self, path: Path, *, is_last: bool) -> str | None:
        """Apply a request; return why it was rejected, an empty string if it was not, and None if it has to wait."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            request = _read(path)
            self._client = self._client or self._connect()
            self._client.update_trial_component(**request)
        except ClientError as error:
            is_broken = error.response["ResponseMetadata"]["HTTPStatusCode"] >= _SERVER_ERROR
            return None if is_broken and not is_last else str(error)
        except (BotoCoreError, OSError, TypeError, ValueError, RecursionError) as error:
            return str(error)
        return ""


def _read(path: Path) -> dict[str, Any]:
    stream = open_regular(path)
    if stream is None:
        raise ValueError(f"{path.name} is not a regular file.")
    with stream:
        body = stream.read(_LONGEST + 1)
    if len(body) > _LONGEST:
        raise ValueError(f"{path.name} has more than {_LONGEST:,} bytes.")
    request: dict[str, Any] = json.loads(body)
    return request
