"""Epochs and steps in what scripts print."""

import pytest

from mnist_tracking._values.epochs import Place
from mnist_tracking._values.metric_lines import LogSearch


@pytest.mark.parametrize(
    ("line", "step", "share"),
    [
        ("Epoch: 2 [64/128 (50%)] Train Loss: 0.25;", 2, 0.5),
        ("Epoch 3/10", 3, 1.0),
        ("Epoch [4/10], Step [5/20], loss 0.1", 4, 1.0),
        ("epoch=5 loss=0.1", 5, 1.0),
        ("{'loss': 0.3, 'epoch': 6.0}", 6, 1.0),
        ('{"epoch": 7, "loss": 0.5}', 7, 1.0),
        ("| epoch   8 |   200/ 2983 batches", 8, 1.0),
        ("[Epoch #9] done", 9, 1.0),
        ("EPOCH 0: 12%", 0, 1.0),
        ("step=120 loss=0.3", 120, 0.0),
        ("Iteration 40: 0.5", 40, 0.0),
        ("iter: 7", 7, 0.0),
        ("{'global_step': 9}", 9, 0.0),
        ("Epoch: 1 [300/128 (234%)]", 1, 1.0),
        ("Epoch: 1 [0/0]", 1, 0.0),
        ("training for 100 epochs: 3 hosts", None, 0.0),
        ("python train.py --epochs 10 --steps 20", None, 0.0),
        ('{"epochs": 10}', None, 0.0),
        ("num_epoch=10 stepsize 3 step 0.5", None, 0.0),
        (f"epoch {'9' * 20}", None, 0.0),
        ("", None, 0.0),
    ],
)
def test_a_place_is_read_from_a_line(line: str, step: int | None, share: float) -> None:
    place = Place()
    place.read(line)

    assert (place.step, place.share) == (step, share)


def test_epochs_come_before_steps() -> None:
    place = Place()
    found = []
    for line in ("step 5", "Epoch 1", "step 6", "validation", "Epoch 2 step 7"):
        place.read(line)
        found.append(place.step)

    assert found == [5, 1, 1, 1, 2]


def steps(*lines: str) -> list[tuple[int, float]]:
    search = LogSearch({"loss": "loss=([^;]*);"})
    return [(found.step, found.value) for line in lines for found in search.find(line)]


def test_values_without_epochs_are_counted_from_one() -> None:
    assert steps("loss=0.5;", "loss=nan;", "loss=0.25;") == [(1, 0.5), (3, 0.25)]


def test_each_redraw_of_a_progress_bar_has_its_own_epoch() -> None:
    assert steps("Epoch 1 loss=0.5;\rEpoch 2 loss=0.25;", "loss=0.125;") == [(1, 0.5), (2, 0.25), (2, 0.125)]


def test_the_step_of_log_metric_comes_first() -> None:
    assert steps("Epoch 4", "loss=0.5; step=9;") == [(4, 0.5)]
    search = LogSearch({"loss": r'metric "loss"=(.*?)(?=[ ;])'})
    assert [found.step for found in search.find('metric "loss"=0.5 step=9;')] == [9]
