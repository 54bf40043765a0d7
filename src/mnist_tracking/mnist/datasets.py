"""
Datasets in MNIST's format: found, downloaded, checked, fingerprinted and read.

A dataset is a directory of four IDX files, raw or gzipped, with MNIST's file names. Needs only NumPy.
"""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import attrs

from mnist_tracking._values.checks import check_path
from mnist_tracking.errors import DatasetError, MissingDependencyError
from mnist_tracking.mnist.download import CONTENT_MD5, MIRRORS, OnDownload, default_cache, download_mnist
from mnist_tracking.training.digit_files import (
    FILES,
    IMAGES,
    LABELS,
    MEAN,
    STD,
    SplitName,
    file_path,
    find_directory,
    parse_split,
    read_contents,
    side,
)
from mnist_tracking.training.idx import Pixels, read_idx

__all__ = ["DataFile", "Dataset", "check_directory", "find_mnist", "load_images", "load_labels", "read_mnist"]

DatasetSource = Literal["directory", "environment", "download", "scikit-learn digits"]
DatasetKind = Literal["mnist", "custom", "digits"]


@attrs.frozen
class DataFile:
    """
    One of the four files of a dataset. Sizes and checksums are those of its unpacked contents.

    Attributes:
        name: MNIST's name for it, without ``.gz``.
        path: Its location.
        size_bytes: The size of its contents.
        sha256: The SHA-256 of its contents.
        md5: The MD5 of its contents.
    """

    name: str
    path: Path
    size_bytes: int
    sha256: str
    md5: str


@attrs.frozen(kw_only=True)
class Dataset:
    """
    A dataset that was checked. A snapshot of the time of the check.

    Attributes:
        directory: The directory of the four files.
        files: Training images and labels, test images and labels.
        source: How it was found.
        kind: ``"mnist"`` if the files contain exactly MNIST, ``"digits"`` for scikit-learn's digits, and otherwise
            ``"custom"``.
        train_count: The number of training images.
        test_count: The number of test images.
        image_shape: Height and width of every image, in pixels.
        note: Why the fallback is used instead of MNIST; empty otherwise.
    """

    directory: Path
    files: tuple[DataFile, ...]
    source: DatasetSource
    kind: DatasetKind
    train_count: int
    test_count: int
    image_shape: tuple[int, int]
    note: str = ""

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of the four files' contents, no matter where they are or whether they are gzipped."""
        lines = "".join(f"{file.name} {file.sha256}\n" for file in self.files)
        return hashlib.sha256(lines.encode()).hexdigest()

    def parameters(self) -> dict[str, str | int | float]:
        """Return the parameters that a preprocessing step records about this dataset."""
        height, width = self.image_shape
        return {
            "dataset": self.kind,
            "dataset_source": self.source,
            "train_images": self.train_count,
            "test_images": self.test_count,
            "image_height": height,
            "image_width": width,
            "normalization_mean": MEAN,
            "normalization_std": STD,
            **{f"sha256:{file.name}": file.sha256 for file in self.files},
        }

    @property
    def paths(self) -> tuple[Path, ...]:
        """The four files."""
        return tuple(file.path for file in self.files)

    @property
    def input_name(self) -> str:
        """The name of the preprocessing step's input, as in the AWS reference workflow."""
        return "mnist-dataset"

    def describe(self) -> str:
        """Return one line: the kind of data, its size, its location, and why it is not MNIST if it should be."""
        what = {"mnist": "MNIST, checksums verified", "custom": "Custom data", "digits": "scikit-learn's digits"}
        counts = f"{self.train_count:,} training and {self.test_count:,} test images of {side(self.image_shape)} pixels"
        note = f". Not MNIST: {self.note}" if self.note else ""
        return f"{what[self.kind]}: {counts} in {self.directory}{note}"


def read_mnist(data: "str | os.PathLike[str] | Dataset | None" = None, *, require_mnist: bool = False) -> Dataset:
    """
    Return the dataset for `ExperimentRunner.prepare_dataset`: *data* itself, or the one that `find_mnist` finds.

    Raises:
        ConfigError: If *data* is neither a path nor a dataset.
        DatasetError: If files are missing, truncated, corrupt, or not MNIST although *require_mnist* is true.
    """
    if isinstance(data, Dataset):
        return data
    return find_mnist(None if data is None else check_path("data", data), require_mnist=require_mnist)


def find_mnist(
    data_dir: str | os.PathLike[str] | None = None,
    *,
    require_mnist: bool = False,
    download: bool = True,
    fallback: bool = False,
    cache_dir: str | os.PathLike[str] | None = None,
    mirrors: Sequence[str] = MIRRORS,
    on_progress: OnDownload | None = None,
) -> Dataset:
    """
    Find a dataset to train on, and check it.

    Looks in *data_dir*, then in ``MNIST_DATA_DIR``, and then in the cache, to which MNIST is downloaded if needed. A
    directory that is given but wrong is an error; the others are not tried then.

    Args:
        data_dir: The directory of the four IDX files, raw or .gz, which may be in its subdirectory ``MNIST/raw``.
        require_mnist: Whether to reject files that do not contain exactly MNIST.
        download: Whether to download MNIST. Downloads are always checked against MNIST's checksums.
        fallback: Whether to use the small digits that scikit-learn includes, scaled to 28x28, if MNIST is not
            available. The dataset's ``kind`` and ``note`` show that.
        cache_dir: The folder for downloads. Defaults to ``mnist-tracking`` in ``XDG_CACHE_HOME``, or in ``~/.cache``.
        mirrors: Base URLs to download from, tried in this order.
        on_progress: Called with the file name, the bytes downloaded so far and the total, while a file is downloaded.

    Raises:
        DatasetError: If no dataset is found, or it is truncated, corrupt, or not MNIST although *require_mnist* is
            true.
        ConfigError: If the cache cannot be written, or a mirror is not an http URL.
    """
    if data_dir is not None:
        return check_directory(data_dir, require_mnist=require_mnist)
    if named := os.environ.get("MNIST_DATA_DIR"):
        return check_directory(named, require_mnist=require_mnist, source="environment")
    cache = Path(cache_dir) if cache_dir is not None else default_cache()
    try:
        return _cached_mnist(cache / "mnist", download=download, mirrors=mirrors, on_progress=on_progress)
    except DatasetError as exc:
        if not fallback or require_mnist:
            raise
        return _fallback_digits(cache / "digits", exc)


def _cached_mnist(
    directory: Path, *, download: bool, mirrors: Sequence[str], on_progress: OnDownload | None
) -> Dataset:
    try:
        return check_directory(directory, require_mnist=True, source="download")
    except DatasetError as exc:
        if not download:
            raise DatasetError(f"MNIST is not in the cache, and downloading is disabled. {exc}") from exc
    download_mnist(directory, mirrors=mirrors, on_progress=on_progress)
    return check_directory(directory, require_mnist=True, source="download")


def _fallback_digits(directory: Path, reason: DatasetError) -> Dataset:
    from mnist_tracking.mnist.fallback import write_digits

    try:
        write_digits(directory)
    except MissingDependencyError:
        raise reason from None
    found = check_directory(directory, source="scikit-learn digits")
    return attrs.evolve(found, kind="digits", note=str(reason))


def check_directory(
    path: str | os.PathLike[str], *, require_mnist: bool = False, source: DatasetSource = "directory"
) -> Dataset:
    """
    Check the dataset in a directory, and return it.

    Args:
        path: The directory of the four IDX files, which may be in its subdirectory ``MNIST/raw``. A raw file takes
            precedence over a .gz file.
        require_mnist: Whether to reject files that do not contain exactly MNIST.
        source: How the directory was found.

    Raises:
        DatasetError: If the directory does not exist, or its files are missing, truncated, corrupt, inconsistent, or
            not MNIST although *require_mnist* is true.
    """
    path = Path(path).expanduser()
    origin = f"MNIST_DATA_DIR={str(path)!r}" if source == "environment" else ""
    directory = find_directory(path, asked=origin).absolute()
    contents = read_contents(directory)
    files = tuple(_data_file(name, file_path(directory, name), content) for name, content in contents.items())
    train, _ = parse_split(directory, "train", contents)
    test, _ = parse_split(directory, "test", contents)
    if train.shape[1:] != test.shape[1:]:
        raise DatasetError(
            f"{str(directory)!r} contains training images of {side(train.shape[1:])} pixels, but test images of "
            f"{side(test.shape[1:])}; they must have the same size."
        )
    if require_mnist:
        _check_mnist(files)
    return Dataset(
        directory=directory,
        files=files,
        source=source,
        kind="mnist" if all(file.md5 == CONTENT_MD5[file.name] for file in files) else "custom",
        train_count=len(train),
        test_count=len(test),
        image_shape=(train.shape[1], train.shape[2]),
    )


def _data_file(name: str, path: Path, content: bytes) -> DataFile:
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    return DataFile(name, path, len(content), hashlib.sha256(content).hexdigest(), md5)


def _check_mnist(files: Sequence[DataFile]) -> None:
    for file in files:
        if file.md5 != CONTENT_MD5[file.name]:
            raise DatasetError(
                f"{str(file.path)!r} is not MNIST's {file.name}: the MD5 of its contents is {file.md5}, "
                f"expected {CONTENT_MD5[file.name]}."
            )


def load_images(dataset: Dataset, split: SplitName) -> Pixels:
    """
    Read the images of one split.

    Returns:
        (N, 28, 28) uint8 in 0..255 for MNIST; read-only.
    """
    return read_idx(file_path(dataset.directory, FILES[split][0]), dimensions=IMAGES)


def load_labels(dataset: Dataset, split: SplitName) -> Pixels:
    """
    Read the labels of one split.

    Returns:
        (N,) uint8 in 0..9, in the order of the images; read-only.
    """
    return read_idx(file_path(dataset.directory, FILES[split][1]), dimensions=LABELS)
