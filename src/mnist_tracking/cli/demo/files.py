"""The files that the demo writes."""

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from mnist_tracking import Leaderboard, Lineage
from mnist_tracking.errors import ConfigError
from mnist_tracking.reading.plots import plot_accuracy, plot_digits

__all__ = ["Files"]


class Files:
    """
    Writes the demo's results to one folder.

    Args:
        folder: The folder; made if missing.

    Attributes:
        written: The names of the files so far.

    Raises:
        ConfigError: If it cannot be made or written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.written: list[str] = []
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            raise ConfigError(f"--out {str(folder)!r} cannot be written: {error.strerror or error}.") from error

    def leaderboard(self, board: Leaderboard) -> None:
        """Write ``leaderboard.csv``: a row per trial, best first."""
        with self._file("leaderboard.csv") as path:
            board.dataframe().to_csv(path, index=False)

    def lineage(self, lineage: Lineage) -> None:
        """Write ``lineage.csv``: a row per step of one trial, in order of creation."""
        with self._file("lineage.csv") as path:
            lineage.dataframe().to_csv(path, index=False)

    def accuracy(
        self, points: Sequence[tuple[int, float]], curves: Mapping[str, Sequence[tuple[float, float]]]
    ) -> None:
        """Draw ``accuracy.png``: test accuracy against hidden channels, and the training losses."""
        with self._file("accuracy.png") as path:
            plot_accuracy(points, curves, path)

    def digits(self, images: NDArray[Any], labels: NDArray[Any], answers: NDArray[Any]) -> None:
        """Draw ``digits.png``: images with the endpoint's answers."""
        with self._file("digits.png") as path:
            plot_digits(images, labels.tolist(), answers.tolist(), path)

    def timings(self, summary: Mapping[str, object]) -> None:
        """Write ``timings.json``."""
        with self._file("timings.json") as path:
            path.write_text(json.dumps(summary, indent=2) + "\n")

    def forget_if_empty(self) -> None:
        """Remove the folder if nothing was written to it."""
        with suppress(OSError):
            self.folder.rmdir()

    @contextmanager
    def _file(self, name: str) -> Iterator[Path]:
        path = self.folder / name
        try:
            yield path
            self.written.append(name)
        except OSError as error:
            raise ConfigError(f"{str(path)!r} cannot be written: {error.strerror or error}.") from error
