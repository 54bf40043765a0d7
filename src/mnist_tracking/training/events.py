"""Events of a training run, and the observer protocol. Records of plain values; does not import torch."""

import dataclasses
from collections.abc import Sequence
from typing import Protocol

__all__ = ["EpochEnd", "Evaluation", "Mistake", "Observer", "Progress", "Score", "Several", "TrainingResult"]


@dataclasses.dataclass(frozen=True, slots=True)
class Score:
    """
    Loss and accuracy of a model on a set of images.

    Attributes:
        loss: Mean negative log-likelihood.
        accuracy: Share of correct predictions, in percent.
    """

    loss: float
    accuracy: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """
    One misclassified image.

    Attributes:
        index: Index of the image in its split, from 0.
        label: The correct digit.
        answer: The predicted digit.
        confidence: The predicted probability of *answer*, 0..1.
    """

    index: int
    label: int
    answer: int
    confidence: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """
    Loss, accuracy and mistakes of a model on a set of images.

    Attributes:
        loss: Mean negative log-likelihood.
        accuracy: Share of correct predictions, in percent.
        confusion: 10 rows of 10 counts: images of the row's digit that were predicted as the column's digit.
        mistakes: The wrong predictions with the highest confidence, in descending order; at most 25.
    """

    loss: float
    accuracy: float
    confusion: tuple[tuple[int, ...], ...]
    mistakes: tuple[Mistake, ...]

    @property
    def score(self) -> Score:
        """The loss and the accuracy."""
        return Score(self.loss, self.accuracy)

    @property
    def class_accuracy(self) -> tuple[float | None, ...]:
        """Share of correct predictions for each digit, in percent; None for a digit without images."""
        return tuple(100 * row[digit] / sum(row) if sum(row) else None for digit, row in enumerate(self.confusion))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """
    Progress within an epoch.

    Attributes:
        epoch: The current epoch, from 1.
        epochs: Total number of epochs.
        step: The last completed step of this epoch, from 1.
        seen: Training images seen so far in this epoch.
        total: Training images per epoch.
        loss: Mean training loss so far in this epoch.
        lr: Learning rate of the last step.
    """

    epoch: int
    epochs: int
    step: int
    seen: int
    total: int
    loss: float
    lr: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EpochEnd:
    """
    The end of an epoch, after validation.

    Attributes:
        epoch: The epoch's number, from 1.
        train: Mean training score over the epoch's steps, with dropout, while the weights changed.
        validation: Validation score of the weights at the end of the epoch.
        is_best: Whether the validation accuracy is higher than in every earlier epoch.
    """

    epoch: int
    train: Score
    validation: Score
    is_best: bool

    @classmethod
    def after(cls, past: "Sequence[EpochEnd]", *, train: Score, validation: Score) -> "EpochEnd":
        """Return the event of the epoch that follows *past*."""
        is_best = all(validation.accuracy > event.validation.accuracy for event in past)
        return cls(epoch=len(past) + 1, train=train, validation=validation, is_best=is_best)


class Observer(Protocol):
    """Receives the events of a training run. Training waits for each method, so return quickly."""

    def on_progress(self, event: Progress, /) -> None:
        """Called every ``log_interval`` training steps, and at the end of an epoch."""

    def on_epoch(self, event: EpochEnd, /) -> None:
        """Called after each validated epoch."""

    def on_test(self, evaluation: Evaluation, /) -> None:
        """Called once, at the end, with the scores of the chosen weights on the test images."""


class Several:
    """Forwards every event to several observers, in order; does nothing without any."""

    def __init__(self, observers: Sequence[Observer] = ()) -> None:
        self._observers = tuple(observers)

    def on_progress(self, event: Progress) -> None:
        for observer in self._observers:
            observer.on_progress(event)

    def on_epoch(self, event: EpochEnd) -> None:
        for observer in self._observers:
            observer.on_epoch(event)

    def on_test(self, evaluation: Evaluation) -> None:
        for observer in self._observers:
            observer.on_test(evaluation)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TrainingResult:
    """
    The result of a training run.

    Attributes:
        epochs: All epochs, in order.
        best: The epoch whose weights were chosen: the first with the highest validation accuracy.
        test: Evaluation of those weights on the test images.
    """

    epochs: tuple[EpochEnd, ...]
    best: EpochEnd
    test: Evaluation

    @classmethod
    def of(cls, epochs: Sequence[EpochEnd], test: Evaluation) -> "TrainingResult":
        """Return the result of these epochs and the test of the best one."""
        best = next(event for event in reversed(epochs) if event.is_best)
        return cls(epochs=tuple(epochs), best=best, test=test)
