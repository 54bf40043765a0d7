"""The state of an embedded SageMaker: a SQLite database, and the contents of S3 objects beside it."""

from mnist_tracking.embedded.store.blobs import Blobs as Blobs
from mnist_tracking.embedded.store.database import Store as Store

__all__ = ["Blobs", "Store"]
