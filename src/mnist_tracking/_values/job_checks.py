"""What a job says, checked before anything is sent: its files, inputs, numbers and the rest."""

import difflib
import os
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mnist_tracking._values.path_checks import check_path
from mnist_tracking._values.shown import shortened
from mnist_tracking.errors import ConfigError

__all__ = [
    "channels",
    "check_choice",
    "check_count",
    "check_files",
    "check_image",
    "check_inputs",
    "check_instance_type",
    "check_mappings",
    "check_text",
    "check_texts",
    "copied",
    "is_in_s3",
    "path_text",
    "path_texts",
]

_INSTANCE_TYPE = re.compile(r"ml\.[a-z0-9-]+\.[a-z0-9-]+")
_IN_S3 = re.compile(r"s3://[^/]")
_CHANNEL = re.compile(r"[A-Za-z0-9._-]{1,64}")


def path_text(name: str, path: object) -> str:
    """Return a path as a text; ConfigError if it is none."""
    return str(check_path(name, path)) if not isinstance(path, str) or not path else path


def path_texts(name: str, paths: object) -> tuple[str, ...]:
    """Return several paths as texts; ConfigError if they are none, or a single one, which is no list."""
    if isinstance(paths, str | os.PathLike) or not isinstance(paths, Iterable):
        raise ConfigError(f"{name}={shortened(paths)}; a list of paths is needed, such as ['lib'].")
    return tuple(path_text(name, path) for path in paths)


def copied(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a mapping of our own; what is none goes to `check_mappings`, which knows its name."""
    return dict(values) if isinstance(values, Mapping) else values


def check_mappings(**given: Mapping[str, object]) -> None:
    """Make sure that these are mappings of names to values; ConfigError otherwise."""
    for argument, values in given.items():
        if not isinstance(values, Mapping) or not all(isinstance(name, str) for name in values):
            raise ConfigError(f"{argument}={shortened(values)}; a mapping of names to values is needed.")


def check_choice(what: str, value: object, possible: tuple[str, ...]) -> None:
    """Make sure that a value is one of those that are possible; ConfigError otherwise."""
    if value not in possible:
        raise ConfigError(f"{what}={shortened(value)}; possible are {', '.join(map(repr, possible))}.")


def check_count(what: str, value: object) -> None:
    """Make sure that a value is a whole number from 1; ConfigError otherwise."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigError(f"{what}={shortened(value)}; a whole number from 1 is needed.")


def check_text(what: str, value: object, example: str) -> None:
    """Make sure that a value is a text, and not an empty one; ConfigError otherwise."""
    if not isinstance(value, str) or not value:
        raise ConfigError(f"{what}={shortened(value)}; a text is needed, such as {example!r}.")


def check_image(uri: object) -> None:
    """Make sure that a value can be a container image, or is None; ConfigError otherwise."""
    if uri is not None:
        check_text("image_uri", uri, "<account>.dkr.ecr.<region>.amazonaws.com/<name>:<tag>")


def check_texts(what: str, values: Mapping[str, object]) -> None:
    """Make sure that all values of a mapping are texts; ConfigError otherwise."""
    for name, value in values.items():
        if not isinstance(value, str):
            raise ConfigError(f"{what} has {name!r}: {shortened(value)}; texts are needed, such as '1'.")


def check_instance_type(value: object) -> None:
    """Make sure that a value can be the name of an instance type, of whatever year; ConfigError otherwise."""
    if not isinstance(value, str) or not _INSTANCE_TYPE.fullmatch(value):
        raise ConfigError(
            f"instance_type={shortened(value)}; one of SageMaker's instance types is needed, such as 'ml.m5.xlarge'."
        )


def check_files(entry_point: str, source_dir: str | None) -> None:
    """Make sure that the script is there, unless it is in S3; ConfigError otherwise, with what is beside it."""
    if source_dir is not None and source_dir.startswith("s3://"):
        return
    if source_dir is not None and not os.path.isdir(source_dir):
        raise ConfigError(f"source_dir {source_dir!r} is not a folder.")
    script = Path(source_dir or "", entry_point)
    if not os.path.isfile(script):
        beside = sorted(path.name for path in script.parent.glob("*.py")) if os.path.isdir(script.parent) else []
        near = difflib.get_close_matches(script.name, beside, n=3, cutoff=0.3) or beside[:5]
        hint = f" Scripts there: {', '.join(map(repr, near))}." if near else ""
        raise ConfigError(f"The entry point {str(script)!r} does not exist.{hint}")


def channels(names: Iterable[str]) -> tuple[str, ...]:
    """Return the names of channels; ConfigError if they are none, or a single one, which is no list."""
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise ConfigError(f"required_inputs={shortened(names)}; a list of channels is needed, such as ['training'].")
    return tuple(_channel(name) for name in names)


def _channel(name: object) -> str:
    if not isinstance(name, str) or not _CHANNEL.fullmatch(name):
        raise ConfigError(f"The channel name {shortened(name)} is refused: letters, digits, '.', '_' and '-', 1 to 64.")
    return name


def check_inputs(inputs: Mapping[str, object]) -> None:
    """Make sure that inputs are locations in S3, or the SDK's own, by channel; ConfigError otherwise."""
    for channel, uri in inputs.items():
        _channel(channel)
        if not is_in_s3(uri) and not _is_of_sdk(uri):
            raise ConfigError(
                f"The input {channel!r} is {shortened(uri)}; a location in S3 is needed, 's3://bucket/prefix', or one "
                "of sagemaker.inputs."
            )


def is_in_s3(uri: object) -> bool:
    """Whether a value is a location in S3, in a bucket."""
    return isinstance(uri, str) and _IN_S3.match(uri) is not None


def _is_of_sdk(value: object) -> bool:
    """Whether a value is an input of the SDK's, which nobody has who has not imported it."""
    inputs: Any = sys.modules.get("sagemaker.inputs")
    return inputs is not None and isinstance(value, inputs.TrainingInput | inputs.FileSystemInput)
