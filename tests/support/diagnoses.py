"""What the tests of diagnoses share: how an account is made to answer, and what a diagnosis has under one name."""

from collections.abc import Callable, Mapping
from typing import Any

from mnist_tracking import Workspace
from mnist_tracking.upkeep.doctor import Check, diagnose

Answer = Callable[[Mapping[str, str]], dict[str, Any]]
Answering = Callable[..., Workspace]


def found(workspace: Workspace, name: str) -> list[Check]:
    return [check for check in diagnose(workspace).checks if check.name == name]


def one(workspace: Workspace, name: str) -> Check:
    (check,) = found(workspace, name)
    return check
