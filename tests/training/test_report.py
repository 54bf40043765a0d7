"""What a run leaves behind for people to look at."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.training.conftest import Training

from mnist_tracking.training.data import DigitData
from mnist_tracking.training.drawing import draw_mistakes, encode_png
from mnist_tracking.training.evaluation import evaluate
from mnist_tracking.training.events import Evaluation, Mistake
from mnist_tracking.training.hyperparameters import Hyperparameters
from mnist_tracking.training.report import describe, write_report

Train = Callable[..., Training]


def test_an_evaluation_equals_counting(train_small: Train, data: DigitData) -> None:
    """Accuracy, confusion and each digit's share agree; mistakes are in descending order of confidence."""
    model, _, _ = train_small(epochs=2)
    evaluation = evaluate(model, data.test, batch_size=33)
    confusion = torch.tensor(evaluation.confusion)

    assert confusion.sum(dim=1).tolist() == torch.bincount(data.test.labels, minlength=10).tolist()
    assert evaluation.accuracy == 100 * int(confusion.trace()) / len(data.test)
    shares = [share for share in evaluation.class_accuracy if share is not None]
    assert min(shares) <= evaluation.accuracy <= max(shares)
    sure = [mistake.confidence for mistake in evaluation.mistakes]
    assert sure == sorted(sure, reverse=True)
    assert len(sure) == min(25, int(confusion.sum() - confusion.trace()))
    for mistake in evaluation.mistakes:
        assert mistake.label == data.test.labels[mistake.index]
        assert mistake.answer != mistake.label


def test_the_report_is_four_files(train_small: Train, data: DigitData, tmp_path: Path) -> None:
    """Scores, the evaluation, the confusion matrix in Tracker's format, and a valid PNG."""
    _, result, _ = train_small(epochs=2)
    paths = write_report(result, data.test, Hyperparameters(), tmp_path)

    assert [path.name for path in paths] == sorted(
        ["history.json", "evaluation.json", "confusion-matrix.json", "mistakes.png"],
        key=["history.json", "evaluation.json", "confusion-matrix.json", "mistakes.png"].index,
    )
    matrix = json.loads((tmp_path / "confusion-matrix.json").read_text())
    assert (matrix["type"], matrix["version"], len(matrix["confusionMatrix"])) == ("ConfusionMatrix", 0, 10)
    assert json.loads((tmp_path / "history.json").read_text())["test"]["accuracy"] == result.test.accuracy
    with Image.open(tmp_path / "mistakes.png") as picture:
        picture.verify()


@pytest.mark.parametrize("shape", [(1, 1), (3, 7), (100, 33)])
def test_a_png_contains_the_pixels(tmp_path: Path, shape: tuple[int, int]) -> None:
    """At every position."""
    pixels = np.random.default_rng(1).integers(0, 256, shape).astype(np.uint8)
    (tmp_path / "p.png").write_bytes(encode_png(pixels))

    with Image.open(tmp_path / "p.png") as picture:
        assert np.array_equal(np.asarray(picture), pixels)


@pytest.mark.parametrize("count", [0, 1, 5, 6])
def test_mistakes_are_drawn_five_in_a_row(count: int) -> None:
    """Also when there are none, and when the last row is not full."""
    mistakes = [Mistake(index=index, label=4, answer=9, confidence=0.5) for index in range(count)]
    content = draw_mistakes(np.zeros((count, 28, 28), np.uint8), mistakes)

    assert content.startswith(b"\x89PNG")


def test_the_table_lists_each_digits_confusions() -> None:
    """The most frequent first; a digit without images has no share."""
    confusion = tuple(tuple(8 if row == column == 1 else 0 for column in range(10)) for row in range(9))
    evaluation = Evaluation(loss=1, accuracy=80, confusion=(*confusion, (0, 0, 0, 0, 3, 0, 0, 1, 0, 6)), mistakes=())

    lines = describe(evaluation).splitlines()
    assert lines[1].split() == ["0", "0", "-"]
    assert lines[2].split() == ["1", "8", "100.00", "%"]
    assert lines[10].split(maxsplit=4) == ["9", "10", "60.00", "%", "4 (3), 7 (1)"]
