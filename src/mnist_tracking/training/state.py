"""Everything that the rest of a training run depends on, between two of its steps."""

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeAlias

import torch
from torch import Tensor

from mnist_tracking.errors import ConfigError, DivergedError
from mnist_tracking.training.events import EpochEnd, Score
from mnist_tracking.training.hyperparameters import Hyperparameters
from mnist_tracking.training.model import DigitNet
from mnist_tracking.training.optimizers import Optimizer, build_optimizer

__all__ = ["TrainingState", "Weights", "copy_weights", "past_epochs"]

Weights: TypeAlias = dict[str, Tensor]


class TrainingState:
    """
    A training run between two steps: what is done, and all that the rest depends on.

    Attributes:
        model: The network.
        optimizer: Updates its weights.
        hyperparameters: How it is trained.
        epochs: The epochs that are done, in order.
        best_weights: Those after the best of them; empty before the first.
        step: Steps of the next epoch that are done.
        losses: (steps,) float32, the mean loss of each of those steps, on the model's device; 0 where none was yet.
        hits: () int64, the right answers of those steps.
    """

    def __init__(self, model: DigitNet, hyperparameters: Hyperparameters, *, steps: int) -> None:
        device = next(model.parameters()).device
        self.model, self.hyperparameters = model, hyperparameters
        self.optimizer: Optimizer = build_optimizer(model.parameters(), hyperparameters)
        self.epochs: list[EpochEnd] = []
        self.best_weights: Weights = {}
        self.step = 0
        self.losses = torch.zeros(steps, device=device)
        self.hits = torch.zeros((), dtype=torch.int64, device=device)

    def end_epoch(self, *, train: Score, validation: Score) -> EpochEnd:
        """
        Note that the steps of an epoch are done, and keep its weights if it is the best so far.

        Raises:
            DivergedError: If one of those is not finite.
        """
        event = EpochEnd.after(self.epochs, train=train, validation=validation)
        self.epochs.append(event)
        if event.is_best:
            self.best_weights = self._weights()
        self.step = 0
        self.losses.zero_()
        self.hits.zero_()
        return event

    def as_dict(self) -> dict[str, Any]:
        """
        Return all of it as plain values and tensors on the CPU; later steps do not change them.

        Raises:
            DivergedError: If a weight is not finite, which a loss shows one step later.
        """
        generator = self._dropout_generator()
        return {
            "hyperparameters": self.hyperparameters.as_dict(),
            "architecture": dataclasses.asdict(self.model.architecture),
            "epochs": [dataclasses.asdict(event) for event in self.epochs],
            "step": self.step,
            "losses": self.losses.cpu().clone(),
            "hits": int(self.hits),
            "state_dict": self._weights(),
            "best_state_dict": self.best_weights,
            "optimizer": self.optimizer.state(),
            "dropout": generator.get_state() if generator is not None else None,
        }

    def _weights(self) -> Weights:
        weights = copy_weights(self.model)
        _check_finite(weights, f"epoch {len(self.epochs) + bool(self.step)}")
        return weights

    def _dropout_generator(self) -> torch.Generator | None:
        """Return what dropout draws from, if it draws at all."""
        return self.model.dropout_generator if self.model.architecture.dropout else None

    def restore(self, content: Mapping[str, Any], *, first: bool = True) -> None:
        """
        Take up what `as_dict` returned, of a run with the same hyperparameters and data.

        The losses and hits are the sums over all processes, so only the *first* one takes them.

        Raises:
            ConfigError: If it does not fit this network, or its dropout drew on another kind of device.
        """
        try:
            self._take(content, first=first)
        except (LookupError, TypeError, ValueError, RuntimeError) as exc:  # RuntimeError: weights that do not fit
            gist = " ".join(str(exc).split())
            raise ConfigError(f"The checkpoint does not fit this network and its optimizer: {gist}") from exc

    def _take(self, content: Mapping[str, Any], *, first: bool) -> None:
        self.epochs = past_epochs(content)
        self.best_weights = dict(content["best_state_dict"])
        self.step = int(content["step"])
        if first:
            self.losses.copy_(content["losses"])
            self.hits.fill_(content["hits"])
        self.model.load_state_dict(content["state_dict"])
        self.optimizer.restore(content["optimizer"])
        if (generator := self._dropout_generator()) is not None:
            if len(content["dropout"]) != len(generator.get_state()):
                raise ValueError("its dropout drew on another kind of device, whose random numbers are others")
            generator.set_state(content["dropout"])


def copy_weights(model: DigitNet) -> Weights:
    """Return the model's weights on the CPU; later steps do not change them."""
    return {
        name: weight.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, weight in model.state_dict().items()
    }


def _check_finite(weights: Weights, moment: str) -> None:
    for name, weight in weights.items():
        finite = torch.isfinite(weight)
        if not finite.all():
            raise DivergedError(weight[~finite][0].item(), moment, f"A weight of {name!r}")


def past_epochs(content: Mapping[str, Any]) -> list[EpochEnd]:
    """Return the epochs that are done, of what `TrainingState.as_dict` returned."""
    return [
        EpochEnd(
            epoch=event["epoch"],
            train=Score(**event["train"]),
            validation=Score(**event["validation"]),
            is_best=event["is_best"],
        )
        for event in content["epochs"]
    ]
