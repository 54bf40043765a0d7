"""The folder ``/opt/ml`` of one host of a job, as SageMaker lays it out."""

import json
import shutil
from pathlib import Path, PurePosixPath
from typing import Any

import attrs

from mnist_tracking.embedded.store import Store
from mnist_tracking.embedded.store.objects import list_objects, open_object

OPT_ML = PurePosixPath("/opt/ml")
_CHUNK = 1 << 20


@attrs.frozen
class Layout:
    """
    Where everything of one host lies.

    Attributes:
        base: What is /opt/ml in a container.
        checkpoints: Where the checkpoints are.
    """

    base: Path
    checkpoints: Path

    @classmethod
    def of(cls, base: Path, request: dict[str, Any]) -> "Layout":
        """Return the layout below a folder for what was asked of CreateTrainingJob."""
        return cls(base, base / local_path(request).relative_to(OPT_ML))

    @property
    def code(self) -> Path:
        return self.base / "code"

    @property
    def model(self) -> Path:
        return self.base / "model"

    @property
    def output(self) -> Path:
        return self.base / "output"

    @property
    def output_data(self) -> Path:
        return self.output / "data"

    @property
    def metrics(self) -> Path:
        return self.output / "metrics" / "sagemaker"

    @property
    def updates(self) -> Path:
        return self.base / "updates"

    @property
    def packages(self) -> Path:
        return self.base / "packages"

    @property
    def config(self) -> Path:
        return self.base / "input" / "config"

    def channel(self, name: str) -> Path:
        return self.base / "input" / "data" / name

    def make(self, **config: object) -> None:
        """Make the folders, and the configuration files of these names with these contents."""
        for folder in (
            self.code,
            self.model,
            self.output_data,
            self.output / "intermediate",
            self.metrics,
            self.updates,
            self.config,
        ):
            folder.mkdir(parents=True, exist_ok=True)
        for name, content in config.items():
            (self.config / f"{name}.json").write_text(json.dumps(content))


def local_path(request: dict[str, Any]) -> PurePosixPath:
    """Return where a job's checkpoints are in a container."""
    return PurePosixPath(request.get("CheckpointConfig", {}).get("LocalPath") or OPT_ML / "checkpoints")


def split_uri(uri: str) -> tuple[str, str]:
    """
    Return bucket and key of ``s3://bucket/key``, whatever the key has in it.

    Example:
        >>> split_uri("s3://bucket/why?/part#1.csv")
        ('bucket', 'why?/part#1.csv')
    """
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key.lstrip("/")


def download(store: Store, uri: str, folder: Path, *, share: tuple[int, int] = (0, 1)) -> int:
    """
    Copy what lies below an S3 prefix into a folder, as the S3Prefix data type does; return how many objects there are.

    Below ``s3://bucket/data/train``, the key ``data/train/a.csv`` becomes ``a.csv``. A key in which the prefix ends
    inside a name keeps that name: ``data/train`` becomes ``train``, and ``data/train-2.csv`` becomes ``train-2.csv``.

    Args:
        store: Where the objects are.
        uri: The prefix.
        folder: Where the files go; made if missing.
        share: Which share of the objects to copy, counted from 0, and how many shares there are: each gets every n-th.

    Raises:
        ValueError: If a key would leave the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    bucket, prefix = split_uri(uri)
    keys = [item.key for item in list_objects(store, bucket, prefix) if not item.key.endswith("/")]
    root = folder.resolve()
    number, shares = share
    for key in keys[number::shares]:
        _copy(store, bucket, key, root / _relative(key, prefix), root)
    return len(keys)


def _relative(key: str, prefix: str) -> str:
    """Return a key without its prefix, or without the prefix's folder if the prefix ends inside a name."""
    is_folder = not prefix or prefix.endswith("/") or key.startswith(f"{prefix}/")
    base = prefix if is_folder else prefix[: prefix.rfind("/") + 1]
    return key[len(base) :].lstrip("/")


def _copy(store: Store, bucket: str, key: str, target: Path, root: Path) -> None:
    if not target.resolve().is_relative_to(root):
        raise ValueError(f"The key {key!r} would be written outside its channel.")
    found = open_object(store, bucket, key)
    if found is None:
        return  # deleted since it was listed
    with found[1] as content:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as file:
            shutil.copyfileobj(content, file, _CHUNK)
