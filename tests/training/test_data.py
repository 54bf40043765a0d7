"""Loading digits: the tensors, and the error for each kind of damaged file."""

import gzip
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.support.digits import idx_bytes, make_digits, write_idx_dataset

from mnist_tracking.errors import DatasetError
from mnist_tracking.training.data import DigitData, load_data, normalise
from mnist_tracking.training.randomness import seeded


def load(directory: Path, *, fraction: float = 0.2, seed: int = 1) -> DigitData:
    return load_data(directory, validation_fraction=fraction, generator=seeded(seed, "split"))


@pytest.fixture
def broken(digits_dir: Path, tmp_path: Path) -> Path:
    """A copy to break."""
    return Path(shutil.copytree(digits_dir, tmp_path / "broken"))


def test_shapes_types_and_sizes(digits_dir: Path) -> None:
    """Three splits of resident tensors."""
    data = load(digits_dir)

    assert [len(split) for split in (data.train, data.validation, data.test)] == [240, 60, 100]
    assert data.train.images.shape == (240, 1, 28, 28)
    assert (data.train.images.dtype, data.train.labels.dtype) == (torch.uint8, torch.int64)


def test_pixels_are_normalised_as_the_reference_does(digits_dir: Path) -> None:
    """Scaled to 0..1, less the mean, over the standard deviation."""
    images, labels = make_digits(100, seed=1)
    data = load(digits_dir)

    expected = (torch.from_numpy(images)[:, None] / 255 - 0.1307) / 0.3081
    torch.testing.assert_close(normalise(data.test.images), expected)
    assert data.test.labels.tolist() == labels.tolist()


def test_normalising_leaves_its_argument_alone() -> None:
    """Also if its dtype is already float32."""
    pixels = torch.full((1, 1, 28, 28), 255.0)
    normalise(pixels)

    assert bool((pixels == 255).all())


@pytest.mark.parametrize("place", ["", "MNIST/raw"])
@pytest.mark.parametrize("gz", [False, True])
def test_raw_and_gzipped_here_or_where_torchvision_puts_them(
    tmp_path: Path, digits_dir: Path, place: str, gz: bool
) -> None:
    """All four give the same tensors."""
    write_idx_dataset(tmp_path / place, gz=gz)

    assert torch.equal(load(tmp_path).train.images, load(digits_dir).train.images)


def test_the_split_depends_on_the_seed_alone(digits_dir: Path) -> None:
    """The same seed holds out the same images, another one others."""
    first, again, other = load(digits_dir), load(digits_dir), load(digits_dir, seed=2)

    assert torch.equal(first.validation.images, again.validation.images)
    assert not torch.equal(first.validation.images, other.validation.images)


def test_no_image_is_in_both_parts(digits_dir: Path) -> None:
    """Training and validation share nothing and lose nothing."""
    data = load(digits_dir)
    rows = {tuple(row) for part in (data.train, data.validation) for row in part.images.flatten(1).tolist()}

    assert len(rows) == 300


IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
ZEROS = np.zeros((300, 8, 8), np.uint8)
BREAKAGES: dict[str, tuple[str, Callable[[bytes], bytes], str]] = {
    "truncated": (IMAGES, lambda content: content[:-5], "is truncated"),
    "header cut": (IMAGES, lambda content: content[:9], "is truncated"),
    "left over": (IMAGES, lambda content: content + b"x", "is too long: it has more than"),
    "empty": (IMAGES, lambda _: b"", "is not an IDX file"),
    "not idx": (IMAGES, lambda _: b"<html>404</html>", "is not an IDX file"),
    "images as labels": (LABELS, lambda _: idx_bytes(ZEROS), "contains images; expected labels.* swapped"),
    "labels as images": (IMAGES, lambda _: idx_bytes(ZEROS[:, 0, 0]), "contains labels; expected images.* swapped"),
    "count": (LABELS, lambda _: idx_bytes(np.zeros(7, np.uint8)), "300 images, but .* contains 7 labels"),
    "side": (IMAGES, lambda _: idx_bytes(ZEROS), "8x8 pixels"),
    "label": (
        LABELS,
        lambda _: idx_bytes(np.full(300, 10, np.uint8)),
        "contains the label 10; expected labels from 0 to 9",
    ),
}


@pytest.mark.parametrize("name", BREAKAGES)
def test_broken_data_is_a_clear_error(broken: Path, name: str) -> None:
    """One line that names the file and the problem."""
    file, breaking, message = BREAKAGES[name]
    (broken / file).write_bytes(breaking((broken / file).read_bytes()))

    with pytest.raises(DatasetError, match=message) as refused:
        load(broken)
    assert "\n" not in str(refused.value)


def test_missing_files_are_a_clear_error(broken: Path) -> None:
    """One file, all of them, or the folder."""
    (broken / LABELS).unlink()
    with pytest.raises(DatasetError, match="does not contain train-labels-idx1-ubyte"):
        load(broken)
    for path in broken.iterdir():
        path.unlink()
    with pytest.raises(DatasetError, match="contains no IDX files"):
        load(broken)
    with pytest.raises(DatasetError, match="directory not found"):
        load(broken / "nowhere")


def test_a_set_without_images_is_a_clear_error(broken: Path) -> None:
    """The files are valid, but empty."""
    (broken / "t10k-images-idx3-ubyte").write_bytes(idx_bytes(np.zeros((0, 28, 28), np.uint8)))
    (broken / "t10k-labels-idx1-ubyte").write_bytes(idx_bytes(np.zeros(0, np.uint8)))
    with pytest.raises(DatasetError, match="contains no pixels: 0 images"):
        load(broken)


@pytest.mark.parametrize("damage", [lambda c: c[:-20], lambda c: c[:100] + b"?" + c[101:], lambda _: b"no"])
def test_a_damaged_gzip_file_is_a_clear_error(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    """Cut short, changed in the middle, or not gzip at all."""
    directory = write_idx_dataset(tmp_path, gz=True)
    path = directory / f"{IMAGES}.gz"
    path.write_bytes(damage(path.read_bytes()))

    with pytest.raises(DatasetError, match=r"is truncated|is corrupt|is not a valid gzip file"):
        load(directory)


def test_the_raw_file_comes_before_the_gzipped_one(broken: Path) -> None:
    """If both exist, only the raw one is read."""
    (broken / f"{IMAGES}.gz").write_bytes(gzip.compress(b"other"))

    assert len(load(broken).train) == 240


@pytest.mark.parametrize("fraction", [0.0001, 0.9999])
def test_both_parts_need_an_image(digits_dir: Path, fraction: float) -> None:
    """A split that leaves one part empty is rejected."""
    with pytest.raises(DatasetError, match="training and validation need at least one each"):
        load(digits_dir, fraction=fraction)
