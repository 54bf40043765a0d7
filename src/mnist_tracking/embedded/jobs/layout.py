"""The folder ``/opt/ml`` of a job, as SageMaker lays it out."""

import json
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import attrs

from mnist_tracking.embedded.store import Store
from mnist_tracking.embedded.store.objects import list_objects

HOST = "algo-1"


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
            "TrainingInputMode": channel.get("InputMode", "File"),
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

    Keys that would leave the folder are refused.
    """
    folder.mkdir(parents=True, exist_ok=True)
    bucket, prefix = split_uri(uri)
    found = [item for item in list_objects(store, bucket, prefix) if not item.key.endswith("/")]
    root = folder.resolve()
    for item in found:
        relative = item.key[len(prefix) :].lstrip("/") or item.key.rsplit("/", 1)[-1]
        target = (root / relative).resolve()
        if not target.is_relative_to(root):
            raise ValueError(f"The key {item.key!r} would be written outside its channel.")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(item.path, target)
    return len(found)
