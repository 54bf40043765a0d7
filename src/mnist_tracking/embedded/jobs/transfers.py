"""Copy the input of a job from S3 to its hosts before the scripts run, and their output to S3 afterwards."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mnist_tracking._values.archives import ArchiveError, pack, unpack
from mnist_tracking.embedded.disk import described, leads_elsewhere
from mnist_tracking.embedded.jobs.container import Layout, Placement
from mnist_tracking.embedded.jobs.state import model_uri
from mnist_tracking.embedded.store import Store
from mnist_tracking.embedded.store.objects import download, get_object, has_bucket, put_object, split_uri

_OPT_ML = "/opt/ml/"
_LINK = (
    "{path!r} is a link to {target!r}. {name} contains a copy of the target; on AWS it may contain the link itself, "
    "which is broken wherever the archive is unpacked. Copy the file instead."
)


class JobError(Exception):
    """The job fails; the message is its FailureReason."""


def check_buckets(store: Store, request: dict[str, Any]) -> None:
    """
    Check that the buckets of the output and the checkpoints exist.

    Raises:
        JobError: If one does not.
    """
    config = request.get("CheckpointConfig")
    for uri in (request["OutputDataConfig"]["S3OutputPath"], *([config["S3Uri"]] if config else [])):
        bucket, _ = split_uri(uri)
        if not has_bucket(store, bucket):
            raise JobError(f"ClientError: The bucket {bucket!r} of {uri} does not exist.")


def prepare_host(store: Store, placement: Placement, *, reserve_bytes: int) -> None:
    """
    Create a host's folders and copy its channels and code, leaving that many bytes of the disk free.

    Raises:
        JobError: If something is missing.
    """
    layout, request = placement.layout, placement.request
    layout.make(
        hyperparameters=request.get("HyperParameters", {}),
        inputdataconfig=placement.input_data_config,
        resourceconfig=placement.resource_config,
    )
    for channel in placement.channels:
        _download_channel(store, channel, placement)
    _unpack_code(store, placement, reserve_bytes)


def _download_channel(store: Store, channel: dict[str, Any], placement: Placement) -> None:
    uri, folder = channel["DataSource"]["S3DataSource"]["S3Uri"], placement.layout.channel(channel["ChannelName"])
    if not fetch(store, uri, folder, share=placement.share_of(channel)):
        raise JobError(f"ClientError: Data download failed: no S3 objects found under the prefix {uri}.")


def fetch(store: Store, uri: str, folder: Path, *, share: tuple[int, int] = (0, 1)) -> int:
    """
    Copy the objects below an S3 prefix into a folder, see `download`.

    Raises:
        JobError: If a key cannot be a file name, or the disk cannot store it.
    """
    try:
        return download(store, uri, folder, share=share)
    except (OSError, ValueError) as error:
        raise JobError(f"ClientError: Data download failed: {uri}: {described(error)}") from error


def _unpack_code(store: Store, placement: Placement, reserve_bytes: int) -> None:
    hyperparameters, layout = placement.hyperparameters, placement.layout
    uri, program = str(hyperparameters.get("sagemaker_submit_directory", "")), placement.program
    if not uri or not program:
        raise JobError("ClientError: no script: sagemaker_program and sagemaker_submit_directory are missing.")
    archive = _code_archive(store, uri, layout)
    if archive is None:
        raise JobError(f"ClientError: the source archive {uri} does not exist.")
    try:
        unpack(archive, layout.code, reserve_bytes=reserve_bytes)
    except (ArchiveError, OSError) as error:
        reason = error.reason if isinstance(error, ArchiveError) else described(error)
        raise JobError(f"ClientError: {uri}: the source archive cannot be unpacked: {reason}.") from error
    if placement.is_package:
        return  # its program is a module, which can be anywhere
    code = Path(os.path.realpath(layout.code))
    entry = Path(os.path.realpath(code / program))
    if not entry.is_relative_to(code) or not entry.is_file():
        names = ", ".join(sorted(path.name for path in code.iterdir())[:20]) or "no files"
        raise JobError(f"AlgorithmError: the entry point {program!r} is not in the source archive. Available: {names}.")


def _code_archive(store: Store, uri: str, layout: Layout) -> Path | None:
    """Return the path of the code's archive: in S3 or, for a job without a network, in one of its channels."""
    if uri.startswith("s3://"):
        found = get_object(store, *split_uri(uri))
        return found.path if found else None
    local = Path(os.path.realpath(layout.base / uri.removeprefix(_OPT_ML)))
    is_inside = uri.startswith(_OPT_ML) and local.is_relative_to(os.path.realpath(layout.base))
    return local if is_inside and local.is_file() else None


def upload_outputs(
    store: Store,
    request: dict[str, Any],
    layouts: list[Layout],
    folder: Path,
    *,
    with_model: bool,
    say: Callable[[str], object],
) -> bool:
    """
    Upload the output of the hosts and, if wanted, their model; return whether there is a model.

    As in SageMaker, the output of all hosts is packed into one archive. If two hosts use the same name, the later host
    wins. Links are packed as what they point to, since SageMaker's endpoints reject models that contain links. A folder
    that a script has replaced by a link is not packed.

    Args:
        store: The store to upload to.
        request: The request of the job.
        layouts: The folders of the hosts, in their order.
        folder: Where to write the archives.
        with_model: Whether to upload the model.
        say: Called with a line for the log for everything that is left out, or may be lost on AWS.
    """
    uri = model_uri(request)
    output = f"{uri.removesuffix('model.tar.gz')}output.tar.gz"
    _upload_packed(store, [layout.output_data for layout in layouts], output, folder, say)
    return with_model and _upload_packed(store, [layout.model for layout in layouts], uri, folder, say)


def _upload_packed(store: Store, folders: list[Path], uri: str, base: Path, say: Callable[[str], object]) -> bool:
    there = [folder for folder in folders if _is_own(folder, store.home, say) and any(folder.iterdir())]
    if not there:
        return False
    name = uri.rpartition("/")[2]
    with TemporaryDirectory(dir=base) as folder:  # a name that no script has taken; deleted to make room
        archive = Path(folder, "archive.tar.gz")
        pack(there, archive, lambda path, why: say(f"{str(path)!r} {why}, so it is not in {name}."))
        for link in (link for folder in there for link in _links_out_of(folder)):
            say(_LINK.format(path=str(link), target=os.readlink(link), name=name))
        _upload(store, archive, uri)
    return True


def _links_out_of(folder: Path) -> list[Path]:
    """Return the links that would be broken if the folder were moved."""
    links = (path for path in sorted(folder.rglob("*")) if path.is_symlink() and (path.is_file() or path.is_dir()))
    root = os.path.realpath(folder)
    return [link for link in links if os.path.isabs(os.readlink(link)) or not link.resolve().is_relative_to(root)]


def _is_own(folder: Path, home: Path, say: Callable[[str], object]) -> bool:
    """Whether a script has left a folder what it was."""
    if folder.is_dir() and not leads_elsewhere(folder, home):
        return True
    if os.path.lexists(folder):
        say(f"{str(folder)!r} was replaced by a link or a file, so nothing of it is kept.")
    return False


def _upload(store: Store, path: Path, uri: str) -> None:
    with path.open("rb") as body:
        put_object(store, *split_uri(uri), body, time.time())
