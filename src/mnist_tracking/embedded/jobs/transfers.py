"""What goes from S3 into a job's folder before the script runs, and from there to S3 after it."""

import time
from pathlib import Path
from typing import Any

from mnist_tracking.embedded.archives import UnsafeArchiveError, pack, unpack
from mnist_tracking.embedded.jobs.component import model_uri
from mnist_tracking.embedded.jobs.environment import decode_hyperparameters
from mnist_tracking.embedded.jobs.layout import Layout, download, split_uri
from mnist_tracking.embedded.store import Store
from mnist_tracking.embedded.store.objects import get_object, has_bucket, put_object

_OPT_ML = "/opt/ml/"


class JobError(Exception):
    """The job cannot go on; the message is its FailureReason."""


def download_inputs(store: Store, request: dict[str, Any], layout: Layout) -> None:
    """
    Fetch the channels, the checkpoints of an earlier job and the code.

    Raises:
        JobError: If something is missing, or there is nowhere to put the output.
    """
    for uri in (request["OutputDataConfig"]["S3OutputPath"], *_checkpoint_uri(request)):
        bucket, _ = split_uri(uri)
        if not has_bucket(store, bucket):
            raise JobError(f"ClientError: The bucket {bucket!r} of {uri} does not exist.")
    for channel in request.get("InputDataConfig", []):
        _download_channel(store, channel, layout)
    for uri in _checkpoint_uri(request):
        download(store, uri, layout.checkpoints)
    _unpack_code(store, request, layout)


def _checkpoint_uri(request: dict[str, Any]) -> list[str]:
    return [request["CheckpointConfig"]["S3Uri"]] if "CheckpointConfig" in request else []


def _download_channel(store: Store, channel: dict[str, Any], layout: Layout) -> None:
    uri = channel["DataSource"]["S3DataSource"]["S3Uri"]
    try:
        count = download(store, uri, layout.channel(channel["ChannelName"]))
    except (OSError, ValueError) as error:
        raise JobError(f"ClientError: Data download failed: {uri}: {error}") from error
    if not count:
        raise JobError(f"ClientError: Data download failed: no S3 objects found under the prefix {uri}.")


def _unpack_code(store: Store, request: dict[str, Any], layout: Layout) -> None:
    hyperparameters = decode_hyperparameters(request.get("HyperParameters", {}))
    uri, program = (str(hyperparameters.get(f"sagemaker_{name}", "")) for name in ("submit_directory", "program"))
    if not uri or not program:
        raise JobError("ClientError: no script: sagemaker_program and sagemaker_submit_directory are not given.")
    archive = _code_archive(store, uri, layout)
    if archive is None:
        raise JobError(f"ClientError: the source archive {uri} does not exist.")
    try:
        unpack(archive, layout.code)
    except UnsafeArchiveError as error:
        raise JobError(f"ClientError: {uri}: {error}".replace(archive.name, "the source archive")) from error
    code = layout.code.resolve()
    entry = (code / program).resolve()
    if not entry.is_relative_to(code) or not entry.is_file():
        there = ", ".join(sorted(path.name for path in code.iterdir())[:20]) or "nothing"
        raise JobError(f"AlgorithmError: the entry point {program!r} is not in the source archive, which has {there}.")


def _code_archive(store: Store, uri: str, layout: Layout) -> Path | None:
    """Return where the code's archive is: in S3, or, for a job without a network, in one of its channels."""
    if uri.startswith("s3://"):
        found = get_object(store, *split_uri(uri))
        return found.path if found else None
    local = (layout.base / uri.removeprefix(_OPT_ML)).resolve()
    is_inside = uri.startswith(_OPT_ML) and local.is_relative_to(layout.base.resolve())
    return local if is_inside and local.is_file() else None


def upload_outputs(store: Store, request: dict[str, Any], layout: Layout, *, with_model: bool) -> bool:
    """Upload checkpoints, other output and, if wanted, the model; return whether there is a model."""
    for uri in _checkpoint_uri(request):
        for path in sorted(path for path in layout.checkpoints.rglob("*") if path.is_file()):
            _upload(store, path, f"{uri.rstrip('/')}/{path.relative_to(layout.checkpoints).as_posix()}")
    uri = model_uri(request)
    _upload_packed(store, layout.output_data, f"{uri.removesuffix('model.tar.gz')}output.tar.gz", layout.base)
    return with_model and _upload_packed(store, layout.model, uri, layout.base)


def _upload_packed(store: Store, folder: Path, uri: str, base: Path) -> bool:
    if not folder.is_dir() or not any(folder.iterdir()):
        return False
    archive = base / uri.rsplit("/", 1)[1]
    pack(folder, archive)
    _upload(store, archive, uri)
    return True


def _upload(store: Store, path: Path, uri: str) -> None:
    with path.open("rb") as body:
        put_object(store, *split_uri(uri), body, time.time())
