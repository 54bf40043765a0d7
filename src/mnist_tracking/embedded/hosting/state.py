"""Where the things of an endpoint are: its folder, its files and its log."""

from pathlib import Path

FOLDERS = "endpoints"
"""The folder, in the home, that has a folder for each endpoint."""

SPECIFICATION, SECRET, LOCK = "endpoint.json", "secret", "supervisor.lock"
"""Files in an endpoint's folder: what its supervisor reads, what its clients show, and what its supervisor holds."""


def endpoint_folder(home: Path, folder: str) -> Path:
    """Return the folder of an endpoint, from the name that its row has."""
    return home / FOLDERS / folder


def log_group(name: str) -> str:
    """Return the log group of an endpoint."""
    return f"/aws/sagemaker/Endpoints/{name}"
