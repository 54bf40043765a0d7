"""Observers of a run's events."""

import io
import json
import os
import re
import time
from pathlib import Path

import pytest

from mnist_tracking.errors import ConfigError
from mnist_tracking.training.entry import METRIC_REGEXES
from mnist_tracking.training.events import EpochEnd, Evaluation, Observer, Progress, Score, Several
from mnist_tracking.training.observers import JsonLines, LogLines, MetricsFile, ProgressBar


def tell(observer: Observer, score: Score) -> None:
    """Two steps of four, the last one, an epoch, and a test."""
    several = Several([observer])
    for step, seen in ((2, 128), (4, 250)):
        several.on_progress(
            Progress(epoch=1, epochs=2, step=step, seen=seen, total=250, loss=score.loss / step, lr=0.1)
        )
    several.on_epoch(EpochEnd(epoch=1, train=score, validation=score, is_best=True))
    confusion = ((3, 1), *([(0, 0)] * 9))
    several.on_test(Evaluation(loss=score.loss, accuracy=score.accuracy, confusion=confusion, mistakes=()))


def logged(score: Score, *, every_step: bool = True) -> str:
    stream = io.StringIO()
    tell(LogLines(stream, every_step=every_step), score)
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


def test_the_log_matches_the_references_format() -> None:
    """Line for line."""
    assert logged(Score(0.5, 97.25)).splitlines() == [
        "Train Epoch: 1 [128/250 (51%)], Train Loss: 0.25;",
        "Train Epoch: 1 [250/250 (100%)], Train Loss: 0.125;",
        "Validation Average loss: 0.5, Validation Accuracy: 97.25%;",
        "Test Average loss: 0.5, Test Accuracy: 97.25%;",
    ]


def test_with_a_progress_bar_the_log_has_only_the_last_step() -> None:
    """The bar shows the others."""
    assert logged(Score(0.5, 97.25), every_step=False).splitlines()[0].startswith("Train Epoch: 1 [250/250")


def test_the_progress_bar_is_one_line_that_is_cleared() -> None:
    """Nothing of it is left when the epoch is done."""
    stream = io.StringIO()
    tell(ProgressBar(stream), Score(0.5, 97.25))

    drawn, wiped = stream.getvalue().split("\r\x1b[K")[1:]
    assert (drawn, wiped) == ("epoch 1/2 [###############---------------]  51 %, loss 0.2500", "")


def test_the_metrics_file_has_the_metrics_missing_from_the_log(tmp_path: Path) -> None:
    """In the form of ``smexperiments``; a digit without images has no value."""
    tell(MetricsFile(tmp_path), Score(0.5, 97.25))
    lines = [json.loads(line) for line in (tmp_path / f"{os.getpid()}.json").read_text().splitlines()]

    assert [(line["MetricName"], line["Value"], line.get("IterationNumber")) for line in lines] == [
        ("train:accuracy", 97.25, 1),
        ("test:accuracy:0", 75.0, None),
    ]
    assert all(abs(line["Timestamp"] - time.time()) < 60 for line in lines)
    assert not {line["MetricName"] for line in lines} & METRIC_REGEXES.keys()


def test_an_unwritable_metrics_folder_is_rejected_before_training(tmp_path: Path) -> None:
    """A missing folder is created; a file in its place is an error at once, not after an epoch."""
    (tmp_path / "file").touch()
    MetricsFile(tmp_path / "missing" / "too")

    assert (tmp_path / "missing" / "too").is_dir()
    with pytest.raises(ConfigError, match="is not writable"):
        MetricsFile(tmp_path / "file")


def test_json_lines_hold_every_value(tmp_path: Path) -> None:
    """One object per event, from the latest run only."""
    tell(JsonLines(tmp_path / "events.jsonl"), Score(0.5, 97.25))
    tell(JsonLines(tmp_path / "events.jsonl"), Score(0.5, 97.25))
    events = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]

    assert [event["event"] for event in events] == ["progress", "progress", "epoch", "test"]
    assert (events[0]["seen"], events[2]["validation"], events[3]["accuracy"]) == (
        128,
        {"loss": 0.5, "accuracy": 97.25},
        97.25,
    )
