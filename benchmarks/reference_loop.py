"""
The reference workflow's training loop, for comparison: a dataset that transforms images one by one, and a
DataLoader.

    python -m benchmarks.reference_loop --data-dir DIR --hidden-channels 2

Written from the description of the AWS reference script. The dataset is torchvision's own where torchvision
can be imported. Elsewhere it is :class:`PerImageDigits`, which does for each image what torchvision does
(array to PIL image, image to bytes, bytes to floats in 0..1, normalise), with fewer checks, so that it is no
slower. The output says which one ran.

All 60,000 images are trained on, the last epoch counts, and the test images are scored after every epoch.
"""

import argparse
import importlib
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from mnist_tracking.training.digit_files import FILES, IMAGES, LABELS, MEAN, STD, SplitName, file_path, find_directory
from mnist_tracking.training.idx import Pixels, read_idx, write_idx

MakeDataset: TypeAlias = Callable[[SplitName], Dataset[tuple[Tensor, int]]]


class ReferenceNet(nn.Module):
    """The reference's network: the kernel size is always 5, and the last dropout always 0.5."""

    def __init__(self, hidden_channels: int, dropout: float) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, hidden_channels, kernel_size=5)
        self.conv2 = nn.Conv2d(hidden_channels, 20, kernel_size=5)
        self.drop = nn.Dropout2d(dropout)
        self.fc1 = nn.Linear(320, 50)
        self.fc2 = nn.Linear(50, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(functional.max_pool2d(self.conv1(x), 2))  # (N, hidden, 12, 12)
        x = functional.relu(functional.max_pool2d(self.drop(self.conv2(x)), 2))  # (N, 20, 4, 4)
        x = functional.relu(self.fc1(x.view(-1, 320)))  # (N, 50)
        x = functional.dropout(x, training=self.training)
        return functional.log_softmax(self.fc2(x), dim=1)  # (N, 10)


class PerImageDigits(Dataset[tuple[Tensor, int]]):
    """Digits that are converted to normalised tensors one at a time, on every access."""

    def __init__(self, directory: Path, split: SplitName) -> None:
        images, labels = _read(directory, split)
        self.images, self.labels = torch.from_numpy(images.copy()), torch.from_numpy(labels.astype(np.int64))

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image = Image.fromarray(self.images[index].numpy())
        pixels = torch.from_numpy(np.array(image, np.uint8, copy=True))
        channels_first = pixels.view(28, 28, 1).permute((2, 0, 1)).contiguous()
        scaled = channels_first.to(torch.float32).div(255)
        mean, std = torch.as_tensor([MEAN]).view(-1, 1, 1), torch.as_tensor([STD]).view(-1, 1, 1)
        return scaled.clone().sub_(mean).div_(std), int(self.labels[index])


def _read(directory: Path, split: SplitName) -> tuple[Pixels, Pixels]:
    images, labels = (file_path(find_directory(directory), name) for name in FILES[split])
    return read_idx(images, dimensions=IMAGES), read_idx(labels, dimensions=LABELS)


def choose_dataset(directory: Path, scratch: Path) -> tuple[str, MakeDataset]:
    """
    Return torchvision's dataset if it can be imported, otherwise `PerImageDigits`, and its name.

    Args:
        directory: Folder with the four IDX files.
        scratch: Gets them unpacked, where torchvision looks for them; that is not counted.
    """
    try:
        datasets = importlib.import_module("torchvision.datasets")
        transforms = importlib.import_module("torchvision.transforms")
    except (ImportError, RuntimeError):  # RuntimeError: built for another torch
        return "PerImageDigits", lambda split: PerImageDigits(directory, split)
    for split in FILES:
        for name, array in zip(FILES[split], _read(directory, split), strict=True):
            write_idx(array, scratch / "MNIST" / "raw" / name)
    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((MEAN,), (STD,))])
    return "torchvision.datasets.MNIST", lambda split: datasets.MNIST(
        scratch, train=split == "train", transform=transform
    )


def score(model: nn.Module, loader: "DataLoader[tuple[Tensor, int]]") -> float:
    """Return the accuracy in percent."""
    model.eval()
    right, loss = 0, 0.0
    with torch.no_grad():
        for images, labels in loader:
            answers = model(images)
            loss += functional.nll_loss(answers, labels, reduction="sum").item()
            right += int((answers.argmax(1) == labels).sum())
    return 100 * right / len(loader.dataset)  # type: ignore[arg-type]


def train_reference(
    directory: Path, *, hidden_channels: int, epochs: int, seed: int, dropout: float = 0.2
) -> tuple[float, float, str]:
    """Train as the reference does; return the test accuracy, the core-seconds and the name of the dataset."""
    with tempfile.TemporaryDirectory() as scratch:
        name, dataset = choose_dataset(directory, Path(scratch))
        accuracy, spent = train_on(dataset, hidden_channels=hidden_channels, epochs=epochs, seed=seed, dropout=dropout)
    return accuracy, spent, name


def train_on(
    dataset: MakeDataset, *, hidden_channels: int, epochs: int, seed: int, dropout: float
) -> tuple[float, float]:
    """Train on *dataset*; return the test accuracy and the core-seconds."""
    torch.manual_seed(seed)
    torch.optim.SGD([torch.zeros(1)], lr=0.01)  # imports torch's compiler, which is not counted
    started = time.process_time()
    training = DataLoader(dataset("train"), batch_size=64, shuffle=True)
    test = DataLoader(dataset("test"), batch_size=1000, shuffle=True)
    model = ReferenceNet(hidden_channels, dropout)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.5)
    accuracy = 0.0
    for _ in range(epochs):
        model.train()
        for images, labels in training:
            optimizer.zero_grad()
            loss = functional.nll_loss(model(images), labels)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        accuracy = score(model, test)
    return accuracy, time.process_time() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--hidden-channels", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(1)
    channels, epochs, seed = options.hidden_channels, options.epochs, options.seed
    accuracy, spent, dataset = train_reference(options.data_dir, hidden_channels=channels, epochs=epochs, seed=seed)
    print(f"{dataset}: test accuracy {accuracy:.2f} %, {spent:.2f} core-seconds")


if __name__ == "__main__":
    main()
