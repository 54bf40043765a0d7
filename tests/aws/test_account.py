"""Account: what it looks up, it looks up once, also when many threads ask at the same time."""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.model import OperationModel

from mnist_tracking import ConfigError, Workspace
from mnist_tracking.embedded import EmbeddedSageMaker, Fault

THREADS = 8


def together(*calls: Callable[[], Any]) -> list[Any]:
    """Make calls in several threads that start at the same moment, and return their results."""
    barrier = threading.Barrier(THREADS)

    def make(number: int) -> Any:
        barrier.wait(timeout=30)
        return calls[number % len(calls)]()

    with ThreadPoolExecutor(THREADS) as pool:
        return [future.result(timeout=60) for future in [pool.submit(make, number) for number in range(THREADS)]]


def test_threads_look_everything_up_once(engine: EmbeddedSageMaker) -> None:
    """A look-up that needs others, such as the bucket's, does not wait for a thread that waits for it."""
    session, called = engine.session(), Counter[str]()

    def count(model: OperationModel, **_: object) -> None:
        called[model.name] += 1

    session.events.register("before-parameter-build.*.*", count)
    workspace = Workspace.aws(boto_session=session)
    found = together(lambda: workspace.bucket, lambda: workspace.account_id, lambda: workspace.role)

    assert len(set(found)) == 3
    assert called["CreateBucket"] == called["HeadBucket"] == 1
    assert called["GetCallerIdentity"] == 2, "the account ID; and the SDK, for the caller's role"


def test_threads_share_clients_and_the_session_of_the_sdk(engine: EmbeddedSageMaker) -> None:
    workspace = Workspace.embedded(engine=engine)

    assert len(set(map(id, together(lambda: workspace.client("sagemaker"))))) == 1
    assert len(set(map(id, together(lambda: workspace.sagemaker_session)))) == 1


def test_a_look_up_that_failed_is_tried_again(engine: EmbeddedSageMaker) -> None:
    workspace = Workspace.embedded(engine=engine)
    with engine.inject(Fault("403", operation="HeadBucket", status=403)), pytest.raises(ConfigError, match="another"):
        _ = workspace.bucket

    assert workspace.bucket == "sagemaker-us-east-1-000000000000"


def test_only_aws_is_billed(engine: EmbeddedSageMaker) -> None:
    assert not Workspace.embedded(engine=engine).is_billed
    assert Workspace.aws(boto_session=engine.session()).is_billed
