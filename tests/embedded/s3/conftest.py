from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from mnist_tracking.embedded.engine import EmbeddedSageMaker

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@pytest.fixture
def s3(engine: EmbeddedSageMaker) -> "S3Client":
    """A client, with one empty bucket: ``digits``."""
    client = engine.session().client("s3")
    client.create_bucket(Bucket="digits")
    return client


@pytest.fixture
def contents_kept(engine: EmbeddedSageMaker) -> Callable[[], int]:
    """Count the files that the engine keeps for S3, including temporary ones."""
    return lambda: sum(path.is_file() for path in engine.store.blobs.folder.rglob("*"))
