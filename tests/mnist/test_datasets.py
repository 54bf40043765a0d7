"""Directories of digits: what is recorded of them, and what is refused."""

import gzip
import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.support.digits import write_idx_dataset

from mnist_tracking.errors import DatasetError
from mnist_tracking.mnist.datasets import check_directory, find_mnist, load_images, load_labels
from mnist_tracking.training.idx import write_idx

TRAIN_IMAGES, TRAIN_LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
TEST_IMAGES, TEST_LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"
REAL = os.environ.get("MNIST_DATA_DIR", "")

Damage = Callable[[bytes], bytes]


@pytest.fixture(autouse=True)
def _no_directory_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MNIST_DATA_DIR", raising=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve training and five test images, as raw IDX files."""
    return write_idx_dataset(tmp_path / "data", train=12, test=5)


def md5_of(path: Path) -> str:
    return hashlib.md5(path.read_bytes()).hexdigest()


# --- a directory that the user names


def test_a_directory_is_described(folder: Path) -> None:
    dataset = check_directory(folder)

    assert (folder, "directory", "custom", "") == (dataset.directory, dataset.source, dataset.kind, dataset.note)
    assert (dataset.train_count, dataset.test_count, dataset.image_shape) == (12, 5, (28, 28))
    assert [file.name for file in dataset.files] == [TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS]
    assert f"Custom data: 12 training and 5 test images of 28x28 pixels in {folder}" == dataset.describe()


def test_files_are_recorded_by_their_content(folder: Path) -> None:
    labels = check_directory(folder).files[1]
    content = (folder / TRAIN_LABELS).read_bytes()

    assert (folder / TRAIN_LABELS, 20) == (labels.path, labels.size_bytes)
    assert hashlib.sha256(content).hexdigest() == labels.sha256
    assert hashlib.md5(content).hexdigest() == labels.md5


def test_the_fingerprint_does_not_depend_on_gzip_or_place(folder: Path, tmp_path: Path) -> None:
    write_idx_dataset(tmp_path / "elsewhere" / "MNIST" / "raw", train=12, test=5, gz=True)

    assert check_directory(folder).fingerprint == check_directory(tmp_path / "elsewhere").fingerprint


def test_the_fingerprint_changes_with_one_pixel(folder: Path) -> None:
    before = check_directory(folder).fingerprint
    images = load_images(check_directory(folder), "test").copy()
    images[0, 0, 0] ^= 1
    write_idx(images, folder / TEST_IMAGES)

    assert before != check_directory(folder).fingerprint


def test_parameters_are_flat_and_name_the_data(folder: Path) -> None:
    dataset = check_directory(folder)
    parameters = dataset.parameters()

    assert parameters["dataset"] == "custom"
    assert (parameters["train_images"], parameters["test_images"]) == (12, 5)
    assert (parameters["normalization_mean"], parameters["normalization_std"]) == (0.1307, 0.3081)
    assert dataset.files[0].sha256 == parameters[f"sha256:{TRAIN_IMAGES}"]


def test_torch_is_not_needed() -> None:
    """What is shared with the training program needs numpy alone."""
    script = "import sys, mnist_tracking.mnist.datasets as d; d.check_directory; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)

    assert done.stdout == "False\n"


@pytest.mark.parametrize("gz", [False, True])
def test_images_and_labels_are_read(tmp_path: Path, gz: bool) -> None:
    dataset = check_directory(write_idx_dataset(tmp_path, train=12, test=5, gz=gz))
    images = load_images(dataset, "train")

    assert (images.shape, images.dtype.name) == ((12, 28, 28), "uint8")
    assert sorted(load_labels(dataset, "test").tolist()) == [0, 1, 2, 3, 4]


def test_the_directory_comes_before_the_environment(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MNIST_DATA_DIR", str(tmp_path / "nowhere"))

    assert find_mnist(folder).source == "directory"


def test_the_environment_names_a_directory(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MNIST_DATA_DIR", str(folder))

    assert ("environment", folder) == (find_mnist().source, find_mnist().directory)


def test_a_relative_directory_is_recorded_in_full(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)

    assert folder == find_mnist("data").directory


# --- what is refused


def test_a_wrong_directory_is_named_with_where_it_came_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MNIST_DATA_DIR", str(tmp_path / "nowhere"))
    with pytest.raises(DatasetError, match=r"^MNIST_DATA_DIR='.*nowhere': directory not found\.$"):
        find_mnist(fallback=True)


def test_a_file_in_place_of_a_directory_is_refused(folder: Path) -> None:
    with pytest.raises(DatasetError, match=r"is a file\. Pass the directory that contains it"):
        find_mnist(folder / TRAIN_IMAGES)


def test_a_directory_without_idx_files_lists_what_is_looked_for(tmp_path: Path) -> None:
    (tmp_path / "train-images.idx3-ubyte").touch()
    with pytest.raises(DatasetError) as caught:
        find_mnist(tmp_path)

    assert all(name in str(caught.value) for name in (TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS, ".gz"))
    assert str(caught.value).endswith("Found instead: train-images.idx3-ubyte.")


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / TEST_LABELS).unlink()
    with pytest.raises(DatasetError, match=f"does not contain {TEST_LABELS}, raw or .gz. Found: {TRAIN_IMAGES}, "):
        find_mnist(folder)


def test_custom_data_are_not_mnist(folder: Path) -> None:
    found = md5_of(folder / TRAIN_IMAGES)
    with pytest.raises(DatasetError, match=rf"{TRAIN_IMAGES}.*{found}, expected 6bbc9ace898e44ae57da46a324031adb"):
        find_mnist(folder, require_mnist=True)


BROKEN: dict[str, tuple[Damage, str]] = {
    "truncated": (lambda raw: raw[:-7], "is truncated: it has 9417 bytes; expected 9424 for shape"),
    "longer than it says": (lambda raw: raw + b"x", "is too long: it has more than"),
    "header cut off": (lambda raw: raw[:9], "has 9 bytes, but the header alone takes 16"),
    "empty": (lambda raw: b"", "it starts with nothing \\(empty file\\); expected 00 00 08 03"),
    "a web page": (lambda raw: b"<html>", "it starts with 3c 68 74 6d; expected 00 00 08 03"),
    "labels": (lambda raw: b"\0\0\x08\x01" + raw[4:], "contains labels; expected images"),
    "gzip without the name": (
        lambda raw: gzip.compress(raw, compresslevel=1),
        "is gzipped, but its name does not end in '.gz'",
    ),
    "no images": (lambda raw: b"\0\0\x08\x03" + b"\0\0\0\0\0\0\0\x1c\0\0\0\x1c", "contains no pixels: 0 images"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_raw_file_is_refused(folder: Path, case: str) -> None:
    damage, message = BROKEN[case]
    path = folder / TRAIN_IMAGES
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DatasetError, match=message) as caught:
        find_mnist(folder)

    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


BROKEN_GZ: dict[str, tuple[Damage, str]] = {
    "truncated": (lambda packed: packed[:-40], "is truncated: its gzip stream ends after"),
    "wrong checksum": (lambda packed: packed[:-8] + bytes(8), "is not a valid gzip file: it fails its checksum"),
    "corrupt": (lambda packed: packed[:20] + b"\xff" * 60 + packed[80:], "is corrupt|is not a valid|is truncated"),
    "a web page": (lambda packed: b"<html>", "is not a valid gzip file: it starts with 3c 68 74 6d"),
}


@pytest.mark.parametrize("case", BROKEN_GZ)
def test_a_broken_gz_file_is_refused(tmp_path: Path, case: str) -> None:
    damage, message = BROKEN_GZ[case]
    folder = write_idx_dataset(tmp_path, train=12, test=5, gz=True)
    path = folder / f"{TRAIN_IMAGES}.gz"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DatasetError, match=message) as caught:
        find_mnist(folder)

    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_counts_must_agree(folder: Path) -> None:
    write_idx(np.zeros(11, np.uint8), folder / TRAIN_LABELS)
    with pytest.raises(DatasetError, match="contains 12 images, but train-labels-idx1-ubyte contains 11 labels"):
        find_mnist(folder)


def test_labels_are_digits(folder: Path) -> None:
    write_idx(np.array([0, 1, 2, 3, 10], np.uint8), folder / TEST_LABELS)
    with pytest.raises(DatasetError, match=f"{TEST_LABELS}' contains the label 10; expected labels from 0 to 9"):
        find_mnist(folder)


def test_both_splits_have_images_of_one_size(folder: Path) -> None:
    write_idx(np.zeros((5, 8, 8), np.uint8), folder / TEST_IMAGES)
    with pytest.raises(DatasetError, match="training images of 28x28 pixels, but test images of 8x8"):
        find_mnist(folder)


@pytest.mark.skipif(not REAL, reason="MNIST_DATA_DIR is not set")
@pytest.mark.real_mnist
def test_mnist_is_known_by_its_checksums() -> None:
    dataset = find_mnist(REAL, require_mnist=True)

    assert (dataset.kind, dataset.train_count, dataset.test_count) == ("mnist", 60_000, 10_000)
    assert load_labels(dataset, "test")[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
