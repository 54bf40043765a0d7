"""
Pictures of what came out: digits with their answers, and accuracy against the size of the network.

Needs the extra ``plots``. Draws on figures of its own, so pyplot's global state and backend are left alone.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mnist_tracking.errors import ConfigError, MissingDependencyError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_accuracy", "plot_digits"]

_INK, _FAINT, _RIGHT, _WRONG = "#22313f", "#8795a1", "#1b7f79", "#c8382e"
_DPI = 160
_COLUMNS = 10


def plot_digits(
    images: NDArray[np.uint8], labels: Sequence[int], predictions: Sequence[int], path: str | os.PathLike[str]
) -> Path:
    """
    Draw digits, each with what was answered; a wrong answer is framed, and shown with the right one.

    Args:
        images: (N, H, W) or (N, 1, H, W) uint8, dark to bright.
        labels: N true digits.
        predictions: N answers.
        path: The picture; its ending decides the format. Its directory is made if need be.

    Returns:
        *path*.

    Raises:
        ConfigError: If there are no images, or not as many labels and answers as images.
        MissingDependencyError: If matplotlib is not installed.
    """
    if not len(images) == len(labels) == len(predictions) > 0:
        raise ConfigError(
            f"Got {len(images)} images, {len(labels)} labels and {len(predictions)} predictions; "
            "there must be as many of each, and at least one."
        )
    columns = min(len(images), _COLUMNS)
    rows = -(-len(images) // columns)
    figure = _new_figure(max(0.9 * columns, 3.0), 1.1 * rows + 0.4)
    right = sum(int(label) == int(answer) for label, answer in zip(labels, predictions, strict=True))
    figure.suptitle(f"What the endpoint answered: {right} of {len(images)} right", color=_INK, fontsize=10)
    for place, (image, label, answer) in enumerate(zip(images, labels, predictions, strict=True), start=1):
        _draw_digit(figure.add_subplot(rows, columns, place), image, int(label), int(answer))
    return _save(figure, path)


def plot_accuracy(
    points: Iterable[tuple[int, float]],
    curves: Mapping[str, Sequence[tuple[float, float]]],
    path: str | os.PathLike[str],
) -> Path:
    """
    Draw test accuracy against hidden channels, and beside it how the training loss went.

    Args:
        points: Hidden channels and test accuracy in percent, in any order.
        curves: For each label, epochs and training losses above 0.
        path: The picture; its ending decides the format. Its directory is made if need be.

    Returns:
        *path*.

    Raises:
        ConfigError: If there are no points.
        MissingDependencyError: If matplotlib is not installed.
    """
    ordered = sorted(points)
    if not ordered:
        raise ConfigError("There is no accuracy to plot: points is empty.")
    figure = _new_figure(9.0, 3.8)
    left, right = figure.subplots(1, 2)
    _draw_accuracy(left, ordered)
    _draw_losses(right, curves)
    return _save(figure, path)


def _new_figure(width: float, height: float) -> "Figure":
    try:
        from matplotlib.figure import Figure
    except ImportError as exc:
        raise MissingDependencyError("matplotlib", "plots") from exc
    return Figure(figsize=(width, height), layout="constrained")


def _save(figure: "Figure", path: str | os.PathLike[str]) -> Path:
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(target, dpi=_DPI, facecolor="white")
    except (OSError, ValueError) as exc:  # matplotlib's word for an ending that it does not know is a ValueError
        raise ConfigError(f"{str(target)!r} cannot be written: {exc}.") from exc
    return target


def _draw_digit(axes: "Axes", image: NDArray[np.uint8], label: int, answer: int) -> None:
    is_right = label == answer
    axes.imshow(image.reshape(image.shape[-2:]), cmap="gray_r", vmin=0, vmax=255, interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set(color=_FAINT if is_right else _WRONG, linewidth=0.5 if is_right else 2.0)
    text = str(answer) if is_right else f"{answer} (is {label})"
    axes.set_title(text, color=_RIGHT if is_right else _WRONG, fontsize=11 if is_right else 9, pad=3)


def _draw_accuracy(axes: "Axes", points: Sequence[tuple[int, float]]) -> None:
    channels, accuracies = zip(*points, strict=True)
    axes.plot(channels, accuracies, color=_RIGHT, marker="o", markersize=5, linewidth=1.5)
    best = max(points, key=lambda point: point[1])
    axes.annotate(
        f"{best[1]:.2f} %",
        best,
        xytext=(0, 8),
        textcoords="offset points",
        ha="center",
        color=_RIGHT,
        fontsize=9,
        fontweight="bold",
    )
    axes.set_xscale("log", base=2)
    axes.set_xticks(channels, labels=map(str, channels))
    axes.margins(x=0.1, y=0.18)
    _label(axes, "Test accuracy", "hidden channels", "accuracy (%)")


def _draw_losses(axes: "Axes", curves: Mapping[str, Sequence[tuple[float, float]]]) -> None:
    from matplotlib import colormaps
    from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter

    shades = colormaps["viridis"](np.linspace(0.0, 0.85, max(len(curves), 1)))
    for (label, curve), shade in zip(curves.items(), shades, strict=False):
        epochs, losses = zip(*sorted(curve), strict=True) if curve else ((), ())
        axes.plot(epochs, losses, label=label, color=shade, marker="o", markersize=3.5, linewidth=1.5)
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if curves:
        axes.legend(frameon=False, fontsize=8, labelcolor=_INK)
    _label(axes, "Training loss", "epoch", "loss")


def _label(axes: "Axes", title: str, x: str, y: str) -> None:
    axes.set_title(title, color=_INK, fontsize=11, loc="left")
    axes.set_xlabel(x, color=_INK, fontsize=9)
    axes.set_ylabel(y, color=_INK, fontsize=9)
    axes.tick_params(colors=_INK, labelsize=8)
    axes.grid(color=_FAINT, alpha=0.25, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(_FAINT)
