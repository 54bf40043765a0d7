"""Pack a model that was trained elsewhere as a training job would have left it."""

import os
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from mnist_tracking._aws.storage import upload_file
from mnist_tracking._values.path_checks import check_path
from mnist_tracking.errors import ConfigError

if TYPE_CHECKING:
    from mnist_tracking.workspace import Workspace


@attrs.frozen
class UploadedModel:
    """Where a model is, and the code that serves it: ``s3://`` locations, and the script's name in the code."""

    uri: str
    code_uri: str | None
    program: str | None


def upload_model(
    workspace: "Workspace",
    path: Path,
    folder: str,
    entry_point: str | os.PathLike[str] | None,
    source_dir: str | os.PathLike[str] | None,
) -> UploadedModel:
    """
    Upload a file or a folder as ``model.tar.gz`` below *folder*, and its script as ``sourcedir.tar.gz``.

    Raises:
        ConfigError: If the model or the script is not there. Nothing was sent.
    """
    if not os.path.exists(path):
        raise ConfigError(f"There is no model {str(path)!r} to upload.")
    script = find_script(entry_point, source_dir)
    uri = f"{folder}/model.tar.gz"
    _upload_packed(workspace, path, uri)
    if script is None:
        return UploadedModel(uri, None, None)
    code_uri = f"{folder}/sourcedir.tar.gz"
    _upload_packed(workspace, script if source_dir is None else script.parent, code_uri)
    return UploadedModel(uri, code_uri, script.name)


def find_script(entry_point: str | os.PathLike[str] | None, source_dir: str | os.PathLike[str] | None) -> Path | None:
    """
    Return the script that an endpoint runs: a file, or one at the top of a folder; None if none is named.

    Raises:
        ConfigError: If it is not there.
    """
    check_script(entry_point, source_dir)
    if entry_point is None:
        return None
    script = Path(source_dir or "", entry_point)
    if not os.path.isfile(script):
        raise ConfigError(f"The entry point {str(script)!r} does not exist.")
    return script


def check_script(entry_point: str | os.PathLike[str] | None, source_dir: str | os.PathLike[str] | None) -> None:
    """
    Make sure that a script can be an endpoint's.

    Raises:
        ConfigError: If none is named, or not one at the top of *source_dir*.
    """
    for name, given in (("entry_point", entry_point), ("source_dir", source_dir)):
        if given is not None:
            check_path(name, given)
    if source_dir is None:
        return
    if entry_point is None:
        raise ConfigError("source_dir needs an entry_point: which of its scripts has model_fn?")
    if len(Path(entry_point).parts) > 1:
        raise ConfigError(
            f"The entry point {str(entry_point)!r} is not at the top of source_dir; an endpoint imports it from there."
        )


def _upload_packed(workspace: "Workspace", path: Path, uri: str) -> None:
    """Upload a file, or what is in a folder, as one archive; links are followed."""
    with tempfile.TemporaryDirectory() as scratch:
        archive = Path(scratch, "archive.tar.gz")
        with tarfile.open(archive, "w:gz", compresslevel=6, dereference=True) as tar:
            for item in sorted(path.iterdir()) if path.is_dir() else [path]:
                tar.add(item, arcname=item.name)
        upload_file(workspace, archive, uri)
