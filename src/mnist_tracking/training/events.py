"""What a training run tells, and to whom. Records of plain values; nothing here needs torch."""

import dataclasses
from collections.abc import Sequence
from typing import Protocol

__all__ = ["EpochEnd", "Evaluation", "Mistake", "Observer", "Progress", "Score", "Several", "TrainingResult"]


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
class Mistake:
    """
    One image that was taken for another digit.

    Attributes:
        index: Which image of the split, from 0.
        label: What it is.
        answer: What it was taken for.
        confidence: The probability that the model gave its answer, 0..1.
    """

    index: int
    label: int
    answer: int
    confidence: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """
    How well a model does on some images, and where it errs.

    Attributes:
        loss: Mean negative log-likelihood.
        accuracy: Share of right answers, in percent.
        confusion: 10 rows of 10 counts: how many images of the digit of the row were taken for that of the column.
        mistakes: The wrong answers that the model was surest of, the surest first; 25 at most.
    """

    loss: float
    accuracy: float
    confusion: tuple[tuple[int, ...], ...]
    mistakes: tuple[Mistake, ...]

    @property
    def score(self) -> Score:
        """Its loss and accuracy alone."""
        return Score(self.loss, self.accuracy)

    @property
    def class_accuracy(self) -> tuple[float | None, ...]:
        """Share of right answers for each digit, in percent; None for one that has no images."""
        return tuple(100 * row[digit] / sum(row) if sum(row) else None for digit, row in enumerate(self.confusion))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """
    Some training steps are done.

    Attributes:
        epoch: Counted from 1.
        epochs: How many there will be.
        step: Of this epoch, counted from 1.
        seen: Training images of this epoch so far.
        total: Training images in an epoch.
        loss: Mean training loss of this epoch so far.
        lr: The learning rate of the last step.
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

    @classmethod
    def after(cls, past: "Sequence[EpochEnd]", *, train: Score, validation: Score) -> "EpochEnd":
        """Return the end of the epoch that follows those of *past*."""
        is_best = all(validation.accuracy > event.validation.accuracy for event in past)
        return cls(epoch=len(past) + 1, train=train, validation=validation, is_best=is_best)


class Observer(Protocol):
    """Is told what happens during training. Its methods must return soon: training waits for them."""

    def on_progress(self, event: Progress, /) -> None:
        """Hear of training steps that are done: every ``log_interval`` of them, and at the end of an epoch."""

    def on_epoch(self, event: EpochEnd, /) -> None:
        """Hear that one epoch is done and validated."""

    def on_test(self, evaluation: Evaluation, /) -> None:
        """Hear how the chosen weights do on the test images; once, at the end."""


class Several:
    """Tells several observers, in turn; none of them if there are none."""

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
    What training came to.

    Attributes:
        epochs: Every epoch, in order.
        best: The epoch whose weights were chosen: the first with the best validation accuracy.
        test: How those weights do on the test images.
    """

    epochs: tuple[EpochEnd, ...]
    best: EpochEnd
    test: Evaluation

    @classmethod
    def of(cls, epochs: Sequence[EpochEnd], test: Evaluation) -> "TrainingResult":
        """Return the result of these epochs, whose best one was tested."""
        best = next(event for event in reversed(epochs) if event.is_best)
        return cls(epochs=tuple(epochs), best=best, test=test)
