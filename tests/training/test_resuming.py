"""A run that is taken up again is the run that was never interrupted, to the last bit."""

from collections.abc import Callable

import pytest
import torch
from tests.training.conftest import Training

Train = Callable[..., Training]
FAST = {"recipe": "fast", "epochs": 3, "batch_size": 25}


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(value, second[name]) for name, value in first.items())


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("step", [1, 9, 10, 14, 29])
def test_resuming_from_any_step_is_bit_identical(train_small: Train, optimizer: str, step: int) -> None:
    """Weights, optimizer, schedule, dropout, shifts, order, the running sums and the choice of the epoch."""
    whole, result, heard = train_small(**FAST, optimizer=optimizer, keep=[step])
    model, resumed, heard_later = train_small(**FAST, optimizer=optimizer, resume_from=heard.kept[step])

    assert same(whole.state_dict(), model.state_dict())
    assert result == resumed
    assert heard_later.progress == heard.progress[step:]
    assert same(heard.states[-1]["state_dict"], heard_later.states[-1]["state_dict"])


@pytest.mark.parametrize("epoch", [1, 2, 3])
def test_resuming_from_the_end_of_an_epoch_is_bit_identical(train_small: Train, epoch: int) -> None:
    """After the last epoch, only the test is left."""
    whole, result, heard = train_small(**FAST)
    model, resumed, heard_later = train_small(**FAST, resume_from=heard.states[epoch - 1])

    assert same(whole.state_dict(), model.state_dict())
    assert result == resumed
    assert [event.epoch for event in heard_later.epochs] == list(range(epoch + 1, 4))
