"""What a diagnosis has under one name."""

from mnist_tracking import (
    Workspace,
)
from mnist_tracking.doctor import Check, diagnose


def found(workspace: Workspace, name: str) -> list[Check]:
    return [check for check in diagnose(workspace).checks if check.name == name]


def one(workspace: Workspace, name: str) -> Check:
    (check,) = found(workspace, name)
    return check
