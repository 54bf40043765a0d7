"""Plots of handwritten digits. Needs the extra ``plots``."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mnist_tracking.errors import ConfigError
from mnist_tracking.reading.figures import BAD, FAINT, GOOD, INK, SavePath, new_figure, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_digits"]

_COLUMNS = 10


def plot_digits(
    images: NDArray[np.uint8],
    labels: Sequence[int],
    predictions: Sequence[int],
    path: SavePath | None = None,
) -> "Figure":
    """
    Draw digits, each with its prediction; a wrong one is framed, and shown with the true digit.

    Args:
        images: (N, H, W) or (N, 1, H, W) uint8, dark to bright.
        labels: N true digits.
        predictions: N predicted digits.
        path: Where to save the picture; its ending decides the format. Missing folders are created.

    Raises:
        ConfigError: If there are no images, or the numbers of images, labels and predictions differ.
        MissingDependencyError: If matplotlib is not installed.
    """
    if not len(images) == len(labels) == len(predictions) > 0:
        raise ConfigError(
            f"Got {len(images)} images, {len(labels)} labels and {len(predictions)} predictions; "
            "expected as many of each, and at least one."
        )
    columns = min(len(images), _COLUMNS)
    rows = -(-len(images) // columns)
    figure = new_figure(max(0.9 * columns, 3.0), 1.1 * rows + 0.4)
    right = sum(int(label) == int(guess) for label, guess in zip(labels, predictions, strict=True))
    figure.suptitle(f"Predictions: {right} of {len(images)} right", color=INK, fontsize=10)
    for place, (image, label, guess) in enumerate(zip(images, labels, predictions, strict=True), start=1):
        _draw_digit(figure.add_subplot(rows, columns, place), image, int(label), int(guess))
    return save(figure, path)


def _draw_digit(axes: "Axes", image: NDArray[np.uint8], label: int, guess: int) -> None:
    is_right = label == guess
    axes.imshow(image.reshape(image.shape[-2:]), cmap="gray_r", vmin=0, vmax=255, interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set(color=FAINT if is_right else BAD, linewidth=0.5 if is_right else 2.0)
    text = str(guess) if is_right else f"{guess} (is {label})"
    axes.set_title(text, color=GOOD if is_right else BAD, fontsize=11 if is_right else 9, pad=3)
