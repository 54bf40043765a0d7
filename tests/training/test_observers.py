"""What observers make of a run's events."""

import io
import re

import pytest

from mnist_tracking.training.entry import METRIC_REGEXES
from mnist_tracking.training.events import EpochEnd, Evaluation, Progress, Score, Several
from mnist_tracking.training.observers import LogLines


def logged(score: Score) -> str:
    stream = io.StringIO()
    log = Several([LogLines(stream)])
    for step, seen in ((2, 128), (4, 250)):
        event = Progress(epoch=1, epochs=2, step=step, seen=seen, total=250, loss=score.loss / step, lr=0.1)
        log.on_progress(event)
    log.on_epoch(EpochEnd(epoch=1, train=score, validation=score, is_best=True))
    log.on_test(Evaluation(loss=score.loss, accuracy=score.accuracy, confusion=(), mistakes=()))
    return stream.getvalue()


@pytest.mark.parametrize("loss", [0.123456789012345, 1e-07, 2 / 3])
def test_log_lines_give_every_metric_at_full_precision(loss: float) -> None:
    """SageMaker's regular expressions find each number, unrounded, and no other line."""
    log = logged(Score(loss, 100 * 2 / 3))
    found = {name: [float(v) for v in re.findall(regex, log)] for name, regex in METRIC_REGEXES.items()}

    assert found == {
        "train:loss": [loss / 2, loss / 4],
        "validation:loss": [loss],
        "validation:accuracy": [100 * 2 / 3],
        "test:loss": [loss],
        "test:accuracy": [100 * 2 / 3],
    }


def test_the_log_reads_as_the_references() -> None:
    """Line for line."""
    assert logged(Score(0.5, 97.25)).splitlines() == [
        "Train Epoch: 1 [128/250 (51%)], Train Loss: 0.25;",
        "Train Epoch: 1 [250/250 (100%)], Train Loss: 0.125;",
        "Validation Average loss: 0.5, Validation Accuracy: 97.25%;",
        "Test Average loss: 0.5, Test Accuracy: 97.25%;",
    ]
