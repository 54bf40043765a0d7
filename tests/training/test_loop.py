"""The training loop: determinism, the choice of the epoch, and observers' events."""

from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from tests.training.conftest import Recorder, Training

from mnist_tracking.errors import ConfigError, DivergedError
from mnist_tracking.training.data import DigitData, Split, normalise
from mnist_tracking.training.evaluation import evaluate
from mnist_tracking.training.hyperparameters import Hyperparameters
from mnist_tracking.training.loop import train
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
    """Every random choice has its own generator."""
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
    hyperparameters = Hyperparameters(
        recipe="reference", epochs=80, batch_size=20, lr=0.05, momentum=0.9, dropout=0, hidden_channels=3
    )
    result = train(
        new_model(hyperparameters, torch.device("cpu")),
        DigitData(batch, batch, batch),
        hyperparameters,
        Recorder(),
    )

    assert result.test.accuracy == 100
    assert result.epochs[-1].train.loss < 0.05


def test_the_evaluation_batch_size_changes_nothing(train_small: Train, data: DigitData) -> None:
    """It affects only speed."""
    model, result, _ = train_small()
    score = evaluate(model, data.test, batch_size=7)

    assert score.accuracy == result.test.accuracy
    assert score.loss == pytest.approx(result.test.loss, rel=1e-5)


def test_every_training_image_is_seen_once_per_epoch(train_small: Train, data: DigitData) -> None:
    """The last batch may be smaller."""
    _, _, recorder = train_small(epochs=2, batch_size=100)

    assert [event.seen for event in recorder.progress] == [100, 200, 250] * 2
    assert [event.step for event in recorder.progress] == [1, 2, 3] * 2
    assert {event.total for event in recorder.progress} == {len(data.train)}


def test_the_last_running_loss_of_an_epoch_is_the_epochs(train_small: Train) -> None:
    """Both are means over all of its images."""
    _, result, recorder = train_small()

    assert recorder.progress[-1].loss == result.epochs[0].train.loss


def test_the_best_epochs_weights_are_kept_and_tested(train_small: Train, data: DigitData) -> None:
    """Not the last epoch's; the test images are scored once, with what is kept."""
    model, result, recorder = train_small(epochs=12, lr=0.3, momentum=0.9, seed=3)
    accuracies = [event.validation.accuracy for event in result.epochs]
    chosen = recorder.states[result.best.epoch - 1]["state_dict"]

    assert accuracies.index(max(accuracies)) + 1 == result.best.epoch
    assert all(torch.equal(weight, chosen[name]) for name, weight in model.state_dict().items())
    assert [result.test] == recorder.tests
    assert result.best.validation == evaluate(model, data.validation, batch_size=1000).score


def test_the_first_of_equally_good_epochs_wins(data: DigitData) -> None:
    """As in the leaderboard's objective; a rate too small to change any answer makes all epochs equal."""
    hyperparameters = Hyperparameters(recipe="reference", epochs=3, lr=1e-12, hidden_channels=2)
    recorder = Recorder()
    result = train(new_model(hyperparameters, torch.device("cpu")), data, hyperparameters, recorder)

    assert result.best.epoch == 1
    assert [event.is_best for event in recorder.epochs] == [True, False, False]


def test_later_epochs_do_not_change_a_state(train_small: Train) -> None:
    """A checkpointer may hold on to it."""
    _, _, recorder = train_small(epochs=3)
    weights = [state["state_dict"]["conv1.weight"] for state in recorder.states]

    assert not any(torch.equal(one, next_one) for one, next_one in pairwise(weights))


def test_a_loss_that_is_not_finite_stops_training(train_small: Train) -> None:
    """The error names the epoch and the step."""
    with pytest.raises(DivergedError, match=r"The loss is (nan|inf) in .*epoch 1.*step \d+.*A smaller lr may help"):
        train_small(lr=1e18)


def test_a_model_that_does_not_match_the_hyperparameters_is_rejected(data: DigitData) -> None:
    """The recorded hyperparameters would be wrong."""
    said = Hyperparameters(hidden_channels=4)
    with pytest.raises(
        ConfigError, match=r"The model has .*hidden_channels=3, .* hyperparameters require .*_channels=4"
    ):
        train(new_model(Hyperparameters(hidden_channels=3), torch.device("cpu")), data, said)


def test_a_trained_model_takes_any_batch(train_small: Train, data: DigitData) -> None:
    """Also with dropout: it does not depend on the batches of the run."""
    model, _, _ = train_small(batch_size=100)

    assert model.train()(normalise(data.test.images[:7])).shape == (7, 10)
