"""An account that answers as AWS would."""

import copy
import json
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from tests.support.diagnoses import Answer, Answering

from mnist_tracking import Workspace
from mnist_tracking.embedded import EmbeddedSageMaker


@pytest.fixture
def answering(engine: EmbeddedSageMaker) -> Answering:
    """Makes a workspace on the embedded account, where some operations are answered as a test says."""

    def make(answers: Mapping[str, Answer], **settings: Any) -> Workspace:
        session = engine.session()
        for event, answer in answers.items():
            emitter: Any = session.events  # its stubs do not know of handlers that answer
            emitter.register_first(f"before-call.{event}", _handler(answer))
        return Workspace.aws(boto_session=session, **settings)

    return make


def _handler(answer: Answer) -> Callable[..., tuple[SimpleNamespace, dict[str, Any]]]:
    def handle(params: dict[str, Any], **_: object) -> tuple[SimpleNamespace, dict[str, Any]]:
        body = params["body"]
        response = copy.deepcopy(answer(json.loads(body) if isinstance(body, bytes) and body else body))
        status = 403 if "Error" in response else 200
        return SimpleNamespace(status_code=status, headers={}, raw=None, content=b""), response

    return handle
