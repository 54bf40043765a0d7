"""The state of an embedded SageMaker: one SQLite file, with numbered migrations, and blobs beside it."""

from mnist_tracking.embedded.store.blobs import Blobs as Blobs
from mnist_tracking.embedded.store.database import Store as Store

__all__ = ["Blobs", "Store"]
