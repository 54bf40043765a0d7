"""What the SDK's ``distribution`` asks for: a launcher of several processes, torchrun or one that is not here."""

from typing import Any

from mnist_tracking.embedded.jobs.hosts import MASTER_ADDRESS, Host

TORCHRUN = "torch_distributed"

_LAUNCHERS = {  # the word in the hyperparameter that switches it on: what the SDK's `distribution` calls it
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
    Return what the SDK calls the launcher that a job's decoded hyperparameters ask for, or None.

    Example:
        >>> launcher_of({"sagemaker_distributed_dataparallel_enabled": True}), launcher_of({"epochs": 2})
        ('smdistributed', None)
    """
    found = (called for word, called in _LAUNCHERS.items() if hyperparameters.get(f"sagemaker_{word}_enabled"))
    return next(found, None)


def distribution_groups(hyperparameters: dict[str, Any], host: Host) -> list[str]:
    """Return the instance groups that the launcher is for, as SageMaker's toolkit tells them to one host."""
    given = hyperparameters.get("sagemaker_distribution_instance_groups")
    if given:
        return [str(group) for group in given]
    return [host.group] if launcher_of(hyperparameters) else []


def torchrun(python: str, hosts: list[str], current: str, port: int) -> list[str]:
    """
    Return the beginning of the command that the toolkit runs on each host; program and arguments follow.

    It names the first host's address for one host too, where the toolkit leaves torchrun its fixed default port: two
    jobs on one machine must not meet there.

    Args:
        python: The interpreter.
        hosts: The names of the hosts that take part.
        current: Which of them this one is.
        port: Where the first one is reached.
    """
    options = {
        "--nnodes": len(hosts),
        "--nproc_per_node": 1,  # no GPU is told to a job here, see SM_NUM_GPUS
        "--master_addr": MASTER_ADDRESS,
        "--master_port": port,
        "--node_rank": hosts.index(current),
    }
    return [python, "-m", "torch.distributed.run", *(str(part) for option in options.items() for part in option)]
