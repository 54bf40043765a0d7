"""What a job says of its own trial component: requests that it leaves in a folder, since it has no network."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mnist_tracking.embedded.store import Store


class Updates:
    """
    The requests in a folder, each a JSON file that holds what UpdateTrialComponent is to be given.

    They are sent through a client of an engine on the same home, so they are checked, applied and refused as any other.
    Most jobs leave none, so botocore is not imported before the first one.

    Args:
        folder: Where the requests are; a file is deleted when it has been read.
        store: The state of the embedded SageMaker.
        warn: Told why a request was refused.
    """

    def __init__(self, folder: Path, *, store: Store, warn: Callable[[str], object]) -> None:
        self._folder, self._store, self._warn = folder, store, warn
        self._client: Any = None

    def apply(self) -> None:
        """Apply what has come since the last time, in the order of the files' names."""
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
            self._warn(f"What the job says of its trial component is not recorded: {error}")

    def _connect(self) -> Any:
        from mnist_tracking.embedded.engine import EmbeddedSageMaker

        return EmbeddedSageMaker(self._store.home, durability=self._store.durability).session().client("sagemaker")
