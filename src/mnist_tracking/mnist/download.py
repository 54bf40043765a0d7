"""Download MNIST from its public mirrors to a cache, checking each file before it is stored."""

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

__all__ = ["CONTENT_MD5", "MIRRORS", "OnDownload", "default_cache", "download_mnist"]

#: Called with the file's name, the bytes downloaded so far, and the total (None if unknown).
OnDownload = Callable[[str, int, int | None], None]

#: The mirrors of MNIST, in the order in which they are tried.
MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)

#: The MD5 of the contents of MNIST's four files, unpacked.
CONTENT_MD5 = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}

# the largest file has 10 MB; a response larger than this is not MNIST
_MOST_BYTES = 64 * 1024 * 1024
_CHUNK_BYTES = 256 * 1024
_FAILURES = (OSError, http.client.HTTPException, DatasetError)


def download_mnist(
    directory: Path,
    *,
    mirrors: Sequence[str] = MIRRORS,
    checksums: dict[str, str] = CONTENT_MD5,
    on_progress: OnDownload | None = None,
    timeout_s: float = 10.0,
) -> None:
    """
    Download MNIST's four files, gzipped, to a directory; correct existing files are not downloaded again.

    Args:
        directory: The cache; created if missing.
        mirrors: Base URLs, tried in order for each file; one that worked is tried first from then on.
        checksums: The names of the files, and the MD5 of their contents.
        on_progress: Called while a file is downloaded.
        timeout_s: For connecting and for each read, not for a whole file.

    Raises:
        DatasetError: If no mirror has a file; lists the failure of each.
        ConfigError: If a mirror is not an http URL, or the directory cannot be written.
    """
    order = [_check_mirror(mirror) for mirror in mirrors]
    for name, md5 in checksums.items():
        if not _is_cached(directory, name, md5):
            working = _download(name, md5, directory, order, on_progress or _ignore, timeout_s)
            order.sort(key=lambda mirror: mirror != working)


def default_cache() -> Path:
    """Return ``mnist-tracking`` in ``XDG_CACHE_HOME``, or in ``~/.cache`` by default."""
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (base if base.is_absolute() else Path("~/.cache").expanduser()) / "mnist-tracking"


def _is_cached(directory: Path, name: str, md5: str) -> bool:
    """Whether a file is in the cache and correct."""
    path = directory / f"{name}.gz"
    try:
        return path.is_file() and _md5(read_content(path)) == md5
    except DatasetError:
        return False


def _check_mirror(mirror: str) -> str:
    if not mirror.startswith(("https://", "http://")):
        raise ConfigError(f"The mirror {mirror!r} is not allowed; expected a URL that starts with https:// or http://.")
    return mirror.rstrip("/") + "/"


def _download(
    name: str, md5: str, directory: Path, mirrors: Sequence[str], on_progress: OnDownload, timeout_s: float
) -> str:
    path = directory / f"{name}.gz"
    failures = []
    for mirror in mirrors:
        try:
            packed = _get(mirror + path.name, path.name, on_progress, timeout_s)
            _check_md5(packed, path, md5)
        except _FAILURES as exc:
            failures.append(f"{mirror} {_reason(exc, timeout_s)}")
        else:
            _store(packed, path)
            return mirror
    raise DatasetError(
        f"{path.name} could not be downloaded: {'; '.join(failures)}. Without a network, pass a directory that "
        "contains MNIST's four files, or set MNIST_DATA_DIR to it."
    )


def _store(packed: bytes, path: Path) -> None:
    try:
        write_atomically(path, packed, is_synced=True)
    except OSError as exc:
        raise ConfigError(f"{str(path)!r} cannot be written: {exc.strerror or exc}.") from exc


def _get(url: str, name: str, on_progress: OnDownload, timeout_s: float) -> bytes:
    request = urllib.request.Request(url, headers={"User-Agent": "mnist-tracking"})  # noqa: S310 - an http URL, as checked
    content = bytearray()
    with _open(request, timeout_s) as response:
        length = response.headers.get("Content-Length", "")
        total = int(length) if length.isdecimal() else None
        while chunk := response.read(_CHUNK_BYTES):
            content += chunk
            if len(content) > _MOST_BYTES:
                raise DatasetError(f"sent more than {_MOST_BYTES} bytes")
            on_progress(name, len(content), total)
    if total is not None and len(content) < total:
        raise DatasetError(f"sent {len(content)} of {total} bytes")
    return bytes(content)


def _open(request: urllib.request.Request, timeout_s: float) -> http.client.HTTPResponse:
    try:
        response: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=timeout_s)  # noqa: S310 - as above
    except urllib.error.HTTPError as exc:
        with exc:  # closes the connection
            raise DatasetError(f"responded {exc.code} {exc.reason}".rstrip()) from None
    return response


def _check_md5(packed: bytes, path: Path, md5: str) -> None:
    try:
        found = _md5(unpack(packed, path))
    except DatasetError as exc:
        raise DatasetError("sent an invalid or incomplete gzip file") from exc
    if found != md5:
        raise DatasetError(f"sent a file whose contents have the MD5 {found}, expected {md5}")


def _reason(failure: BaseException, timeout_s: float) -> str:
    match failure:
        case urllib.error.URLError():
            return f"cannot be reached ({failure.reason})"
        case TimeoutError():
            return f"sent nothing for {timeout_s:g} s"
        case DatasetError():
            return str(failure)
        case _:
            return f"closed the connection ({failure})"


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def _ignore(_name: str, _done: int, _total: int | None) -> None:
    pass
