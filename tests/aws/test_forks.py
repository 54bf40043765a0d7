"""A process that is forked while another thread uses the account."""

import os
import signal
import threading

import pytest

from mnist_tracking import Workspace


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded, use of fork:DeprecationWarning")
def test_child_finds_no_lock_of_a_thread_that_it_does_not_have(workspace: Workspace) -> None:
    """Otherwise it would wait forever for the name of the bucket, or for a client."""
    is_looking_up, is_over = threading.Event(), threading.Event()

    def look_up() -> str:
        is_looking_up.set()
        is_over.wait(60)
        return "value"

    thread = threading.Thread(target=lambda: workspace._once("something", look_up))
    thread.start()
    is_looking_up.wait(60)
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        try:
            os._exit(0 if workspace.bucket else 1)
        finally:
            os._exit(1)
    is_over.set()
    thread.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
