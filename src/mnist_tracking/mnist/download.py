"""MNIST from its public mirrors, into a cache: each file checked before it is put in its place."""

import hashlib
import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path

from mnist_tracking._values.files import write_atomically
from mnist_tracking.errors import ConfigError, DatasetError
from mnist_tracking.training.idx import read_content, unpack

__all__ = ["CONTENT_MD5", "MIRRORS", "OnProgress", "default_cache", "download_mnist"]

#: Called with the file's name, the bytes that have come so far, and how many there will be (None when not known).
OnProgress = Callable[[str, int, int | None], None]

#: Where MNIST is distributed, in the order they are asked.
MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)

#: MD5 of MNIST's four files, unpacked.
CONTENT_MD5 = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}

# the largest has 10 MB; an answer that goes on and on is not it
_MOST_BYTES = 64 * 1024 * 1024
_CHUNK_BYTES = 256 * 1024
# of a connection, and of each wait for more; not of the whole file
_TIMEOUT_S = 10.0
_FAILURES = (OSError, http.client.HTTPException, DatasetError)


def download_mnist(
    directory: Path,
    *,
    mirrors: Sequence[str] = MIRRORS,
    checksums: dict[str, str] = CONTENT_MD5,
    on_progress: OnProgress | None = None,
) -> None:
    """
    See to it that *directory* holds MNIST's four files, gzipped; those that are there and right are not fetched again.

    Args:
        directory: The cache; made if need be.
        mirrors: Base addresses, tried one after another for each file; one that worked is asked first from then on.
        checksums: Names of the files, and MD5 of what they hold.
        on_progress: Told how far a file has come.

    Raises:
        DatasetError: If no mirror gives a file; says what each answered.
        ConfigError: If a mirror is no http address, or the directory cannot be written.
    """
    order = [_check_mirror(mirror) for mirror in mirrors]
    for name, md5 in checksums.items():
        if not _is_cached(directory, name, md5):
            working = _fetch(name, md5, directory, order, on_progress or _ignore)
            order.sort(key=lambda mirror: mirror != working)


def default_cache() -> Path:
    """Return ``mnist-tracking`` in ``XDG_CACHE_HOME``, else in ``~/.cache``."""
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (base if base.is_absolute() else Path("~/.cache").expanduser()) / "mnist-tracking"


def _is_cached(directory: Path, name: str, md5: str) -> bool:
    """Whether a file is in the cache and holds what it should."""
    path = directory / f"{name}.gz"
    try:
        return path.is_file() and _md5(read_content(path)) == md5
    except DatasetError:
        return False


def _check_mirror(mirror: str) -> str:
    if not mirror.startswith(("https://", "http://")):
        raise ConfigError(f"A mirror is an address that starts with https:// or http://, and {mirror!r} does not.")
    return mirror.rstrip("/") + "/"


def _fetch(name: str, md5: str, directory: Path, mirrors: Sequence[str], on_progress: OnProgress) -> str:
    path = directory / f"{name}.gz"
    failures = []
    for mirror in mirrors:
        try:
            packed = _get(mirror + path.name, path.name, on_progress)
            _check(packed, path, md5)
        except _FAILURES as exc:
            failures.append(f"{mirror} {_reason(exc)}")
        else:
            _store(packed, path)
            return mirror
    raise DatasetError(
        f"{path.name} could not be downloaded: {'; '.join(failures)}. Without a network, name a directory that holds "
        "MNIST's four files, or set MNIST_DATA_DIR to it."
    )


def _store(packed: bytes, path: Path) -> None:
    try:
        write_atomically(path, packed, is_synced=True)
    except OSError as exc:
        raise ConfigError(f"{str(path)!r} cannot be written: {exc.strerror or exc}.") from exc


def _get(address: str, name: str, on_progress: OnProgress) -> bytes:
    request = urllib.request.Request(address, headers={"User-Agent": "mnist-tracking"})  # noqa: S310 http, as checked
    content = bytearray()
    with _open(request) as answer:
        length = answer.headers.get("Content-Length", "")
        total = int(length) if length.isdecimal() else None
        while chunk := answer.read(_CHUNK_BYTES):
            content += chunk
            if len(content) > _MOST_BYTES:
                raise DatasetError(f"sent more than {_MOST_BYTES} bytes")
            on_progress(name, len(content), total)
    if total is not None and len(content) < total:
        raise DatasetError(f"sent {len(content)} of {total} bytes")
    return bytes(content)


def _open(request: urllib.request.Request) -> http.client.HTTPResponse:
    try:
        answer: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=_TIMEOUT_S)  # noqa: S310 as above
    except urllib.error.HTTPError as exc:
        with exc:  # it holds the connection
            raise DatasetError(f"answered {exc.code} {exc.reason}".rstrip()) from None
    return answer


def _check(packed: bytes, path: Path, md5: str) -> None:
    try:
        found = _md5(unpack(packed, path))
    except DatasetError as exc:
        raise DatasetError("sent something that is not a whole gzip file") from exc
    if found != md5:
        raise DatasetError(f"sent a file whose content has the MD5 {found}, where {md5} is expected")


def _reason(failure: BaseException) -> str:
    match failure:
        case urllib.error.URLError():
            return f"cannot be reached ({failure.reason})"
        case TimeoutError():
            return f"sent nothing for {_TIMEOUT_S:g} s"
        case DatasetError():
            return str(failure)
        case _:
            return f"broke off ({failure})"


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def _ignore(_name: str, _done: int, _total: int | None) -> None:
    pass
