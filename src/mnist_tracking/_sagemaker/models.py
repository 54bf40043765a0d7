"""Pack a model that was trained elsewhere as a training job would have left it."""

import os
import tarfile
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from mnist_tracking._sagemaker.objects import upload_file
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
    if not path.exists():
        raise ConfigError(f"There is no model {str(path)!r} to upload.")
    script = _script(entry_point, source_dir)
    uri = f"{folder}/model.tar.gz"
    _upload_packed(workspace, path.iterdir() if path.is_dir() else [path], uri)
    if script is None:
        return UploadedModel(uri, None, None)
    root = Path(source_dir) if source_dir is not None else None
    code_uri = f"{folder}/sourcedir.tar.gz"
    _upload_packed(workspace, root.iterdir() if root else [script], code_uri)
    return UploadedModel(uri, code_uri, script.relative_to(root).as_posix() if root else script.name)


def _script(entry_point: str | os.PathLike[str] | None, source_dir: str | os.PathLike[str] | None) -> Path | None:
    if entry_point is None:
        if source_dir is not None:
            raise ConfigError("source_dir needs an entry_point: which of its scripts has model_fn?")
        return None
    script = Path(source_dir or "", entry_point)
    if not script.is_file():
        raise ConfigError(f"The entry point {str(script)!r} does not exist.")
    return script


def _upload_packed(workspace: "Workspace", paths: Iterable[Path], uri: str) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        archive = Path(scratch, "archive.tar.gz")
        with tarfile.open(archive, "w:gz", compresslevel=6) as tar:
            for path in sorted(paths):
                tar.add(path, arcname=path.name)
        upload_file(workspace, archive, uri)
