"""Where the things of an endpoint are: its folder, its files and its log."""

from pathlib import Path

FOLDERS = "endpoints"
"""The folder, in the home, that has a folder for each endpoint."""

SPECIFICATION, SECRET, LOCK = "endpoint.json", "secret", "supervisor.lock"
"""Files in an endpoint's folder: what its supervisor reads, what its clients show, and what its supervisor holds."""

SECRET_HEADER = "x-mnist-tracking-secret"  # noqa: S105 - the name of the header
"""The header of a request that has the secret: its sender may read the endpoint's folder."""

MAX_BODY = 6_291_456
"""The most bytes of a request, as on SageMaker."""

MARK = "SAGEMAKER_BASE_DIR"
"""The variable whose value, the folder ``ml``, identifies the processes of an endpoint's model."""


def endpoint_folder(home: Path, folder: str) -> Path:
    """Return the folder of an endpoint, from the name that its row has."""
    return home / FOLDERS / folder


def log_group(name: str) -> str:
    """Return the log group of an endpoint."""
    return f"/aws/sagemaker/Endpoints/{name}"
