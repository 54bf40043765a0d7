"""Figures of matplotlib: made, labelled in one style, and saved."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from mnist_tracking.errors import ConfigError, MissingDependencyError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, FAINT, GOOD, BAD = "#22313f", "#8795a1", "#1b7f79", "#c8382e"
_DPI = 160
SavePath = str | os.PathLike[str]


def new_figure(width: float, height: float) -> "Figure":
    """Create a figure of that size, in inches."""
    try:
        from matplotlib.figure import Figure
    except ImportError as exc:
        raise MissingDependencyError("matplotlib", "plots") from exc
    return Figure(figsize=(width, height), layout="constrained")


def save(figure: "Figure", path: SavePath | None) -> "Figure":
    """Save a figure if there is a path, and return it."""
    if path is not None:
        target = Path(path)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            figure.savefig(target, dpi=_DPI, facecolor="white")
        except (OSError, ValueError) as exc:  # matplotlib raises ValueError for an unknown ending
            raise ConfigError(f"{str(target)!r} cannot be written: {exc}.") from exc
    return figure


def label_axes(axes: "Axes", title: str, x: str, y: str) -> None:
    """Give axes their title, their labels and the look of this module."""
    axes.set_title(title, color=INK, fontsize=10, loc="left")
    axes.set_xlabel(x, color=INK, fontsize=9)
    axes.set_ylabel(y, color=INK, fontsize=9)
    axes.tick_params(colors=INK, labelsize=8)
    axes.grid(color=FAINT, alpha=0.25, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(FAINT)
