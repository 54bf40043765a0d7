"""Small, learnable digits in MNIST's own file format, for every test that needs data."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np

Bytes = np.ndarray[Any, np.dtype[np.uint8]]


def make_digits(count: int, *, seed: int = 0) -> tuple[Bytes, Bytes]:
    """Return (count, 28, 28) images and (count,) labels; each class is a fixed pattern, dimmed, shifted and noisy."""
    patterns = np.random.default_rng(10).random((10, 7, 7)) > 0.5  # the same for every seed
    chance = np.random.default_rng(seed)
    labels = (np.arange(count) % 10).astype(np.uint8)
    chance.shuffle(labels)
    images = np.kron(patterns[labels], np.ones((1, 4, 4))) * chance.uniform(120, 255, (count, 1, 1))
    shifts = chance.integers(-1, 2, count)
    shifted = np.stack([np.roll(image, shift, axis=1) for image, shift in zip(images, shifts, strict=True)])
    noisy = shifted + chance.normal(0, 12, shifted.shape)
    return noisy.clip(0, 255).astype(np.uint8), labels


def idx_bytes(array: Bytes) -> bytes:
    """Return *array* as an IDX file holds it."""
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.tobytes()


def write_idx_dataset(directory: Path, *, train: int = 300, test: int = 100, gz: bool = False, seed: int = 0) -> Path:
    """Write the four files of a small MNIST to *directory*, and return it."""
    directory.mkdir(parents=True, exist_ok=True)
    for part, count, offset in (("train", train, 0), ("t10k", test, 1)):
        images, labels = make_digits(count, seed=seed + offset)
        for name, array in ((f"{part}-images-idx3-ubyte", images), (f"{part}-labels-idx1-ubyte", labels)):
            content = idx_bytes(array)
            path = directory / (f"{name}.gz" if gz else name)
            path.write_bytes(gzip.compress(content, mtime=0) if gz else content)
    return directory
