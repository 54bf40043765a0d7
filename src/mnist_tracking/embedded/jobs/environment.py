"""What a training script is started with: arguments and variables, as SageMaker's training toolkit gives them."""

import json
import os
from typing import Any

from mnist_tracking.embedded.jobs.hosts import MASTER_ADDRESS, loopback
from mnist_tracking.embedded.jobs.placement import Placement

UPDATES = "MNIST_TRACKING_UPDATES"
"""Names a folder of one host of one job. All that its script starts inherits it, and is known by it."""

_KEPT = ("PATH", "HOME", "TMPDIR", "LANG", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
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
_NO_CREDENTIALS = {  # those in files below HOME, and those of an instance; variables are not handed down anyway
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_CONFIG_FILE": os.devnull,
    "BOTO_CONFIG": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}


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


def clean_environment() -> dict[str, str]:
    """Return what a job or an endpoint may see of its starter's environment: no credentials, no PYTHONPATH."""
    kept = {name: value for name, value in os.environ.items() if name in _KEPT or name.startswith("LC_")}
    return {**kept, **_NO_CREDENTIALS, "PYTHONUNBUFFERED": "1"}


def variables(placement: Placement) -> dict[str, str]:
    """Return the environment of a job's script on one host."""
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
    toolkit = _toolkit(placement)
    shown = {key: _shown(value) for key, value in toolkit.items() if "=" not in key}  # no variable can be called that
    given = placement.request.get("Environment", {})
    own = {**platform, **_rendezvous(placement), **shown}
    return {**clean_environment(), **own, **given, UPDATES: str(layout.updates)}


def _rendezvous(placement: Placement) -> dict[str, str]:
    """Return how the hosts find each other: by loopback, since their names mean nothing on one machine."""
    interface = loopback()
    return {
        "MASTER_ADDR": MASTER_ADDRESS,
        "MASTER_PORT": str(placement.port),
        "NCCL_SOCKET_IFNAME": interface,
        "NCCL_IB_DISABLE": "1",
        "GLOO_SOCKET_IFNAME": interface,  # not the container's: gloo looks for the machine's own name else
    }


def _toolkit(placement: Placement) -> dict[str, Any]:
    summary, user = _training_env(placement), placement.user_hyperparameters
    told = {f"SM_{name.upper()}": summary[name] for name in _TOLD_ALONE}
    return {
        **told,
        "SM_CHANNELS": sorted(summary["channel_input_dirs"]),
        "SM_FRAMEWORK_PARAMS": summary["additional_framework_parameters"],
        "SM_HPS": user,
        "SM_TRAINING_ENV": summary,
        "SM_USER_ARGS": arguments(user),
        **{f"SM_CHANNEL_{name.upper()}": folder for name, folder in summary["channel_input_dirs"].items()},
        **{f"SM_HP_{name.upper()}": value for name, value in user.items()},
    }


_TOLD_ALONE = (  # of what the toolkit sums up as JSON
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


def _training_env(placement: Placement) -> dict[str, Any]:
    """Return what the toolkit sums up as JSON."""
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
        "num_cpus": os.cpu_count() or 1,
        "num_gpus": 0,
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
    """Return the hyperparameters of SageMaker's own that the toolkit does not use itself."""
    return {
        name: value
        for name, value in hyperparameters.items()
        if name.startswith("sagemaker_") and name not in _TOOLKITS_OWN
    }


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, sort_keys=True, separators=(",", ":"))
