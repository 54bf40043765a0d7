"""MNIST from its mirrors, and what is done without it. The mirrors of these tests are on loopback."""

import gzip
import hashlib
import http.server
import os
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.support.digits import write_idx_dataset

from mnist_tracking.errors import ConfigError, DatasetError
from mnist_tracking.mnist import download as _downloads
from mnist_tracking.mnist.datasets import check_directory, find_mnist, load_images, load_labels
from mnist_tracking.mnist.download import download_mnist
from mnist_tracking.mnist.fallback import enlarge

TRAIN_IMAGES, TEST_LABELS = "train-images-idx3-ubyte", "t10k-labels-idx1-ubyte"
REAL = os.environ.get("MNIST_DATA_DIR", "")
UNREACHABLE = "http://127.0.0.1:1/"


@pytest.fixture(autouse=True)
def _nothing_in_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("MNIST_DATA_DIR", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve training and five test images, as raw IDX files."""
    return write_idx_dataset(tmp_path / "data", train=12, test=5)


class Mirror(http.server.ThreadingHTTPServer):
    """Answers with ``status``, else with the bytes in ``files``; keeps the names it was asked for."""

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), _MirrorHandler)
        self.files, self.status, self.cut, self.asked = files, 200, 0, list[str]()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/mnist"


class _MirrorHandler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        mirror = self.server
        assert isinstance(mirror, Mirror)
        name = self.path.removeprefix("/mnist/")
        mirror.asked.append(name)
        content = mirror.files.get(name, b"")
        self.send_response(mirror.status if content else 404)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) - mirror.cut])

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 the base class's name
        pass


@pytest.fixture
def mirrors(folder: Path) -> Iterator[tuple[Mirror, Mirror]]:
    """Two mirrors on loopback that hold the small data."""
    files = {f"{path.name}.gz": gzip.compress(path.read_bytes()) for path in folder.iterdir()}
    pair = Mirror(dict(files)), Mirror(dict(files))
    threads = [threading.Thread(target=mirror.serve_forever, args=(0.01,)) for mirror in pair]
    for thread in threads:
        thread.start()
    yield pair
    for mirror, thread in zip(pair, threads, strict=True):
        mirror.shutdown()
        thread.join()
        mirror.server_close()


def checksums_of(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.md5(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def test_a_download_is_checked_and_kept(folder: Path, tmp_path: Path, mirrors: tuple[Mirror, Mirror]) -> None:
    seen: list[tuple[str, int, int | None]] = []
    download_mnist(
        tmp_path / "cache",
        mirrors=[mirrors[0].address],
        checksums=checksums_of(folder),
        on_progress=lambda *step: seen.append(step),
    )

    assert check_directory(folder).fingerprint == check_directory(tmp_path / "cache").fingerprint
    assert sorted(mirrors[0].files) == sorted(path.name for path in (tmp_path / "cache").iterdir())
    assert {(name, len(packed), len(packed)) for name, packed in mirrors[0].files.items()} <= set(seen)


def test_what_is_cached_is_not_fetched_again(folder: Path, tmp_path: Path, mirrors: tuple[Mirror, Mirror]) -> None:
    """A download that broke off goes on with the files it lacks; a damaged file counts as lacking."""
    sums = checksums_of(folder)
    download_mnist(tmp_path, mirrors=[mirrors[0].address], checksums=sums)
    (tmp_path / f"{TEST_LABELS}.gz").unlink()
    (tmp_path / f"{TRAIN_IMAGES}.gz").write_bytes(b"half a file")
    download_mnist(tmp_path, mirrors=[mirrors[1].address], checksums=sums)

    assert sorted([f"{TEST_LABELS}.gz", f"{TRAIN_IMAGES}.gz"]) == sorted(mirrors[1].asked)


def break_status(mirror: Mirror) -> None:
    mirror.status = 503


def break_missing(mirror: Mirror) -> None:
    mirror.files.clear()


def break_short(mirror: Mirror) -> None:
    mirror.cut = 10


def break_content(mirror: Mirror) -> None:
    mirror.files = {name: gzip.compress(b"something else") for name in mirror.files}


def break_format(mirror: Mirror) -> None:
    mirror.files = dict.fromkeys(mirror.files, b"<html>Please log in</html>")


BREAKAGES: dict[Callable[[Mirror], None], str] = {
    break_status: "responded 503 Service Unavailable",
    break_missing: "responded 404 Not Found",
    break_short: r"sent \d+ of \d+ bytes",
    break_content: r"sent a file whose contents have the MD5 \w+, expected \w+",
    break_format: "sent an invalid or incomplete gzip file",
}


@pytest.mark.parametrize("breakage", BREAKAGES)
def test_the_next_mirror_is_asked(
    folder: Path, tmp_path: Path, mirrors: tuple[Mirror, Mirror], breakage: Callable[[Mirror], None]
) -> None:
    breakage(mirrors[0])
    addresses = [mirror.address for mirror in mirrors]
    download_mnist(tmp_path / "cache", mirrors=addresses, checksums=checksums_of(folder))

    assert len(mirrors[0].asked) == 1, "the mirror that works is asked first from then on"
    assert check_directory(folder).fingerprint == check_directory(tmp_path / "cache").fingerprint


@pytest.mark.parametrize("breakage", BREAKAGES)
def test_a_failed_download_says_what_each_mirror_did(
    folder: Path, tmp_path: Path, mirrors: tuple[Mirror, Mirror], breakage: Callable[[Mirror], None]
) -> None:
    breakage(mirrors[0])
    addresses = [mirrors[0].address, UNREACHABLE]
    with pytest.raises(DatasetError, match=f"{mirrors[0].address}/ {BREAKAGES[breakage]}; {UNREACHABLE} cannot be"):
        download_mnist(tmp_path / "cache", mirrors=addresses, checksums=checksums_of(folder))

    assert not list(tmp_path.glob("cache/*"))


def test_a_silent_mirror_is_given_up(folder: Path, tmp_path: Path) -> None:
    """It promises more than it sends, and keeps the connection open."""
    quiet = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _MirrorHandler)  # listens, and never answers
    mirror = f"http://127.0.0.1:{quiet.server_address[1]}/"
    with quiet, pytest.raises(DatasetError, match=r"cannot be reached|sent nothing for 0\.05 s"):
        download_mnist(tmp_path, mirrors=[mirror], checksums=checksums_of(folder), timeout_s=0.05)


def test_an_endless_answer_is_cut_off(
    folder: Path, tmp_path: Path, mirrors: tuple[Mirror, Mirror], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_downloads, "_MOST_BYTES", 10)
    with pytest.raises(DatasetError, match="sent more than 10 bytes"):
        download_mnist(tmp_path, mirrors=[mirrors[0].address], checksums=checksums_of(folder))


def test_a_mirror_is_an_http_address(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'file:///etc' is not allowed"):
        find_mnist(cache_dir=tmp_path, mirrors=["file:///etc"])


def test_a_cache_that_cannot_be_written_is_named(folder: Path, tmp_path: Path, mirrors: tuple[Mirror, Mirror]) -> None:
    (tmp_path / "cache").touch()
    with pytest.raises(ConfigError, match=r"cache/.*gz' cannot be written"):
        download_mnist(tmp_path / "cache", mirrors=[mirrors[0].address], checksums=checksums_of(folder))


def test_only_mnist_is_taken_for_a_download(tmp_path: Path, mirrors: tuple[Mirror, Mirror]) -> None:
    with pytest.raises(DatasetError, match="expected 6bbc9ace898e44ae57da46a324031adb"):
        find_mnist(cache_dir=tmp_path / "cache", mirrors=[mirrors[0].address])


def test_without_a_network_the_error_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"Without a network, pass a directory .* or set MNIST_DATA_DIR to it\.$"):
        find_mnist(cache_dir=tmp_path, mirrors=[UNREACHABLE])


def test_downloading_can_be_off(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="MNIST is not in the cache, and downloading is disabled"):
        find_mnist(cache_dir=tmp_path / "cache", download=False)


def test_the_cache_is_where_the_desktop_standard_says(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=re.escape(str(tmp_path / "xdg" / "mnist-tracking" / "mnist"))):
        find_mnist(download=False)


# --- without MNIST


def test_the_fallback_is_small_real_digits(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    dataset = find_mnist(cache_dir=tmp_path, mirrors=[UNREACHABLE], fallback=True)
    images = load_images(dataset, "train")

    assert (dataset.source, dataset.kind) == ("scikit-learn digits", "digits")
    assert (dataset.train_count, dataset.test_count, dataset.image_shape) == (1497, 300, (28, 28))
    assert "Not MNIST: train-images-idx3-ubyte.gz could not be downloaded" in dataset.describe()
    assert set(range(10)) == set(load_labels(dataset, "test").tolist())
    assert (images.min(), images.max()) == (0, 255)


def test_the_fallback_is_never_taken_for_mnist(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="could not be downloaded"):
        find_mnist(cache_dir=tmp_path, mirrors=[UNREACHABLE], fallback=True, require_mnist=True)


def test_enlarged_digits_keep_their_corners_and_have_a_margin() -> None:
    small = np.zeros((1, 8, 8))
    small[0, 0, 0], small[0, 7, 7] = 16, 8
    large = enlarge(small)

    assert large.shape == (1, 28, 28)
    assert (large[0, 4, 4], large[0, 23, 23]) == (255, 128)
    assert 0 == large[0, :4].max() == large[0, 24:].max() == large[0, :, :4].max() == large[0, :, 24:].max()


@pytest.mark.skipif(not REAL, reason="MNIST_DATA_DIR is not set")
@pytest.mark.real_mnist
def test_mnist_is_downloaded_once(tmp_path: Path, mirrors: tuple[Mirror, Mirror]) -> None:
    files = find_mnist(REAL).files
    mirrors[0].files = {f"{file.name}.gz": packed(file.path) for file in files}
    first = find_mnist(cache_dir=tmp_path, mirrors=[mirrors[0].address])
    again = find_mnist(cache_dir=tmp_path, mirrors=[UNREACHABLE])

    assert ("download", "mnist", tmp_path / "mnist") == (first.source, first.kind, first.directory)
    assert first == again
    assert len(mirrors[0].asked) == 4


def packed(path: Path) -> bytes:
    content = path.read_bytes()
    return content if path.suffix == ".gz" else gzip.compress(content, compresslevel=1)
