"""
The training loop: pure functions over a model, data and a record of hyperparameters.

The loop neither prints nor writes. An :class:`Observer` is told what happens, and decides what becomes of it.
"""

import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

from mnist_tracking.errors import DivergedError
from mnist_tracking.training.data import DigitData, Split
from mnist_tracking.training.hyperparameters import Hyperparameters
from mnist_tracking.training.model import DigitNet
from mnist_tracking.training.optimizers import Optimizer, build_optimizer
from mnist_tracking.training.randomness import seeded

__all__ = [
    "BatchEnd",
    "EpochEnd",
    "Observer",
    "Score",
    "Snapshot",
    "TrainingResult",
    "evaluate",
    "run_epoch",
    "train",
]

_CPU_BATCH = 250  # what more images make of a layer leaves the cache, and takes twice as long

Weights: TypeAlias = dict[str, Tensor]
Step: TypeAlias = Callable[[Split], tuple[float, int]]  # one batch to its mean loss and its right answers


@dataclasses.dataclass(frozen=True, slots=True)
class Score:
    """
    How well a model does on some images.

    Attributes:
        loss: Mean negative log-likelihood.
        accuracy: Share of right answers, in percent.
    """

    loss: float
    accuracy: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BatchEnd:
    """
    One training step is done.

    Attributes:
        epoch: Counted from 1.
        step: Of this epoch, counted from 1.
        seen: Training images of this epoch so far.
        total: Training images in an epoch.
        loss: Mean training loss of this epoch so far.
    """

    epoch: int
    step: int
    seen: int
    total: int
    loss: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EpochEnd:
    """
    One epoch is done, and the model was scored on the validation images.

    Attributes:
        epoch: Counted from 1.
        train: Mean over the epoch's steps, with dropout, while the weights changed.
        validation: Of the weights at the end of the epoch.
        is_best: Whether no earlier epoch reached this validation accuracy.
    """

    epoch: int
    train: Score
    validation: Score
    is_best: bool


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """
    What an epoch left behind; later epochs do not change it.

    Attributes:
        weights: The model's state_dict, on the CPU.
        optimizer: What the optimizer's next step depends on.
    """

    weights: Weights
    optimizer: dict[str, object]


class Observer(Protocol):
    """Is told what happens during training. Its methods must return soon: training waits for them."""

    def on_batch(self, event: BatchEnd) -> None:
        """Hear that one training step is done."""

    def on_epoch(self, event: EpochEnd, snapshot: Snapshot, /) -> None:
        """Hear that one epoch is done and validated."""

    def on_test(self, score: Score) -> None:
        """Hear the score of the chosen weights on the test images; once, at the end."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TrainingResult:
    """
    What training came to.

    Attributes:
        epochs: Every epoch, in order.
        best: The epoch whose weights were chosen: the first with the best validation accuracy.
        test: The score of those weights on the test images.
    """

    epochs: tuple[EpochEnd, ...]
    best: EpochEnd
    test: Score


def train(model: DigitNet, data: DigitData, hyperparameters: Hyperparameters, observer: Observer) -> TrainingResult:
    """
    Train *model*, choose the best epoch by validation accuracy, and score its weights on the test images.

    The order of the images depends on the seed alone. Afterwards the model holds the chosen weights.

    Args:
        model: On the device of *data*.
        data: To learn from, to choose by, and to score on.
        hyperparameters: How.
        observer: Is told what happens.

    Raises:
        DivergedError: If a loss is not finite.
    """
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # up to twice as fast
    optimizer = build_optimizer(model.parameters(), hyperparameters)
    order = seeded(hyperparameters.seed, "order")
    epochs: list[EpochEnd] = []
    chosen: Weights = {}
    for epoch in range(1, hyperparameters.epochs + 1):
        batches = _shuffled(data.train, hyperparameters.batch_size, order)
        hear = _batch_reporter(observer, epoch=epoch, total=len(data.train))
        score = run_epoch(batches, _train_step(model, optimizer), name=f"epoch {epoch}", on_batch=hear)
        validation = evaluate(
            model,
            data.validation,
            batch_size=hyperparameters.test_batch_size,
            name=f"the validation of epoch {epoch}",
        )
        is_best = all(validation.accuracy > past.validation.accuracy for past in epochs)
        epochs.append(EpochEnd(epoch=epoch, train=score, validation=validation, is_best=is_best))
        snapshot = Snapshot(_weights(model), optimizer.state())
        chosen = snapshot.weights if is_best else chosen
        observer.on_epoch(epochs[-1], snapshot)
    model.load_state_dict(chosen)
    test = evaluate(model, data.test, batch_size=hyperparameters.test_batch_size, name="the test")
    observer.on_test(test)
    return TrainingResult(epochs=tuple(epochs), best=[event for event in epochs if event.is_best][-1], test=test)


def run_epoch(
    batches: Iterable[Split],
    step: Step,
    *,
    name: str,
    on_batch: Callable[[int, int, float], None] | None = None,
) -> Score:
    """
    Go once through *batches*; training, validation and test are the same but for *step*.

    Args:
        batches: Not empty.
        step: Handles one batch; returns its loss, and how many answers are right.
        name: What this is, for an error.
        on_batch: Called after each batch with its number, the images so far and their mean loss.

    Raises:
        DivergedError: If a loss is not finite.
    """
    seen, right, total = 0, 0, 0.0
    for number, batch in enumerate(batches, 1):
        loss, hits = step(batch)
        if not math.isfinite(loss):
            raise DivergedError(loss, f"{name}, step {number}")
        seen, right, total = seen + len(batch), right + hits, total + loss * len(batch)
        if on_batch is not None:
            on_batch(number, seen, total / seen)
    return Score(total / seen, 100 * right / seen)


def evaluate(model: DigitNet, split: Split, *, batch_size: int, name: str = "the evaluation") -> Score:
    """
    Score *model* on *split*, without dropout; the batch size changes speed only.

    Raises:
        DivergedError: If the loss is not finite.
    """

    def step(batch: Split) -> tuple[float, int]:
        with torch.no_grad():
            answers = model(batch.images)  # (N, 10)
        return functional.nll_loss(answers, batch.labels).item(), _hits(answers, batch.labels)

    model.eval()
    if split.images.device.type == "cpu":
        batch_size = min(batch_size, _CPU_BATCH)
    slices = (slice(start, start + batch_size) for start in range(0, len(split), batch_size))
    return run_epoch((Split(split.images[part], split.labels[part]) for part in slices), step, name=name)


def _train_step(model: DigitNet, optimizer: Optimizer) -> Step:
    def step(batch: Split) -> tuple[float, int]:
        answers = model(batch.images)  # (N, 10)
        loss = functional.nll_loss(answers, batch.labels)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        return loss.item(), _hits(answers, batch.labels)

    model.train()
    return step


def _hits(answers: Tensor, labels: Tensor) -> int:
    return int((answers.detach().argmax(dim=1) == labels).sum())


def _shuffled(split: Split, batch_size: int, generator: torch.Generator) -> Iterator[Split]:
    order = torch.randperm(len(split), generator=generator).to(split.labels.device)
    return (split.take(index) for index in torch.split(order, batch_size))


def _batch_reporter(observer: Observer, *, epoch: int, total: int) -> Callable[[int, int, float], None]:
    def report(step: int, seen: int, loss: float) -> None:
        observer.on_batch(BatchEnd(epoch=epoch, step=step, seen=seen, total=total, loss=loss))

    return report


def _weights(model: DigitNet) -> Weights:
    return {
        name: weight.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, weight in model.state_dict().items()
    }
