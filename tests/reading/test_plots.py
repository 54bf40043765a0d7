"""Pictures: that they are drawn, what they say, and what is refused."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.support.digits import make_digits

from mnist_tracking.errors import ConfigError
from mnist_tracking.reading import plots
from mnist_tracking.reading.plots import plot_accuracy, plot_digits

pytest.importorskip("matplotlib")

PNG = b"\x89PNG\r\n\x1a\n"
POINTS = [(20, 97.4), (2, 95.9), (5, 96.7)]
CURVES = {"2 channels": [(1, 0.9), (2, 0.5)], "20 channels": [(2, 0.2), (1, 0.6)]}


def words_of(svg: Path) -> list[str]:
    """Return what is written in a picture; matplotlib leaves each text in an SVG as a comment."""
    lines = svg.read_text().splitlines()
    return [line.strip()[5:-4] for line in lines if line.strip().startswith("<!-- ")]


@pytest.mark.parametrize("count", [1, 10, 24])
def test_digits_are_drawn(tmp_path: Path, count: int) -> None:
    images, labels = make_digits(count)
    path = plot_digits(images, labels.tolist(), labels.tolist(), tmp_path / "new" / "digits.png")

    assert path == tmp_path / "new" / "digits.png"
    assert path.read_bytes().startswith(PNG)


def test_a_wrong_answer_is_shown_with_the_right_one(tmp_path: Path) -> None:
    images, _ = make_digits(3)
    words = words_of(plot_digits(images, [7, 2, 5], [7, 2, 6], tmp_path / "digits.svg"))

    assert "What the endpoint answered: 2 of 3 right" in words
    assert "6 (is 5)" in words


def test_images_may_have_a_channel(tmp_path: Path) -> None:
    images, labels = make_digits(4)
    with_channel = plot_digits(images[:, np.newaxis], labels.tolist(), labels.tolist(), tmp_path / "a.png")
    without = plot_digits(images, labels.tolist(), labels.tolist(), tmp_path / "b.png")

    assert with_channel.read_bytes() == without.read_bytes()


def test_accuracy_names_the_best_and_every_curve(tmp_path: Path) -> None:
    words = words_of(plot_accuracy(POINTS, CURVES, tmp_path / "accuracy.svg"))

    assert {"97.40 %", "hidden channels", "accuracy (%)", "epoch", "loss", *CURVES} <= set(words)


def test_one_point_and_no_curves_will_do(tmp_path: Path) -> None:
    assert plot_accuracy([(2, 95.0)], {}, tmp_path / "a.png").read_bytes().startswith(PNG)
    assert plot_accuracy([(2, 95.0)], {"2 channels": []}, tmp_path / "b.png").read_bytes().startswith(PNG)


def test_nothing_to_draw_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="points is empty"):
        plot_accuracy([], CURVES, tmp_path / "a.png")
    with pytest.raises(ConfigError, match="Got 0 images, 0 labels and 0 predictions"):
        plot_digits(np.empty((0, 28, 28), np.uint8), [], [], tmp_path / "a.png")


def test_as_many_answers_as_images_are_needed(tmp_path: Path) -> None:
    images, labels = make_digits(3)
    with pytest.raises(ConfigError, match="Got 3 images, 3 labels and 2 predictions"):
        plot_digits(images, labels.tolist(), [1, 2], tmp_path / "a.png")


def test_an_unknown_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"a\.xyz' cannot be written"):
        plot_accuracy(POINTS, CURVES, tmp_path / "a.xyz")


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"file/a\.png' cannot be written"):
        plot_accuracy(POINTS, CURVES, tmp_path / "file" / "a.png")


def run_python(*lines: str) -> str:
    command = [sys.executable, "-c", "\n".join(lines)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_pyplot_is_left_alone(tmp_path: Path) -> None:
    out = run_python(
        "import sys",
        "from mnist_tracking.reading.plots import plot_accuracy",
        "print('matplotlib' in sys.modules)",
        f"plot_accuracy({POINTS!r}, {CURVES!r}, {str(tmp_path / 'a.png')!r})",
        "print('matplotlib.pyplot' in sys.modules)",
    )

    assert out.split() == ["False", "False"]


def test_without_matplotlib_the_error_names_the_command(tmp_path: Path) -> None:
    out = run_python(
        "import sys",
        "sys.modules['matplotlib'] = sys.modules['matplotlib.figure'] = None",
        "from mnist_tracking.errors import MissingDependencyError",
        "from mnist_tracking.reading.plots import plot_accuracy",
        "try:",
        f"    plot_accuracy({POINTS!r}, {{}}, {str(tmp_path / 'a.png')!r})",
        "except MissingDependencyError as exc:",
        "    print(exc)",
    )

    assert out.strip() == "matplotlib is not installed. Run: pip install matplotlib"


def test_the_public_names_are_sorted() -> None:
    assert plots.__all__ == sorted(plots.__all__)
