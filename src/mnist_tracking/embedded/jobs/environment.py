"""What a training script is started with: arguments and variables, as SageMaker's training toolkit gives them."""

import json
import os
from typing import Any

from mnist_tracking.embedded.jobs.layout import HOST, Layout, input_data_config, resource_config

_KEPT = ("PATH", "HOME", "TMPDIR", "LANG", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
_FRAMEWORK_MODULE = "sagemaker_pytorch_container.training:main"
_NO_CREDENTIALS = {  # those in files below HOME, and those of an instance; variables are not handed down anyway
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_CONFIG_FILE": os.devnull,
    "BOTO_CONFIG": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}


def decode_hyperparameters(raw: dict[str, str]) -> dict[str, Any]:
    """Decode each value as JSON; one that is none is taken as it is."""
    decoded = {}
    for name, value in raw.items():
        try:
            decoded[name] = json.loads(value)
        except (ValueError, RecursionError):
            decoded[name] = value
    return decoded


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


def variables(layout: Layout, request: dict[str, Any], arn: str, region: str, program: str) -> dict[str, str]:
    """Return the environment of a job's script."""
    hyperparameters = decode_hyperparameters(request.get("HyperParameters", {}))
    user = {name: value for name, value in hyperparameters.items() if not name.startswith("sagemaker_")}
    name = request["TrainingJobName"]
    platform = {
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "TRAINING_JOB_NAME": name,
        "TRAINING_JOB_ARN": arn,
        "SAGEMAKER_JOB_NAME": name,
        "SAGEMAKER_REGION": region,
        "SAGEMAKER_METRICS_DIRECTORY": str(layout.metrics),
        "MNIST_TRACKING_UPDATES": str(layout.updates),
        "CURRENT_HOST": HOST,
        "MASTER_ADDR": HOST,
        "MASTER_PORT": "7777",
        "PYTHONPATH": str(layout.code),
    }
    toolkit = _toolkit(layout, request, user, program)
    shown = {key: _shown(value) for key, value in toolkit.items() if "=" not in key}  # no variable can be called that
    return {**clean_environment(), **platform, **shown, **request.get("Environment", {})}


def _toolkit(layout: Layout, request: dict[str, Any], user: dict[str, Any], program: str) -> dict[str, Any]:
    resources, channels = resource_config(request), input_data_config(request)
    groups = resources["instance_groups"]
    return {
        "SM_HOSTS": resources["hosts"],
        "SM_NETWORK_INTERFACE_NAME": resources["network_interface_name"],
        "SM_HPS": user,
        "SM_USER_ENTRY_POINT": program,
        "SM_FRAMEWORK_PARAMS": {},
        "SM_RESOURCE_CONFIG": resources,
        "SM_INPUT_DATA_CONFIG": channels,
        "SM_OUTPUT_DATA_DIR": str(layout.output_data),
        "SM_CHANNELS": sorted(channels),
        "SM_CURRENT_HOST": HOST,
        "SM_CURRENT_INSTANCE_TYPE": resources["current_instance_type"],
        "SM_CURRENT_INSTANCE_GROUP": resources["current_group_name"],
        "SM_CURRENT_INSTANCE_GROUP_HOSTS": resources["hosts"],
        "SM_INSTANCE_GROUPS": [group["instance_group_name"] for group in groups],
        "SM_INSTANCE_GROUPS_DICT": {group["instance_group_name"]: group for group in groups},
        "SM_DISTRIBUTION_INSTANCE_GROUPS": [],
        "SM_IS_HETERO": False,
        "SM_MODULE_NAME": program.removesuffix(".py"),
        "SM_LOG_LEVEL": 20,
        "SM_FRAMEWORK_MODULE": _FRAMEWORK_MODULE,
        "SM_INPUT_DIR": str(layout.base / "input"),
        "SM_INPUT_CONFIG_DIR": str(layout.config),
        "SM_OUTPUT_DIR": str(layout.output),
        "SM_OUTPUT_INTERMEDIATE_DIR": str(layout.output / "intermediate"),
        "SM_NUM_CPUS": os.cpu_count() or 1,
        "SM_NUM_GPUS": 0,
        "SM_NUM_NEURONS": 0,
        "SM_MODEL_DIR": str(layout.model),
        "SM_MODULE_DIR": _module_dir(request),
        "SM_TRAINING_ENV": _training_env(layout, request, user, program),
        "SM_USER_ARGS": arguments(user),
        **{f"SM_CHANNEL_{channel.upper()}": str(layout.channel(channel)) for channel in channels},
        **{f"SM_HP_{name.upper()}": value for name, value in user.items()},
    }


def _training_env(layout: Layout, request: dict[str, Any], user: dict[str, Any], program: str) -> dict[str, Any]:
    """Return what the toolkit sums up as JSON."""
    resources, channels = resource_config(request), input_data_config(request)
    groups = {group["instance_group_name"]: group for group in resources["instance_groups"]}
    return {
        "additional_framework_parameters": {},
        "channel_input_dirs": {channel: str(layout.channel(channel)) for channel in channels},
        "current_host": HOST,
        "current_instance_group": resources["current_group_name"],
        "current_instance_group_hosts": resources["hosts"],
        "current_instance_type": resources["current_instance_type"],
        "distribution_hosts": [],
        "distribution_instance_groups": [],
        "framework_module": _FRAMEWORK_MODULE,
        "hosts": resources["hosts"],
        "hyperparameters": user,
        "input_config_dir": str(layout.config),
        "input_data_config": channels,
        "input_dir": str(layout.base / "input"),
        "instance_groups": list(groups),
        "instance_groups_dict": groups,
        "is_hetero": False,
        "is_master": True,
        "is_modelparallel_enabled": None,
        "is_smddpmprun_installed": False,
        "is_smddprun_installed": False,
        "job_name": request["TrainingJobName"],
        "log_level": 20,
        "master_hostname": HOST,
        "model_dir": str(layout.model),
        "module_dir": _module_dir(request),
        "module_name": program.removesuffix(".py"),
        "network_interface_name": resources["network_interface_name"],
        "num_cpus": os.cpu_count() or 1,
        "num_gpus": 0,
        "num_neurons": 0,
        "output_data_dir": str(layout.output_data),
        "output_dir": str(layout.output),
        "output_intermediate_dir": str(layout.output / "intermediate"),
        "resource_config": resources,
        "topology": [],
        "user_entry_point": program,
    }


def _module_dir(request: dict[str, Any]) -> str:
    return str(request.get("HyperParameters", {}).get("sagemaker_submit_directory", "")).strip('"')


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, sort_keys=True, separators=(",", ":"))
