"""Training itself: determinism, the choice of the epoch, checkpoints, and log lines."""

import io
import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from tests.training.conftest import Recorder, Training

from mnist_tracking.errors import DatasetError, DivergedError
from mnist_tracking.training.checkpoint import CheckpointWriter, checkpoint_path, load_checkpoint
from mnist_tracking.training.data import DigitData, Split
from mnist_tracking.training.entry import METRIC_REGEXES
from mnist_tracking.training.hyperparameters import Hyperparameters
from mnist_tracking.training.loop import (
    BatchEnd,
    EpochEnd,
    Score,
    Snapshot,
    evaluate,
    train,
)
from mnist_tracking.training.observers import LogLines, Several
from mnist_tracking.training.run import new_model

Train = Callable[..., Training]


def same_weights(first: Training, second: Training) -> bool:
    mine, theirs = first[0].state_dict(), second[0].state_dict()
    return all(torch.equal(weight, theirs[name]) for name, weight in mine.items())


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_the_same_seed_gives_bit_identical_weights(train_small: Train, optimizer: str) -> None:
    """Whatever else draws from torch's generator meanwhile; another seed gives others."""
    first = train_small(optimizer=optimizer)
    torch.rand(7)
    second = train_small(optimizer=optimizer)

    assert same_weights(first, second)
    assert first[1] == second[1]
    assert not same_weights(first, train_small(optimizer=optimizer, seed=2))


def test_torchs_own_generator_is_not_touched(train_small: Train) -> None:
    """Every use of chance has a generator of its own."""
    state = torch.get_rng_state()
    train_small()

    assert torch.equal(state, torch.get_rng_state())


def test_it_learns(train_small: Train) -> None:
    """The small digits are learned almost without error."""
    _, result, _ = train_small(epochs=8, hidden_channels=5, lr=0.05)

    assert result.test.accuracy > 90


def test_it_overfits_one_batch(data: DigitData) -> None:
    """Twenty images are learned by heart."""
    batch = Split(data.train.images[:20], data.train.labels[:20])
    hyperparameters = Hyperparameters(epochs=80, batch_size=20, lr=0.05, momentum=0.9, dropout=0)
    result = train(
        new_model(hyperparameters, torch.device("cpu")),
        DigitData(batch, batch, batch),
        hyperparameters,
        Recorder(),
    )

    assert result.test.accuracy == 100
    assert result.epochs[-1].train.loss < 0.05


def test_the_evaluation_batch_size_changes_nothing(train_small: Train, data: DigitData) -> None:
    """It is for speed alone."""
    model, result, _ = train_small()
    score = evaluate(model, data.test, batch_size=7)

    assert score.accuracy == result.test.accuracy
    assert score.loss == pytest.approx(result.test.loss, rel=1e-5)


def test_every_training_image_is_seen_once_per_epoch(train_small: Train, data: DigitData) -> None:
    """The last batch may be smaller."""
    _, _, recorder = train_small(epochs=2, batch_size=100)

    assert [event.seen for event in recorder.batches] == [100, 200, 250] * 2
    assert [event.step for event in recorder.batches] == [1, 2, 3] * 2
    assert {event.total for event in recorder.batches} == {len(data.train)}


def test_the_last_running_loss_of_an_epoch_is_the_epochs(train_small: Train) -> None:
    """Both are means over all of its images."""
    _, result, recorder = train_small()

    assert recorder.batches[-1].loss == result.epochs[0].train.loss


def test_the_best_epochs_weights_are_kept_and_tested(train_small: Train, data: DigitData) -> None:
    """Not the last epoch's; the test images are scored once, with what is kept."""
    model, result, recorder = train_small(epochs=12, lr=0.3, momentum=0.9, seed=3)
    accuracies = [event.validation.accuracy for event in result.epochs]
    chosen = recorder.snapshots[result.best.epoch - 1].weights

    assert accuracies.index(max(accuracies)) + 1 == result.best.epoch
    assert all(torch.equal(weight, chosen[name]) for name, weight in model.state_dict().items())
    assert [result.test] == recorder.tests
    assert result.best.validation == evaluate(model, data.validation, batch_size=1000)


def test_the_first_of_equally_good_epochs_wins(data: DigitData) -> None:
    """As in the leaderboard's objective; a rate too small to change any answer makes all epochs equal."""
    hyperparameters = Hyperparameters(epochs=3, lr=1e-12)
    recorder = Recorder()
    result = train(new_model(hyperparameters, torch.device("cpu")), data, hyperparameters, recorder)

    assert result.best.epoch == 1
    assert [event.is_best for event in recorder.epochs] == [True, False, False]


def test_later_epochs_do_not_change_a_snapshot(train_small: Train) -> None:
    """An observer may keep it."""
    _, _, recorder = train_small(epochs=3)
    weights = [snapshot.weights["conv1.weight"] for snapshot in recorder.snapshots]

    assert not any(torch.equal(one, next_one) for one, next_one in pairwise(weights))


def test_a_loss_that_is_not_finite_stops_training(train_small: Train) -> None:
    """The error names the epoch and the step."""
    with pytest.raises(DivergedError, match=r"The loss is (nan|inf) in .*epoch 1.*step \d+.*A smaller lr may help"):
        train_small(lr=1e18)


def test_a_checkpoint_per_epoch_that_loads(train_small: Train, tmp_path: Path) -> None:
    """Weights, scores, hyperparameters and the optimizer; nothing else is left in the folder."""
    _, result, recorder = train_small(epochs=2)
    hyperparameters = Hyperparameters(epochs=2, hidden_channels=3)
    writer = CheckpointWriter(tmp_path / "new", hyperparameters)
    for event, snapshot in zip(recorder.epochs, recorder.snapshots, strict=True):
        writer.on_epoch(event, snapshot)

    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["epoch-0001.pt", "epoch-0002.pt"]
    content = load_checkpoint(checkpoint_path(tmp_path / "new", 2))
    assert content["validation"]["accuracy"] == result.epochs[1].validation.accuracy
    assert Hyperparameters.from_mapping(content["hyperparameters"]) == hyperparameters
    new_model(hyperparameters, torch.device("cpu")).load_state_dict(content["state_dict"])
    assert "velocities" in content["optimizer"]


@pytest.mark.parametrize("content", [b"", b"nonsense", None])
def test_a_file_that_is_no_checkpoint_is_a_clear_error(tmp_path: Path, content: bytes | None) -> None:
    """Empty, garbage, or missing."""
    path = tmp_path / "epoch-0001.pt"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(DatasetError, match="is not a checkpoint"):
        load_checkpoint(path)


def logged(score: Score, *, interval: int = 2) -> str:
    stream = io.StringIO()
    log = Several([LogLines(stream, interval=interval)])
    for step, seen in enumerate((64, 128, 192, 250), 1):
        log.on_batch(BatchEnd(epoch=1, step=step, seen=seen, total=250, loss=score.loss / step))
    log.on_epoch(EpochEnd(epoch=1, train=score, validation=score, is_best=True), Snapshot({}, {}))
    log.on_test(score)
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
    """One line per interval, and the last step whatever the interval."""
    assert logged(Score(0.5, 97.25), interval=3).splitlines() == [
        "Train Epoch: 1 [192/250 (76%)], Train Loss: 0.16666666666666666;",
        "Train Epoch: 1 [250/250 (100%)], Train Loss: 0.125;",
        "Validation Average loss: 0.5, Validation Accuracy: 97.25%;",
        "Test Average loss: 0.5, Test Accuracy: 97.25%;",
    ]
