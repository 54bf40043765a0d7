"""The hosts of a training job, as SageMaker names and groups them; here they are processes of one machine."""

import socket
from collections import Counter
from types import TracebackType
from typing import Any, Self

import attrs

MASTER_ADDRESS = "127.0.0.1"
"""The address of the first host. SageMaker uses its name, algo-1, which resolves only in its network."""
_GROUP = "homogeneousCluster"
_DEFAULT_TYPE = "ml.m5.xlarge"


@attrs.frozen
class Host:
    """One host: its name, such as ``algo-1``, its instance group and its instance type."""

    name: str
    group: str
    instance_type: str


def hosts_of(request: dict[str, Any]) -> list[Host]:
    """
    Return the hosts of a job, sorted by name as SageMaker sorts them: ``algo-10`` comes before ``algo-2``.

    Example:
        >>> [host.name for host in hosts_of({"ResourceConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 2}})]
        ['algo-1', 'algo-2']
    """
    kinds = [
        (group.get("InstanceGroupName", _GROUP), group.get("InstanceType", _DEFAULT_TYPE))
        for group in groups_of(request)
        for _ in range(group.get("InstanceCount", 1))
    ]
    return sorted((Host(f"algo-{number}", *kind) for number, kind in enumerate(kinds, 1)), key=lambda host: host.name)


def groups_of(request: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a job's instance groups; a job without groups has one."""
    resources: dict[str, Any] = request["ResourceConfig"]
    return resources.get("InstanceGroups") or [resources]


def instances_of(request: dict[str, Any]) -> Counter[str]:
    """Count a job's instances by type."""
    return Counter(host.instance_type for host in hosts_of(request))


def resource_config(request: dict[str, Any], host: Host) -> dict[str, Any]:
    """Return the contents of ``resourceconfig.json`` on one of the hosts."""
    hosts = hosts_of(request)
    types = dict.fromkeys((each.group, each.instance_type) for each in hosts)
    return {
        "current_host": host.name,
        "current_instance_type": host.instance_type,
        "current_group_name": host.group,
        "hosts": [each.name for each in hosts],
        "instance_groups": [
            {
                "instance_group_name": group,
                "instance_type": kind,
                "hosts": [each.name for each in hosts if each.group == group],
            }
            for group, kind in types
        ],
        "network_interface_name": loopback(),
    }


def loopback() -> str:
    """Return the network interface by which the hosts reach each other: ``lo`` on Linux, ``lo0`` on macOS."""
    return next((name for _, name in socket.if_nameindex() if name.startswith("lo")), "lo")


class ReservedPort:
    """
    A free port that no other job and no other program gets until the block or the process ends.

    A socket is bound to it, but never listens. Programs that share the address (SO_REUSEADDR, as torch and the servers
    of Python's standard library do) can listen there nevertheless.

    Attributes:
        number: The port.
    """

    def __init__(self) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind((MASTER_ADDRESS, 0))
        self.number: int = self._socket.getsockname()[1]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._socket.close()
