"""What a script finds in its container: the folders below ``/opt/ml``, and its arguments and variables."""

import json
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import attrs

from mnist_tracking.embedded.jobs import distribution
from mnist_tracking.embedded.jobs.hosts import MASTER_ADDRESS, Host, hosts_of, loopback, resource_config
from mnist_tracking.embedded.supervision import clean_environment

OPT_ML = PurePosixPath("/opt/ml")

UPDATES = "MNIST_TRACKING_UPDATES"
"""The variable that holds the folder of a job's component updates. Its value identifies all processes of a script."""
_FRAMEWORK_MODULE = "sagemaker_pytorch_container.training:main"
_TOOLKITS_OWN = frozenset(
    f"sagemaker_{name}"
    for name in (
        "container_log_level",
        "enable_cloudwatch_metrics",
        "job_name",
        "program",
        "region",
        "s3_output",
        "submit_directory",
    )
)
_LONGEST_VARIABLE = 128 * 1024
"""How many bytes Linux allows for one string of an environment, with its end; see execve(2)."""
_SINGLE_VARIABLES = (  # members of SM_TRAINING_ENV that also have a variable of their own
    "current_host",
    "current_instance_group",
    "current_instance_group_hosts",
    "current_instance_type",
    "distribution_instance_groups",
    "framework_module",
    "hosts",
    "input_config_dir",
    "input_data_config",
    "input_dir",
    "instance_groups",
    "instance_groups_dict",
    "is_hetero",
    "log_level",
    "model_dir",
    "module_dir",
    "module_name",
    "network_interface_name",
    "num_cpus",
    "num_gpus",
    "num_neurons",
    "output_data_dir",
    "output_dir",
    "output_intermediate_dir",
    "resource_config",
    "user_entry_point",
)


@attrs.frozen
class Layout:
    """
    The folders of one host.

    Attributes:
        base: The folder that is /opt/ml in a container.
        checkpoints: The folder of the checkpoints.
    """

    base: Path
    checkpoints: Path

    @classmethod
    def of(cls, base: Path, request: dict[str, Any]) -> "Layout":
        """Return the layout below a folder for a request of CreateTrainingJob."""
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
    def environment(self) -> Path:
        """The folder of the job's own Python environment, outside of /opt/ml."""
        return self.base.parent / "environments" / self.base.name

    @property
    def config(self) -> Path:
        return self.base / "input" / "config"

    def channel(self, name: str) -> Path:
        return self.base / "input" / "data" / name

    def make(self, **config: object) -> None:
        """Create the folders, and configuration files with these names and contents."""
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
    """Return the folder of a job's checkpoints in a container."""
    return PurePosixPath(request.get("CheckpointConfig", {}).get("LocalPath") or OPT_ML / "checkpoints")


def decode_hyperparameters(raw: dict[str, str]) -> dict[str, Any]:
    """Decode each value that is JSON; others are used as they are."""
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
    One host of a job, and what the request defines for it.

    Attributes:
        request: The request of CreateTrainingJob.
        arn: The job's ARN.
        region: The job's region.
        host: The host.
        layout: Its folders.
        port: The port of the first host on loopback, reserved for this job.
        gpus: The GPUs of this host.
        threads: Its share of the processors; None if they are not shared.
    """

    request: dict[str, Any]
    arn: str
    region: str
    host: Host
    layout: Layout
    port: int
    gpus: tuple[str, ...] = ()
    threads: int | None = None

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
        """Whether the unpacked code is a package to be installed, with the program as one of its modules."""
        return not self.program.endswith(".sh") and (self.layout.code / "setup.py").is_file()

    @property
    def channels(self) -> list[dict[str, Any]]:
        return channels_of(self.request, self.host)

    @property
    def input_data_config(self) -> dict[str, Any]:
        """The contents of ``inputdataconfig.json``."""
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
        """The contents of ``resourceconfig.json``."""
        return resource_config(self.request, self.host)

    @property
    def distribution_groups(self) -> list[str]:
        return distribution.distribution_groups(self.hyperparameters, self.host)

    @property
    def distribution_hosts(self) -> list[str]:
        return [host.name for host in hosts_of(self.request) if host.group in self.distribution_groups]

    @property
    def master(self) -> str:
        """The name of the host that the others connect to."""
        return (self.distribution_hosts or self.resource_config["hosts"])[0]

    def share_of(self, channel: dict[str, Any]) -> tuple[int, int]:
        """Return the number of the host's share of a channel's objects, from 0, and the number of shares."""
        if _source(channel).get("S3DataDistributionType") != "ShardedByS3Key":
            return 0, 1
        name = channel["ChannelName"]
        sharers = [
            host
            for host in hosts_of(self.request)
            if name in (each["ChannelName"] for each in channels_of(self.request, host))
        ]
        return sharers.index(self.host), len(sharers)


def channels_of(request: dict[str, Any], host: Host) -> list[dict[str, Any]]:
    """Return the channels of a host: those of its instance group, and those of all groups."""
    return [
        channel
        for channel in request.get("InputDataConfig", [])
        if host.group in (_source(channel).get("InstanceGroupNames") or [host.group])
    ]


def _source(channel: dict[str, Any]) -> dict[str, Any]:
    source: dict[str, Any] = channel["DataSource"]["S3DataSource"]
    return source


def arguments(hyperparameters: dict[str, Any]) -> list[str]:
    """Return the user's hyperparameters as arguments, sorted by name."""
    found: list[str] = []
    for name in sorted(hyperparameters):
        if not name.startswith("sagemaker_"):
            found += [f"-{name}" if len(name) == 1 else f"--{name}", _argument(hyperparameters[name])]
    return found


def _argument(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, dict):
        return ",".join(f"{key}={item}" for key, item in sorted(value.items()))
    return str(value)


def variables(placement: Placement, python: dict[str, str] | None = None) -> dict[str, str]:
    """Return the environment of a job's script on one host, with that of its interpreter."""
    name, layout = placement.request["TrainingJobName"], placement.layout
    platform = {
        "AWS_REGION": placement.region,
        "AWS_DEFAULT_REGION": placement.region,
        "TRAINING_JOB_NAME": name,
        "TRAINING_JOB_ARN": placement.arn,
        "SAGEMAKER_JOB_NAME": name,
        "SAGEMAKER_REGION": placement.region,
        "SAGEMAKER_METRICS_DIRECTORY": str(layout.metrics),
        "CURRENT_HOST": placement.host.name,
        "PYTHONPATH": f"{layout.code}{os.pathsep}{layout.packages}" if placement.is_package else str(layout.code),
    }
    encoded = {name: value for name, value in _encoded_variables(placement) if not _is_too_long(name, value)}
    given = placement.request.get("Environment", {})
    own = {**platform, **_processors(placement), **_rendezvous(placement), **encoded}
    return {**clean_environment(), **(python or {}), **own, **given, UPDATES: str(layout.updates)}


def _processors(placement: Placement) -> dict[str, str]:
    """Return the variables that keep jobs at once from using each other's GPUs, and more threads than processors."""
    threads = {} if placement.threads is None else {"OMP_NUM_THREADS": str(placement.threads)}
    return {"CUDA_VISIBLE_DEVICES": ",".join(placement.gpus), **threads}


def left_out(placement: Placement) -> list[str]:
    """Return the names of the toolkit's variables that are longer than the kernel allows, and so are not set."""
    return [name for name, value in _encoded_variables(placement) if _is_too_long(name, value)]


def _encoded_variables(placement: Placement) -> Iterator[tuple[str, str]]:
    for name, value in _toolkit(placement).items():
        if "=" not in name:  # not possible in the name of a variable
            yield name, _encoded(value)


def _is_too_long(name: str, value: str) -> bool:
    return len(name) + 1 + len(value.encode("utf-8", "surrogatepass")) >= _LONGEST_VARIABLE


def _rendezvous(placement: Placement) -> dict[str, str]:
    """Return the variables by which the hosts find each other: on loopback, since their names do not resolve here."""
    interface = loopback()
    return {
        "MASTER_ADDR": MASTER_ADDRESS,
        "MASTER_PORT": str(placement.port),
        "NCCL_SOCKET_IFNAME": interface,
        "NCCL_IB_DISABLE": "1",
        "GLOO_SOCKET_IFNAME": interface,  # not in SageMaker's container: gloo would resolve the name of this machine
    }


def _toolkit(placement: Placement) -> dict[str, Any]:
    summary, user = _training_env(placement), placement.user_hyperparameters
    single = {f"SM_{name.upper()}": summary[name] for name in _SINGLE_VARIABLES}
    return {
        **single,
        "SM_CHANNELS": sorted(summary["channel_input_dirs"]),
        "SM_FRAMEWORK_PARAMS": summary["additional_framework_parameters"],
        "SM_HPS": user,
        "SM_TRAINING_ENV": summary,
        "SM_USER_ARGS": arguments(user),
        **{f"SM_CHANNEL_{name.upper()}": folder for name, folder in summary["channel_input_dirs"].items()},
        **{f"SM_HP_{name.upper()}": value for name, value in user.items()},
    }


def _training_env(placement: Placement) -> dict[str, Any]:
    """Return the toolkit's summary, SM_TRAINING_ENV."""
    return {
        **_hosts(placement),
        **_folders(placement),
        "additional_framework_parameters": _framework_parameters(placement.hyperparameters),
        "framework_module": _FRAMEWORK_MODULE,
        "hyperparameters": placement.user_hyperparameters,
        "is_modelparallel_enabled": None,
        "is_smddpmprun_installed": False,
        "is_smddprun_installed": False,
        "job_name": placement.request["TrainingJobName"],
        "log_level": placement.hyperparameters.get("sagemaker_container_log_level", 20),
        "module_dir": str(placement.hyperparameters.get("sagemaker_submit_directory", "")),
        "module_name": placement.program.removesuffix(".py"),
        "num_cpus": placement.threads or os.cpu_count() or 1,
        "num_gpus": len(placement.gpus),
        "num_neurons": 0,
        "user_entry_point": placement.program,
    }


def _hosts(placement: Placement) -> dict[str, Any]:
    resources, host = placement.resource_config, placement.host
    groups = {group["instance_group_name"]: group for group in resources["instance_groups"]}
    return {
        "current_host": host.name,
        "current_instance_group": host.group,
        "current_instance_group_hosts": groups[host.group]["hosts"],
        "current_instance_type": host.instance_type,
        "distribution_hosts": placement.distribution_hosts,
        "distribution_instance_groups": placement.distribution_groups,
        "hosts": resources["hosts"],
        "instance_groups": list(groups),
        "instance_groups_dict": groups,
        "is_hetero": len(groups) > 1,
        "is_master": host.name == placement.master,
        "master_hostname": placement.master,
        "network_interface_name": resources["network_interface_name"],
        "resource_config": resources,
        "topology": [],
    }


def _folders(placement: Placement) -> dict[str, Any]:
    layout, channels = placement.layout, placement.input_data_config
    return {
        "channel_input_dirs": {channel: str(layout.channel(channel)) for channel in channels},
        "input_config_dir": str(layout.config),
        "input_data_config": channels,
        "input_dir": str(layout.base / "input"),
        "model_dir": str(layout.model),
        "output_data_dir": str(layout.output_data),
        "output_dir": str(layout.output),
        "output_intermediate_dir": str(layout.output / "intermediate"),
    }


def _framework_parameters(hyperparameters: dict[str, Any]) -> dict[str, Any]:
    """Return SageMaker's own hyperparameters that the toolkit does not use itself."""
    return {
        name: value
        for name, value in hyperparameters.items()
        if name.startswith("sagemaker_") and name not in _TOOLKITS_OWN
    }


def _encoded(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, sort_keys=True, separators=(",", ":"))
