"""Scoring a model on images it was not trained on."""

import torch
from torch import Tensor
from torch.nn import functional

from mnist_tracking.errors import DivergedError
from mnist_tracking.training.data import Split, normalise
from mnist_tracking.training.digit_files import CLASSES
from mnist_tracking.training.events import Evaluation, Mistake
from mnist_tracking.training.model import DigitNet
from mnist_tracking.training.precision import DTYPES
from mnist_tracking.training.process_group import ALONE, ProcessGroup, share_of

__all__ = ["evaluate", "summarise"]

_CPU_BATCH = 250  # larger batches do not fit the CPU's cache and take twice as long
_MISTAKES = 25


def evaluate(
    model: DigitNet,
    split: Split,
    *,
    batch_size: int,
    precision: str = "fp32",
    group: ProcessGroup = ALONE,
    name: str = "the evaluation",
) -> Evaluation:
    """
    Score *model* on *split*, without dropout. Each image counts once, whatever the number of processes.

    Args:
        model: The network, on the device of *split*.
        split: At least one image.
        batch_size: Maximum number of images per step; affects only speed.
        precision: Precision of the layers' arithmetic, ``"fp32"`` or ``"bf16"``.
        group: The processes that share the work; each gets the full result.
        name: Name of the evaluation in error messages.

    Raises:
        DivergedError: If the loss is not finite.
    """
    answers = group.sum(_answers(model, split, batch_size=batch_size, precision=precision, group=group))  # (N, 10)
    return summarise(answers, split.labels, name=name)


def summarise(answers: Tensor, labels: Tensor, *, name: str) -> Evaluation:
    """
    Compute the loss, accuracy, confusion matrix and worst mistakes from a model's predictions.

    Args:
        answers: (N, 10) float32 log-probabilities.
        labels: (N,) int64 in 0..9.
        name: Name of the evaluation in error messages.

    Raises:
        DivergedError: If the loss is not finite.
    """
    loss = functional.nll_loss(answers.double(), labels).item()
    if not torch.isfinite(torch.tensor(loss)):
        raise DivergedError(loss, name)
    taken_for = answers.argmax(dim=1)  # (N,)
    confusion = torch.bincount(labels * CLASSES + taken_for, minlength=CLASSES**2).view(CLASSES, CLASSES)
    return Evaluation(
        loss=loss,
        accuracy=100 * int(confusion.trace()) / len(labels),
        confusion=tuple(tuple(row) for row in confusion.tolist()),
        mistakes=_mistakes(answers, taken_for, labels),
    )


def _answers(model: DigitNet, split: Split, *, batch_size: int, precision: str, group: ProcessGroup) -> Tensor:
    """Return (N, 10) float32 log-probabilities, 0 for the images that other processes compute."""
    device = split.images.device
    if device.type == "cpu":
        batch_size = min(batch_size, _CPU_BATCH)
    answers = torch.zeros(len(split), CLASSES, device=device)
    share = share_of(group, len(split))
    model.eval()
    with torch.no_grad():
        for start in range(share.start, share.stop, batch_size):
            rows = slice(start, min(start + batch_size, share.stop))
            answers[rows] = model(normalise(split.images[rows]).to(DTYPES[precision]))
    return answers


def _mistakes(answers: Tensor, taken_for: Tensor, labels: Tensor) -> tuple[Mistake, ...]:
    wrong = (taken_for != labels).nonzero().flatten()
    confidence = answers[wrong, taken_for[wrong]].exp()
    surest = torch.sort(confidence, descending=True, stable=True).indices[:_MISTAKES]
    columns = (wrong[surest], labels[wrong[surest]], taken_for[wrong[surest]], confidence[surest])
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return tuple(
        Mistake(index=index, label=label, answer=answer, confidence=sure) for index, label, answer, sure in rows
    )
