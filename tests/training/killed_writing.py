"""
Write a checkpoint, and end without a word before or after the n-th call of it that changes files; for every n.

Prints how many left the old one, and how many the new.

A program of its own, since a process with threads should not fork.
"""

import os
import sys
from pathlib import Path
from types import FrameType

import torch

from mnist_tracking.training.checkpoint import CheckpointFolder
from mnist_tracking.training.hyperparameters import Hyperparameters
from mnist_tracking.training.run import new_model
from mnist_tracking.training.state import TrainingState

CALLS = ("mkdir", "open", "write", "flush", "fsync", "close", "replace", "rename", "unlink")
SETTINGS = Hyperparameters(hidden_channels=1, kernel_size=9)


def state_at(step: int) -> dict[str, object]:
    state = TrainingState(new_model(SETTINGS, torch.device("cpu")), SETTINGS, steps=9)
    state.step = step
    return state.as_dict()


def folder(path: Path) -> CheckpointFolder:
    return CheckpointFolder(path, SETTINGS, circumstances={}, warn=fail)


def fail(warning: str) -> None:
    raise AssertionError(warning)


def die_at(number: int) -> None:
    """End this process at the *number*-th moment before or after such a call."""
    left = number

    def count(_: FrameType, event: str, called: object) -> None:
        nonlocal left
        if event in ("c_call", "c_return") and getattr(called, "__name__", "") in CALLS:
            left -= 1
            if not left:
                os._exit(9)

    sys.setprofile(count)


def main(path: Path) -> None:
    for step in (1, 2, 3):
        folder(path).write(state_at(step))
    number, counts, new, code = 0, {3: 0, 4: 0}, state_at(4), 9
    while code == 9:
        number += 1
        (path / "epoch-0001-step-00004.pt").unlink(missing_ok=True)
        child = os.fork()
        if not child:
            die_at(number)
            folder(path).write(new)
            os._exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        with folder(path).taken():
            found = folder(path).latest()
        if found is None or list(path.glob(".*")):
            fail(f"killed at call {number}: {sorted(path.iterdir())}")
        else:
            counts[found["step"]] += 1
    print(*counts.values())


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]))
