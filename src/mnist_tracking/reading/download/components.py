"""The files of one step: its model, its output, its artifacts and its log."""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Literal
from urllib.parse import unquote

import attrs

from mnist_tracking._aws.account import Account
from mnist_tracking._aws.storage import find_object, objects_below
from mnist_tracking.reading.download.names import Names, Paths, safe_name

if TYPE_CHECKING:
    from mnist_tracking._values.records import Artifact, Component
    from mnist_tracking.reading.download.folder import Folder

__all__ = ["DownloadedFile", "FileKind", "fetch_artifacts", "fetch_model", "is_model"]

FileKind = Literal["model", "output", "artifact", "log"]
_MODEL = "SageMaker.ModelArtifact"
_MODEL_ARCHIVE = "/model.tar.gz"
_NAMES_OBJECTS = re.compile("s3://[^/]+/+[^/]")  # SageMaker's debugger records a bucket as its output
_OUTPUT_ARCHIVE = "/output.tar.gz"
_INSIDE = f"{_OUTPUT_ARCHIVE}#"  # as `mnist_tracking.job.log_artifact` says it


@attrs.frozen
class DownloadedFile:
    """
    A file of a step, or a folder of files that belong together.

    Attributes:
        component: The step that wrote it.
        kind: What it is.
        name: What the step calls it.
        uri: Where it is in S3; empty for a log.
        path: Where it lies in the folder of the download; None if it is no longer in S3.
        size_bytes: The size of what lies there.
    """

    component: str
    kind: FileKind
    name: str
    uri: str
    path: str | None
    size_bytes: int


def is_model(artifact: "Artifact") -> bool:
    """Whether an output of a step is its model."""
    return artifact.name == _MODEL


def fetch_model(
    account: Account, component: "Component", folder: "Folder", at: str, *, with_output: bool = True
) -> Iterator[DownloadedFile]:
    """Fetch the model of a step, unpacked, below *at*; and with it the other output of its job."""
    for artifact in filter(is_model, component.outputs):
        yield _fetch(account, folder, DownloadedFile(component.name, "model", "model", artifact.uri, f"{at}model", 0))
    if with_output and component.job_name and (uri := _output_of(component)) is not None:
        output = _fetch(account, folder, DownloadedFile(component.name, "output", "output", uri, f"{at}output", 0))
        if output.path is not None:  # most scripts have none
            yield output


def _output_of(component: "Component") -> str | None:
    """Return where a job's output would be: where files of it are said to be, or beside its model."""
    archives = [artifact.uri.partition(_INSIDE)[0] for artifact in component.outputs if _INSIDE in artifact.uri]
    models = [artifact.uri for artifact in component.outputs if is_model(artifact)]
    beside = [uri.removesuffix(_MODEL_ARCHIVE) for uri in models if uri.endswith(_MODEL_ARCHIVE)]
    return next((f"{folder}{_OUTPUT_ARCHIVE}" for folder in (*archives, *beside)), None)


def fetch_artifacts(account: Account, component: "Component", folder: "Folder", at: str) -> Iterator[DownloadedFile]:
    """Fetch what else a step has written, below *at*: files and folders in S3."""
    names = Names()
    for artifact in component.outputs:
        if _NAMES_OBJECTS.match(artifact.uri) and not is_model(artifact):
            if _INSIDE in artifact.uri:
                yield _inside_output(component, folder, at, artifact)
                continue
            name = names.free(PurePosixPath(artifact.uri).name or artifact.name)
            path = f"{at}artifacts/{name}"
            yield _fetch(
                account, folder, DownloadedFile(component.name, "artifact", artifact.name, artifact.uri, path, 0)
            )


def _inside_output(component: "Component", folder: "Folder", at: str, artifact: "Artifact") -> DownloadedFile:
    """Return where a file lies that the script of a job logged: in the output, unpacked before."""
    member = PurePosixPath(unquote(artifact.uri.partition(_INSIDE)[2]))  # as the archive has it
    path: str | None = f"{at}output/{member}"
    is_inside = not member.is_absolute() and ".." not in member.parts
    size = folder.size_of(str(path)) if is_inside else None
    return DownloadedFile(
        component.name, "artifact", artifact.name, artifact.uri, None if size is None else path, size or 0
    )


def _fetch(account: Account, folder: "Folder", wanted: DownloadedFile) -> DownloadedFile:
    """Fetch an object, or all objects in a folder of that name, and say what came of it."""
    is_packed, uri, base = wanted.kind != "artifact", wanted.uri, str(wanted.path)
    found = find_object(account, uri)
    if found is not None:
        is_archive = is_packed and uri.endswith((".tar.gz", ".tgz", ".tar"))
        path = base if is_archive or not is_packed else f"{base}/{safe_name(uri.rsplit('/', 1)[-1])}"
        return attrs.evolve(wanted, size_bytes=folder.fetch(account, found, path, unpacked=is_archive))
    paths, prefix = Paths(), f"{uri.rstrip('/')}/"
    sizes = [
        folder.fetch(account, item, f"{base}/{paths.free(item.uri.removeprefix(prefix))}")
        for item in objects_below(account, uri)
        if not item.uri.endswith("/")  # the console's mark of an empty folder
    ]
    return attrs.evolve(wanted, path=base if sizes else None, size_bytes=sum(sizes))
