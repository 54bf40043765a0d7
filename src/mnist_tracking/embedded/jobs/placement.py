"""One host of one job: who it is, where its folders are, and what of the request concerns it."""

import json
from typing import Any

import attrs

from mnist_tracking.embedded.jobs import distribution
from mnist_tracking.embedded.jobs.container import Layout
from mnist_tracking.embedded.jobs.hosts import Host, hosts_of, resource_config


def decode_hyperparameters(raw: dict[str, str]) -> dict[str, Any]:
    """Decode each value as JSON; one that is none is taken as it is."""
    decoded = {}
    for name, value in raw.items():
        try:
            decoded[name] = json.loads(value)
        except (ValueError, RecursionError):
            decoded[name] = value
    return decoded


@attrs.frozen
class Placement:
    """
    One host of a job.

    Attributes:
        request: What CreateTrainingJob was given.
        arn: The job's ARN.
        region: The job's region.
        host: Which host it is.
        layout: Where its folders are.
        port: Where the first host listens for the others, on loopback; the job's own.
    """

    request: dict[str, Any]
    arn: str
    region: str
    host: Host
    layout: Layout
    port: int

    @property
    def hyperparameters(self) -> dict[str, Any]:
        return decode_hyperparameters(self.request.get("HyperParameters", {}))

    @property
    def user_hyperparameters(self) -> dict[str, Any]:
        return {name: value for name, value in self.hyperparameters.items() if not name.startswith("sagemaker_")}

    @property
    def program(self) -> str:
        return str(self.hyperparameters.get("sagemaker_program", ""))

    @property
    def is_package(self) -> bool:
        """Whether the code, once it is there, is a package to be installed, of which the program is a module."""
        return not self.program.endswith(".sh") and (self.layout.code / "setup.py").is_file()

    @property
    def channels(self) -> list[dict[str, Any]]:
        return channels_of(self.request, self.host)

    @property
    def input_data_config(self) -> dict[str, Any]:
        """The channels as ``inputdataconfig.json`` describes them."""
        mode = self.request["AlgorithmSpecification"].get("TrainingInputMode", "File")
        return {
            channel["ChannelName"]: {
                "TrainingInputMode": channel.get("InputMode", mode),
                "S3DistributionType": _source(channel).get("S3DataDistributionType", "FullyReplicated"),
                "RecordWrapperType": channel.get("RecordWrapperType", "None"),
            }
            for channel in self.channels
        }

    @property
    def resource_config(self) -> dict[str, Any]:
        """The hosts as ``resourceconfig.json`` describes them."""
        return resource_config(self.request, self.host)

    @property
    def distribution_groups(self) -> list[str]:
        return distribution.groups_of(self.hyperparameters, self.host)

    @property
    def distribution_hosts(self) -> list[str]:
        return [host.name for host in hosts_of(self.request) if host.group in self.distribution_groups]

    @property
    def master(self) -> str:
        """The name of the host that the others look for."""
        return (self.distribution_hosts or self.resource_config["hosts"])[0]

    def share_of(self, channel: dict[str, Any]) -> tuple[int, int]:
        """Return which share of a channel's objects the host gets, counted from 0, and how many shares there are."""
        if _source(channel).get("S3DataDistributionType") != "ShardedByS3Key":
            return 0, 1
        name = channel["ChannelName"]
        sharing = [
            host
            for host in hosts_of(self.request)
            if name in (each["ChannelName"] for each in channels_of(self.request, host))
        ]
        return sharing.index(self.host), len(sharing)


def channels_of(request: dict[str, Any], host: Host) -> list[dict[str, Any]]:
    """Return the channels that a host gets: those of its instance group, and those of all."""
    return [
        channel
        for channel in request.get("InputDataConfig", [])
        if host.group in (_source(channel).get("InstanceGroupNames") or [host.group])
    ]


def _source(channel: dict[str, Any]) -> dict[str, Any]:
    source: dict[str, Any] = channel["DataSource"]["S3DataSource"]
    return source
