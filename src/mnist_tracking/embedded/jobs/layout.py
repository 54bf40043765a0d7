"""The folder ``/opt/ml`` of a job, as SageMaker lays it out."""

import json
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import attrs

from mnist_tracking.embedded.store import Store
from mnist_tracking.embedded.store.objects import list_objects, open_object

HOST = "algo-1"
_CHUNK = 1 << 20


@attrs.frozen
class Layout:
    """Where everything of a job lies."""

    base: Path

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
    def config(self) -> Path:
        return self.base / "input" / "config"

    @property
    def checkpoints(self) -> Path:
        return self.base / "checkpoints"

    def channel(self, name: str) -> Path:
        return self.base / "input" / "data" / name

    def make(self, request: dict[str, Any]) -> None:
        """Make the folders and the configuration files."""
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
        if "CheckpointConfig" in request:
            self.checkpoints.mkdir(exist_ok=True)
        for name, content in (
            ("hyperparameters", request.get("HyperParameters", {})),
            ("inputdataconfig", input_data_config(request)),
            ("resourceconfig", resource_config(request)),
        ):
            (self.config / f"{name}.json").write_text(json.dumps(content))


def input_data_config(request: dict[str, Any]) -> dict[str, Any]:
    """Describe the channels as ``inputdataconfig.json`` does."""
    return {
        channel["ChannelName"]: {
            "TrainingInputMode": channel.get("InputMode", request["AlgorithmSpecification"]["TrainingInputMode"]),
            "S3DistributionType": channel["DataSource"]["S3DataSource"].get(
                "S3DataDistributionType", "FullyReplicated"
            ),
            "RecordWrapperType": channel.get("RecordWrapperType", "None"),
        }
        for channel in request.get("InputDataConfig", [])
    }


def resource_config(request: dict[str, Any]) -> dict[str, Any]:
    """Describe the one host as ``resourceconfig.json`` does."""
    kind = request["ResourceConfig"].get("InstanceType", "ml.m5.xlarge")
    group = {"instance_group_name": "homogeneousCluster", "instance_type": kind, "hosts": [HOST]}
    return {
        "current_host": HOST,
        "current_instance_type": kind,
        "current_group_name": "homogeneousCluster",
        "hosts": [HOST],
        "instance_groups": [group],
        "network_interface_name": "eth0",
    }


def split_uri(uri: str) -> tuple[str, str]:
    """Return bucket and key of ``s3://bucket/key``."""
    parsed = urlparse(uri)
    return parsed.netloc, parsed.path.lstrip("/")


def download(store: Store, uri: str, folder: Path) -> int:
    """
    Copy what lies below an S3 prefix into a folder, as the S3Prefix data type does; return how many files there were.

    Below ``s3://bucket/data/train``, the key ``data/train/a.csv`` becomes ``a.csv``. A key in which the prefix ends
    inside a name keeps that name: ``data/train`` becomes ``train``, and ``data/train-2.csv`` becomes ``train-2.csv``.

    Raises:
        ValueError: If a key would leave the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    bucket, prefix = split_uri(uri)
    keys = [item.key for item in list_objects(store, bucket, prefix) if not item.key.endswith("/")]
    root = folder.resolve()
    return sum(_copy(store, bucket, key, root / _relative(key, prefix), root) for key in keys)


def _relative(key: str, prefix: str) -> str:
    """Return a key without its prefix, or without the prefix's folder if the prefix ends inside a name."""
    is_folder = not prefix or prefix.endswith("/") or key.startswith(f"{prefix}/")
    base = prefix if is_folder else prefix[: prefix.rfind("/") + 1]
    return key[len(base) :].lstrip("/")


def _copy(store: Store, bucket: str, key: str, target: Path, root: Path) -> bool:
    if not target.resolve().is_relative_to(root):
        raise ValueError(f"The key {key!r} would be written outside its channel.")
    found = open_object(store, bucket, key)
    if found is None:
        return False  # deleted since it was listed
    with found[1] as content:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as file:
            shutil.copyfileobj(content, file, _CHUNK)
    return True
