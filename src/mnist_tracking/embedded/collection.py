"""
Delete what programs that were killed left behind, and give the space that it took back to the disk.

Nothing is deleted that a living process may still write, that something refers to, or that this library did not make.
"""

import contextlib
import os
import sqlite3
import time

from mnist_tracking._values.files import is_locked, locked
from mnist_tracking.embedded.context import Context
from mnist_tracking.embedded.disk import delete_all
from mnist_tracking.embedded.hosting import launcher as hosting
from mnist_tracking.embedded.jobs import launcher as jobs
from mnist_tracking.embedded.jobs.state import ENDED, read_job
from mnist_tracking.embedded.store import Store
from mnist_tracking.embedded.store.backup import delete_links
from mnist_tracking.embedded.store.logs import delete_orphaned_lines
from mnist_tracking.embedded.store.objects import stored_contents
from mnist_tracking.embedded.store.uploads import delete_upload, uploads_before

_STAMP = "locks/collection"


def collect_if_due(context: Context) -> None:
    """
    Collect, unless this home's last collection is recent or another process collects.

    What fails, such as for lack of permissions, is left to the next time: opening a home never fails because of it.
    """
    stamp = context.store.home / _STAMP
    with contextlib.suppress(FileNotFoundError):
        if 0 <= time.time() - stamp.stat().st_mtime < context.timing.collection_interval_s:
            return
    with contextlib.suppress(OSError, sqlite3.Error), locked(stamp, wait=False):
        os.utime(stamp)
        collect(context)


def collect(context: Context) -> None:
    """
    Collect orphans: abandoned uploads and old log lines, then contents, folders and free pages.

    Whatever interrupts this, the next collection completes it.
    """
    store, timing, now = context.store, context.timing, context.now()
    with store.write() as connection:
        for upload in uploads_before(connection, now - timing.upload_expiry_s):
            delete_upload(connection, upload.id)
        delete_orphaned_lines(connection, before=now - timing.log_expiry_s)
    store.blobs.delete_unused(lambda: _used(store))
    delete_links(store.home)
    hosting.delete_orphans(store)
    jobs.delete_orphans(store)
    _delete_work(store)
    store.shrink()


def _used(store: Store) -> set[str]:
    with store.read() as connection:
        return {content.blob for content in stored_contents(connection)}


def _delete_work(store: Store) -> None:
    """Delete the working folders of jobs that have ended without deleting them."""
    for path in (store.home / "jobs").glob("*/ml"):
        with store.read() as connection:
            job = read_job(connection, path.parent.name)
        if job is not None and job["status"] in ENDED and not is_locked(jobs.supervisor_lock(store, path.parent.name)):
            delete_all(path, store.home)
