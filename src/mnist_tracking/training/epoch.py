"""One pass over the training images, starting at the run's current step."""

import dataclasses
from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn import functional

from mnist_tracking.errors import DivergedError
from mnist_tracking.training.data import Split, normalise
from mnist_tracking.training.events import Observer, Progress, Score
from mnist_tracking.training.hyperparameters import Hyperparameters
from mnist_tracking.training.precision import DTYPES
from mnist_tracking.training.process_group import ProcessGroup, share_of
from mnist_tracking.training.randomness import seeded
from mnist_tracking.training.schedule import learning_rate
from mnist_tracking.training.shifting import draw_shifts, shift_images
from mnist_tracking.training.state import TrainingState

__all__ = ["Checkpointer", "EpochRunner", "Plan", "mean_loss", "plan_epoch"]


class Checkpointer(Protocol):
    """
    Saves the state of a run, so that it can be resumed.

    Each method receives a function that returns the state as plain values and tensors. That function is expensive, so
    call it only when needed; in a process group, either all processes must call it or none.
    """

    def after_step(self, take: Callable[[], dict[str, Any]], /) -> None:
        """Called after every training step; may raise to end the run."""

    def after_epoch(self, take: Callable[[], dict[str, Any]], /) -> None:
        """Called after every validated epoch; may raise to end the run."""


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """
    The order of an epoch's images, and the shift of each.

    Attributes:
        order: (N,) int64 image indices.
        shifts: (N, 2) int64, pixels down and to the right, in the same order.
    """

    order: Tensor
    shifts: Tensor


def plan_epoch(settings: Hyperparameters, train: Split, epoch: int) -> Plan:
    """Return the plan of *epoch* (counted from 1), on the device of *train*; it depends on the seed alone."""
    count, device = len(train), train.labels.device
    order = torch.randperm(count, generator=seeded(settings.seed, "order", epoch=epoch))
    chance = seeded(settings.seed, "shift", epoch=epoch)
    return Plan(order.to(device), draw_shifts(count, reach=settings.shift, generator=chance).to(device))


def mean_loss(losses: Tensor, *, batch_size: int, seen: int, epoch: int) -> float:
    """
    Return the mean loss per image over K steps; only the last batch may be smaller.

    Args:
        losses: (K,) float32, the mean loss of each step since the beginning of the epoch.
        batch_size: Images per step, except possibly the last.
        seen: Images in all K steps.
        epoch: The epoch's number, for error messages.

    Raises:
        DivergedError: If a loss is not finite; the message names the step.
    """
    losses = losses.double().cpu()
    if not (finite := torch.isfinite(losses)).all():
        step = int((~finite).nonzero()[0])
        raise DivergedError(losses[step].item(), f"epoch {epoch}, step {step + 1}")
    sizes = torch.full_like(losses, batch_size)
    sizes[-1] = seen - (len(losses) - 1) * batch_size
    return float((losses * sizes).sum() / seen)


class EpochRunner:
    """Runs the remaining steps of the current epoch."""

    def __init__(
        self, state: TrainingState, train: Split, *, observer: Observer, checkpointer: Checkpointer, group: ProcessGroup
    ) -> None:
        self._state, self._train, self._group = state, train, group
        self._observer, self._checkpointer = observer, checkpointer
        self._forward = group.wrap(state.model)

    def run(self) -> Score:
        """
        Train to the end of the epoch, and return the mean score over all its images.

        Raises:
            DivergedError: If a loss is not finite; the message names the step.
        """
        state, steps = self._state, len(self._state.losses)
        plan = plan_epoch(state.hyperparameters, self._train, len(state.epochs) + 1)
        state.model.train()
        while state.step < steps:
            lr = self._step(plan)
            if state.step % state.hyperparameters.log_interval == 0 or state.step == steps:
                self._report(lr)
            self._checkpointer.after_step(self.take)
        hits = int(self._group.sum(state.hits))
        return Score(self._mean_loss(), 100 * hits / len(self._train))

    def take(self) -> dict[str, Any]:
        """Return the state; raises DivergedError if a loss is not finite."""
        self._mean_loss()
        content = self._state.as_dict()
        content["losses"] = self._group.sum(self._state.losses).cpu().clone()
        content["hits"] = int(self._group.sum(self._state.hits))
        return content

    def _step(self, plan: Plan) -> float:
        """Run one training step and return its learning rate."""
        state, settings = self._state, self._state.hyperparameters
        start = state.step * settings.batch_size
        share = share_of(self._group, min(settings.batch_size, len(self._train) - start))
        rows = slice(start + share.start, start + share.stop)
        images, labels = self._batch(plan, rows)
        answers = self._forward(normalise(images).to(DTYPES[settings.precision]), share)  # (n, 10)
        loss = functional.nll_loss(answers, labels, reduction="sum") / share.total
        loss.backward()  # type: ignore[no-untyped-call]
        steps = len(state.losses)
        lr = learning_rate(settings, len(state.epochs) * steps + state.step, settings.epochs * steps)
        state.optimizer.step(lr)
        state.losses[state.step] = loss.detach()
        state.hits += (answers.detach().argmax(dim=1) == labels).sum()
        state.step += 1
        return lr

    def _batch(self, plan: Plan, rows: slice) -> tuple[Tensor, Tensor]:
        batch, reach = self._train.take(plan.order[rows]), self._state.hyperparameters.shift
        return (shift_images(batch.images, plan.shifts[rows], reach=reach) if reach else batch.images), batch.labels

    def _report(self, lr: float) -> None:
        state, settings = self._state, self._state.hyperparameters
        event = Progress(
            epoch=len(state.epochs) + 1,
            epochs=settings.epochs,
            step=state.step,
            seen=self._seen(),
            total=len(self._train),
            loss=self._mean_loss(),
            lr=lr,
        )
        self._observer.on_progress(event)

    def _seen(self) -> int:
        return min(self._state.step * self._state.hyperparameters.batch_size, len(self._train))

    def _mean_loss(self) -> float:
        """Return the mean loss over the images so far."""
        state = self._state
        losses = self._group.sum(state.losses)[: state.step]
        size, epoch = state.hyperparameters.batch_size, len(state.epochs) + 1
        return mean_loss(losses, batch_size=size, seen=self._seen(), epoch=epoch)
