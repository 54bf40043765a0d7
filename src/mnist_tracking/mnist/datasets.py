"""
Handwritten digits: find MNIST, check it, fingerprint it, read it.

A dataset is a directory of four IDX files, raw or gzipped, under the names that MNIST gives them. Needs numpy alone.
"""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import attrs

from mnist_tracking._values.checks import check_path
from mnist_tracking.errors import DatasetError, MissingDependencyError
from mnist_tracking.mnist.download import CONTENT_MD5, MIRRORS, OnProgress, default_cache, download_mnist
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

Source = Literal["directory", "environment", "download", "scikit-learn digits"]
Kind = Literal["mnist", "custom", "digits"]


@attrs.frozen
class DataFile:
    """
    One of a dataset's four files, by what it holds: whether it is gzipped makes no difference.

    Attributes:
        name: MNIST's name for it, without ``.gz``.
        path: Where it is.
        size_bytes: How long its content is, unpacked.
        sha256: Of its content, unpacked.
        md5: Of its content, unpacked.
    """

    name: str
    path: Path
    size_bytes: int
    sha256: str
    md5: str


@attrs.frozen(kw_only=True)
class Dataset:
    """
    A checked dataset, as it was when it was checked.

    Attributes:
        directory: Holds the four files.
        files: Training images and labels, test images and labels.
        source: How it was found.
        kind: ``"mnist"`` when the files hold MNIST bit for bit, ``"digits"`` for those of scikit-learn, else
            ``"custom"``.
        train_count: How many training images there are.
        test_count: How many test images there are.
        image_shape: Height and width of every image, in pixels.
        note: Why it is not what was wanted; empty otherwise.
    """

    directory: Path
    files: tuple[DataFile, ...]
    source: Source
    kind: Kind
    train_count: int
    test_count: int
    image_shape: tuple[int, int]
    note: str = ""

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the four contents: equal for equal data, wherever they are and gzipped or not."""
        lines = "".join(f"{file.name} {file.sha256}\n" for file in self.files)
        return hashlib.sha256(lines.encode()).hexdigest()

    def parameters(self) -> dict[str, str | int | float]:
        """Return what a tracked preprocessing step records of this dataset."""
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
        """Return one line: what it is, how much of it, where it is, and why it is not MNIST where it should be."""
        what = {"mnist": "MNIST, checksums verified", "custom": "Custom data", "digits": "scikit-learn's few digits"}
        counts = f"{self.train_count:,} training and {self.test_count:,} test images of {side(self.image_shape)} pixels"
        note = f". Not MNIST: {self.note}" if self.note else ""
        return f"{what[self.kind]}: {counts} in {self.directory}{note}"


def read_mnist(data: "str | os.PathLike[str] | Dataset | None" = None, *, require_mnist: bool = False) -> Dataset:
    """
    Return a dataset for `ExperimentRunner.prepare_dataset`: *data* itself, or what `find_mnist` finds.

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
    on_progress: OnProgress | None = None,
) -> Dataset:
    """
    Find the data to train on, and check them.

    Looks in the directory that is named, else in the one that ``MNIST_DATA_DIR`` names, else in the cache, which is
    filled by a download. A directory that is named and wrong is an error; nothing else is taken in its place.

    Args:
        data_dir: Holds the four IDX files, raw or .gz, itself or in its ``MNIST/raw``.
        require_mnist: Refuse files that do not hold MNIST, bit for bit.
        download: Whether the network may be asked. A download is always held to MNIST's checksums.
        fallback: When MNIST cannot be had, take the small handwritten digits that scikit-learn ships, scaled to 28x28.
            The record says so.
        cache_dir: Where downloads are kept. Defaults to ``mnist-tracking`` in ``XDG_CACHE_HOME``, else in ``~/.cache``.
        mirrors: Base addresses to download from, tried in this order.
        on_progress: Told the file, the bytes that have come and the bytes to come, while a file is downloaded.

    Raises:
        DatasetError: If there are no data, or they are truncated, corrupt, or not what *require_mnist* asks for.
        ConfigError: If the cache cannot be written, or a mirror is no http address.
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


def check_directory(
    path: str | os.PathLike[str], *, require_mnist: bool = False, source: Source = "directory"
) -> Dataset:
    """
    Check that a directory holds a dataset, and say what it is.

    Args:
        path: Holds the four IDX files, raw or .gz, itself or in its ``MNIST/raw``. Where both are there, raw counts.
        require_mnist: Refuse files that do not hold MNIST, bit for bit.
        source: What to record of how the directory was found.

    Raises:
        DatasetError: If there is no such directory, or its files are missing, truncated, corrupt, do not fit each
            other, or are not what *require_mnist* asks for.
    """
    path = Path(path).expanduser()
    asked = f"MNIST_DATA_DIR names {str(path)!r}" if source == "environment" else ""
    directory = find_directory(path, asked=asked).absolute()
    contents = read_contents(directory)
    files = tuple(_data_file(name, file_path(directory, name), content) for name, content in contents.items())
    train, _ = parse_split(directory, "train", contents)
    test, _ = parse_split(directory, "test", contents)
    if train.shape[1:] != test.shape[1:]:
        raise DatasetError(
            f"{str(directory)!r} holds training images of {side(train.shape[1:])} pixels, but test images of "
            f"{side(test.shape[1:])}; they must be of one size."
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


def _data_file(name: str, path: Path, content: bytes) -> DataFile:
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    return DataFile(name, path, len(content), hashlib.sha256(content).hexdigest(), md5)


def _check_mnist(files: Sequence[DataFile]) -> None:
    for file in files:
        if file.md5 != CONTENT_MD5[file.name]:
            raise DatasetError(
                f"{str(file.path)!r} is not MNIST's {file.name}: the MD5 of its content is {file.md5}, "
                f"where {CONTENT_MD5[file.name]} is expected."
            )


def _cached_mnist(
    directory: Path, *, download: bool, mirrors: Sequence[str], on_progress: OnProgress | None
) -> Dataset:
    try:
        return check_directory(directory, require_mnist=True, source="download")
    except DatasetError as exc:
        if not download:
            raise DatasetError(f"MNIST is not in the cache, and downloading is off. {exc}") from exc
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
