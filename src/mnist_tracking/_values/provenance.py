"""Provenance: the code that a trial or a step comes from, and what it ran in."""

import os
import sys
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import attrs

from mnist_tracking._values.markers import JOB_RESERVED, RESERVED
from mnist_tracking._values.recordable import container_in
from mnist_tracking._values.repository import checkout_of
from mnist_tracking._values.runtime import RUNTIME, folder_of_program, this_command
from mnist_tracking._values.version import __version__

__all__ = [
    "CODE",
    "JOB_CODE",
    "Provenance",
    "code_in",
    "folder_of_code",
    "program_code",
    "take_provenance",
]

#: The parameter of a component that this library creates, with the code that recorded it, as JSON.
CODE = f"{RESERVED}code"

#: The hyperparameter of a job with the code that was sent; SageMaker copies it to the component.
JOB_CODE = f"{JOB_RESERVED}code"

_IMAGE = "SageMaker.ImageUri"
_METADATA = ("CommitId", "Repository", "GeneratedBy")
_TEXTS = ("commit", "repository", "command", "python", "executable", "platform", "image")


def _own_copy(versions: Mapping[str, str]) -> Mapping[str, str]:
    return dict(versions)


@attrs.frozen(kw_only=True)
class Provenance:
    """
    Where a trial or a step comes from, as far as it was recorded.

    Attributes:
        commit: The git commit of the code that was sent to the job, or of the program that computed the trial or step.
        is_dirty: Whether the code differed from that commit: a tracked file had changed, or a script was not tracked.
        repository: The URL of the git repository, without credentials.
        command: The command that submitted the job, or computed the trial or the step, without secrets.
        python: The Python that it ran in, such as ``"CPython 3.12.3"``; for a job, only if the script records
            parameters with `mnist_tracking.job`.
        executable: The path of that Python.
        platform: The operating system and the processor.
        packages: The versions of the main packages, by name; for a job, only that of this library, unless the script
            records parameters with `mnist_tracking.job`.
        image: The container image of a job; on the embedded SageMaker, the interpreter that ran the script.
    """

    commit: str | None = None
    is_dirty: bool | None = None
    repository: str | None = None
    command: str | None = None
    python: str | None = None
    executable: str | None = None
    platform: str | None = None
    packages: Mapping[str, str] = attrs.field(factory=dict, converter=_own_copy, hash=False)
    image: str | None = None


def code_in(folder: Path | None) -> dict[str, Any]:
    """
    Return the provenance of the code in a folder, as it is recorded, with the version of this library.

    Without a folder, and for installed code, which is no part of the repository that it may lie in, no commit is known.
    """
    has_commit = folder is not None and not Path(os.path.abspath(folder)).is_relative_to(sys.prefix)
    state = checkout_of(folder)._asdict() if folder is not None and has_commit else {}
    found = {**state, "command": this_command(), "packages": {"mnist-tracking": __version__}}
    return {name: value for name, value in found.items() if value is not None}


def folder_of_code(entry_point: str, source_dir: str | None) -> Path | None:
    """Return the folder of a job's code; None for code in S3."""
    if source_dir is not None:
        return None if source_dir.startswith("s3://") else Path(source_dir)
    return Path(entry_point).absolute().parent


def program_code() -> dict[str, Any]:
    """Return the provenance of the program that is running, as it is recorded."""
    return code_in(folder_of_program())


def take_provenance(stored: dict[str, str | float], metadata: Mapping[str, str]) -> Provenance:
    """
    Remove from a component's parameters what records its provenance, and return it.

    Args:
        stored: The component's parameters, as they are stored.
        metadata: The component's MetadataProperties, which tools of others fill in, too.
    """
    texts = tuple(stored.pop(name, None) for name in (JOB_CODE, CODE, RUNTIME))
    found = _recorded(texts, stored.get(_IMAGE), *map(metadata.get, _METADATA))
    return Provenance(**found)  # type: ignore[arg-type]


@lru_cache(maxsize=256)  # most trials of an experiment have the same
def _recorded(
    texts: tuple[str | float | None, ...],
    image: str | float | None,
    commit: str | None,
    repository: str | None,
    command: str | None,
) -> Mapping[str, object]:
    """Return the attributes of a `Provenance` that are recorded in the given values."""
    recorded: dict[str, Any] = {"commit": commit, "repository": repository, "command": command, "image": image or None}
    for text in texts:
        found = container_in(text) if isinstance(text, str) else None
        recorded |= found if isinstance(found, dict) else {}
    is_dirty, packages = recorded.get("is_dirty"), recorded.get("packages")
    return {
        "is_dirty": is_dirty if isinstance(is_dirty, bool) else None,
        "packages": {str(name): str(version) for name, version in packages.items()}
        if isinstance(packages, dict)
        else {},
        **{name: recorded[name] for name in _TEXTS if isinstance(recorded.get(name), str)},
    }
