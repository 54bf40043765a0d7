"""Report files of a run: the scores of every epoch, the test's confusion matrix, and misclassified images."""

import dataclasses
import json
from pathlib import Path
from typing import Any

from mnist_tracking.job import log_artifact
from mnist_tracking.training.data import Split
from mnist_tracking.training.drawing import draw_mistakes
from mnist_tracking.training.events import Evaluation, TrainingResult
from mnist_tracking.training.files import write_atomically
from mnist_tracking.training.hyperparameters import Hyperparameters

__all__ = ["describe", "write_report"]


def write_report(
    result: TrainingResult, test: Split, hyperparameters: Hyperparameters, directory: Path
) -> tuple[Path, ...]:
    """
    Write ``history.json``, ``evaluation.json``, ``confusion-matrix.json`` and ``mistakes.png``, and record them.

    In a SageMaker job the files become artifacts of its trial component; elsewhere they are only written to
    *directory*. The confusion matrix has the format of ``Tracker.log_confusion_matrix``.

    Args:
        result: The result of the run.
        test: The test images.
        hyperparameters: The settings of the run.
        directory: The output folder.

    Returns:
        The paths of the files.

    Raises:
        ConfigError: If a file cannot be written.
    """
    files = {
        "history.json": _json({"hyperparameters": hyperparameters.as_dict(), **_history(result)}),
        "evaluation.json": _json(_evaluation(result.test)),
        "confusion-matrix.json": _json(_confusion(result.test)),
        "mistakes.png": _picture(result.test, test),
    }
    for name, content in files.items():
        write_atomically(content, directory / name)
        log_artifact(directory / name, name=name)
    return tuple(directory / name for name in files)


def describe(evaluation: Evaluation) -> str:
    """Format a table with each digit's accuracy and its most frequent confusions."""
    lines = ["digit  images  correct   confused with"]
    for digit, row in enumerate(evaluation.confusion):
        wrong = sorted(((count, other) for other, count in enumerate(row) if count and other != digit), reverse=True)
        others = ", ".join(f"{other} ({count})" for count, other in wrong[:4])
        share = evaluation.class_accuracy[digit]
        right = "-" if share is None else f"{share:.2f} %"
        lines.append(f"{digit:5} {sum(row):7} {right:>9}  {others}".rstrip())
    return "\n".join(lines)


def _history(result: TrainingResult) -> dict[str, Any]:
    return {
        "epochs": [dataclasses.asdict(event) for event in result.epochs],
        "best": dataclasses.asdict(result.best),
        "test": dataclasses.asdict(result.test.score),
    }


def _evaluation(evaluation: Evaluation) -> dict[str, Any]:
    return {**dataclasses.asdict(evaluation), "class_accuracy": evaluation.class_accuracy}


def _confusion(evaluation: Evaluation) -> dict[str, Any]:
    return {
        "type": "ConfusionMatrix",
        "version": 0,
        "title": "confusion-matrix",
        "confusionMatrix": evaluation.confusion,
    }


def _picture(evaluation: Evaluation, test: Split) -> bytes:
    index = [mistake.index for mistake in evaluation.mistakes]
    return draw_mistakes(test.images[index, 0].cpu().numpy(), evaluation.mistakes)


def _json(content: dict[str, Any]) -> bytes:
    return json.dumps(content, indent=2).encode()
