"""The launcher that the SDK's ``distribution`` selects: torchrun, or one that is not supported."""

from typing import Any

from mnist_tracking.embedded.jobs.hosts import MASTER_ADDRESS, Host

TORCHRUN = "torch_distributed"

_LAUNCHERS = {  # the word in the hyperparameter that enables a launcher: its name in the SDK's `distribution`
    "mpi": "mpi",
    "distributed_dataparallel": "smdistributed",
    "pytorch_ddp": "pytorchddp",
    TORCHRUN: TORCHRUN,
    "pytorch_xla_multi_worker": "pytorchxla",
    "parameter_server": "parameter_server",
    "multi_worker_mirrored_strategy": "multi_worker_mirrored_strategy",
}


def launcher_of(hyperparameters: dict[str, Any]) -> str | None:
    """
    Return the SDK's name of the launcher in a job's decoded hyperparameters, or None.

    Example:
        >>> launcher_of({"sagemaker_distributed_dataparallel_enabled": True}), launcher_of({"epochs": 2})
        ('smdistributed', None)
    """
    found = (called for word, called in _LAUNCHERS.items() if hyperparameters.get(f"sagemaker_{word}_enabled"))
    return next(found, None)


def distribution_groups(hyperparameters: dict[str, Any], host: Host) -> list[str]:
    """Return the instance groups that use the launcher, as SageMaker's toolkit lists them on one host."""
    given = hyperparameters.get("sagemaker_distribution_instance_groups")
    if given:
        return [str(group) for group in given]
    return [host.group] if launcher_of(hyperparameters) else []


def torchrun(python: str, hosts: list[str], current: str, port: int, gpus: int) -> list[str]:
    """
    Return the start of the command that the toolkit runs on each host; program and arguments follow.

    It has an address and a port even for a single host, where the toolkit uses torchrun's default port: two jobs on one
    machine must not share it.

    Args:
        python: The interpreter.
        hosts: The names of the participating hosts.
        current: The name of this host.
        port: The port of the first host.
        gpus: The number of GPUs of each host, and of the processes on it; without GPUs, there is one process.
    """
    options = {
        "--nnodes": len(hosts),
        "--nproc_per_node": max(gpus, 1),
        "--master_addr": MASTER_ADDRESS,
        "--master_port": port,
        "--node_rank": hosts.index(current),
    }
    return [python, "-m", "torch.distributed.run", *(str(part) for option in options.items() for part in option)]
