"""A checksum of the data, to tell whether two runs use the same."""

import zlib

from torch import Tensor

from mnist_tracking.training.data import DigitData

__all__ = ["fingerprint"]


def fingerprint(data: DigitData) -> str:
    """
    Return a checksum of all images and labels, in their order.

    It detects accidents, not attacks, and takes about 20 ms for MNIST.
    """
    checksum = 0
    for split in (data.train, data.validation, data.test):
        checksum = zlib.crc32(_content(split.labels), zlib.crc32(_content(split.images), checksum))
    return f"{checksum:08x}"


def _content(tensor: Tensor) -> memoryview:
    return tensor.cpu().contiguous().numpy().data
