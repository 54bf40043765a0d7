"""Updates that a job makes to its own trial component: requests in a folder, since a job has no network."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any


class ComponentUpdates:
    """
    The requests in a folder, each a JSON file with the parameters of UpdateTrialComponent.

    They are sent by a client of SageMaker, so they are checked, applied and rejected as any other. Most jobs leave
    none, so there is no client before the first one.

    Args:
        folder: Where the requests are; a file is deleted when it has been read.
        warn: Called with the reason when a request is rejected.
        connect: Returns the client.
    """

    def __init__(self, folder: Path, *, warn: Callable[[str], object], connect: Callable[[], Any]) -> None:
        self._folder, self._warn, self._connect = folder, warn, connect
        self._client: Any = None

    def apply(self) -> None:
        """Apply the new requests, in the order of the files' names."""
        for path in sorted(self._folder.glob("*.json")):
            body = path.read_bytes()
            path.unlink()
            self._update(body)

    def _update(self, body: bytes) -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        self._client = self._client or self._connect()
        try:
            self._client.update_trial_component(**json.loads(body))
        except (BotoCoreError, ClientError, TypeError, ValueError, RecursionError) as error:
            self._warn(f"An update of the trial component was not recorded: {error}")
