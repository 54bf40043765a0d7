"""Plots: that they are drawn, what they show, and what is rejected."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.support.digits import make_digits

from mnist_tracking import ConfigError, ExperimentRunner, Leaderboard, Workspace, plots
from mnist_tracking.mnist import plot_digits

pytest.importorskip("matplotlib")

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def board(workspace: Workspace) -> Leaderboard:
    """Three sizes, two epochs; the training loss is logged twice per epoch. The largest wins on the test set only."""
    runner = ExperimentRunner(workspace, "sizes")
    for size, validation, test in ((2, 90.0, 91.0), (8, 96.0, 94.0), (32, 95.0, 97.0)):
        with runner.trial({"size": size, "epochs": 2}, name=f"size-{size}") as trial:
            for epoch in (1, 2):
                trial.log_metric("train:loss", 4.0 / epoch)
                trial.log_metric("train:loss", 2.0 / epoch)
                trial.log_metric("validation:loss", 1.0 / epoch)
            trial.log_metric("validation:accuracy", validation)
            trial.log_metric("test:accuracy", test)
    return Leaderboard.load(workspace, "sizes", objective="validation:accuracy")


def words_of(svg: Path) -> list[str]:
    """Return what is written in a picture; matplotlib leaves each text in an SVG as a comment."""
    lines = svg.read_text().splitlines()
    return [line.strip()[5:-4] for line in lines if line.strip().startswith("<!-- ")]


def test_curves_have_a_point_per_epoch_and_metrics_of_one_kind_share_a_panel(
    board: Leaderboard, tmp_path: Path
) -> None:
    figure = plots.metric_curves(board, path=tmp_path / "curves.svg")
    (axes,) = figure.axes
    lines = [
        (np.asarray(line.get_xdata()).tolist(), np.asarray(line.get_ydata()).tolist(), line.get_linestyle())
        for line in axes.lines
    ]

    assert lines[:2] == [([1.0, 2.0], [2.0, 1.0], "-"), ([1.0, 2.0], [1.0, 0.5], "--")]
    assert len(lines) == 6
    assert {"loss (train solid, validation dashed)", "epoch", "size 2", "size 8", "size 32"} <= set(
        words_of(tmp_path / "curves.svg")
    )


def test_curves_of_one_trial_and_one_metric(board: Leaderboard) -> None:
    (axes,) = plots.metric_curves(board.best, metrics=["train:loss"]).axes

    assert [np.asarray(line.get_ydata()).tolist() for line in axes.lines] == [[4.0, 2.0, 2.0, 1.0]]
    assert axes.get_title(loc="left") == "train:loss"


def test_the_effect_marks_what_the_leaderboard_chose(board: Leaderboard, tmp_path: Path) -> None:
    both = ["validation:accuracy", "test:accuracy"]
    figure = plots.parameter_effect(board, metrics=both, path=tmp_path / "effect.svg")
    (axes,) = figure.axes

    assert {"chosen: 96", "Effect of size", "accuracy", "2", "8", "32", *both} <= set(words_of(tmp_path / "effect.svg"))
    assert np.asarray(axes.collections[-1].get_offsets()).tolist() == [[3.0, 96.0]]  # 8, on an axis of log2


def test_an_effect_of_what_is_not_a_number(workspace: Workspace) -> None:
    runner = ExperimentRunner(workspace, "kinds")
    for kind, score in (("sgd", 0.5), ("adam", 0.9), ("adam", 0.7)):
        with runner.trial({"optimizer": kind}) as trial:
            trial.log_metric("score", score)
    (axes,) = plots.parameter_effect(Leaderboard.load(workspace, "kinds", objective="score")).axes

    assert [label.get_text() for label in axes.get_xticklabels()] == ["adam", "sgd"]
    assert np.asarray(axes.lines[0].get_ydata()).tolist() == [pytest.approx(0.8), 0.5]  # the mean


@pytest.mark.parametrize(
    ("draw", "said"),
    [
        (lambda board: plots.metric_curves(board, metrics=["los"]), r"metrics=\['los'\]. Logged: 'test:accuracy'"),
        (lambda _: plots.metric_curves([]), "No metric was logged more than once"),
        (lambda board: plots.parameter_effect(board, "depth"), "no trial has 'depth'"),
        (lambda board: plots.parameter_effect(board, metrics=["los"]), r"no trial has 'size' and one of.*'los'"),
        (lambda _: plots.confusion_matrix([], []), "Got 0 true classes and 0 predictions"),
        (lambda _: plots.confusion_matrix([1, 2], [1]), "Got 2 true classes and 1 predictions"),
        (lambda _: plots.confusion_matrix([1, 2], [1, 3], labels=[1, 2]), "lacks the classes 3"),
        (lambda board: plots.parameter_effect(board, path="a.xyz"), r"'a\.xyz' cannot be written"),
        (lambda board: plots.parameter_effect(board, path=__file__ + "/a.png"), r"/a\.png' cannot be written"),
    ],
)
def test_nothing_to_draw_is_an_error(board: Leaderboard, draw: Callable[[Leaderboard], object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        draw(board)


def test_several_hyperparameters_that_differ_are_listed(workspace: Workspace) -> None:
    runner = ExperimentRunner(workspace, "two")
    for value in (1, 2):
        with runner.trial({"lr": value, "depth": value}) as trial:
            trial.log_metric("score", value)
    with pytest.raises(ConfigError, match=r"Pass parameter=\. Available: 'depth', 'lr'"):
        plots.parameter_effect(Leaderboard.load(workspace, "two", objective="score"))


@pytest.mark.parametrize(
    ("truth", "guessed"), [([0, 1, 1, 2], [0, 1, 2, 2]), (np.array(["cat", "dog", "dog"]), ["cat", "dog", "cat"])]
)
def test_a_confusion_matrix_counts(truth: object, guessed: object, tmp_path: Path) -> None:
    plots.confusion_matrix(truth, guessed, path=tmp_path / "new" / "matrix.svg")  # type: ignore[arg-type]
    words = words_of(tmp_path / "new" / "matrix.svg")

    assert {"predicted", "true"} <= set(words)
    assert any("3 of 4 right (75.0%)" in word or "2 of 3 right (66.7%)" in word for word in words)


@pytest.mark.parametrize("count", [1, 10, 24])
def test_digits_are_drawn(tmp_path: Path, count: int) -> None:
    images, labels = make_digits(count)
    plot_digits(images, labels.tolist(), labels.tolist(), tmp_path / "new" / "digits.png")

    assert (tmp_path / "new" / "digits.png").read_bytes().startswith(PNG)


def test_a_wrong_prediction_is_shown_with_the_true_digit(tmp_path: Path) -> None:
    images, _ = make_digits(3)
    plot_digits(images, [7, 2, 5], [7, 2, 6], tmp_path / "digits.svg")
    words = words_of(tmp_path / "digits.svg")

    assert "Predictions: 2 of 3 right" in words
    assert "6 (is 5)" in words


def test_images_may_have_a_channel(tmp_path: Path) -> None:
    images, labels = make_digits(4)
    for name, drawn in (("a.png", images[:, np.newaxis]), ("b.png", images)):
        plot_digits(drawn, labels.tolist(), labels.tolist(), tmp_path / name)

    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_as_many_predictions_as_images_are_needed() -> None:
    images, labels = make_digits(3)
    with pytest.raises(ConfigError, match="Got 3 images, 3 labels and 2 predictions"):
        plot_digits(images, labels.tolist(), [1, 2])
    with pytest.raises(ConfigError, match="Got 0 images, 0 labels and 0 predictions"):
        plot_digits(np.empty((0, 28, 28), np.uint8), [], [])


def run_python(*lines: str) -> str:
    command = [sys.executable, "-c", "\n".join(lines)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_pyplot_is_left_alone() -> None:
    out = run_python(
        "import sys",
        "from mnist_tracking import plots",
        "print('matplotlib' in sys.modules)",
        "plots.confusion_matrix([0, 1], [0, 1])",
        "print('matplotlib.pyplot' in sys.modules)",
    )

    assert out.split() == ["False", "False"]


def test_without_matplotlib_the_error_names_the_command() -> None:
    out = run_python(
        "import sys",
        "sys.modules['matplotlib'] = sys.modules['matplotlib.figure'] = None",
        "from mnist_tracking import MissingDependencyError, plots",
        "try:",
        "    plots.confusion_matrix([0, 1], [0, 1])",
        "except MissingDependencyError as exc:",
        "    print(exc)",
    )

    assert out.startswith("matplotlib is not installed. Run: pip install")


def test_the_public_names_are_sorted() -> None:
    assert plots.__all__ == sorted(plots.__all__)
