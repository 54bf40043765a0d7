"""The state of a training run between two steps."""

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
    The state of a training run between two steps: everything the rest of the run depends on.

    Attributes:
        model: The network.
        optimizer: The optimizer of its weights.
        hyperparameters: The settings of the run.
        epochs: Completed epochs, in order.
        best_weights: Weights after the best epoch; empty before the first.
        step: Completed steps of the current epoch.
        losses: (steps,) float32, mean loss of each completed step of the epoch, on the model's device; 0 for the rest.
        hits: () int64, number of correct predictions in those steps.
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
        Record the end of an epoch, and keep a copy of the weights if it is the best so far.

        Raises:
            DivergedError: If a weight to keep is not finite.
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
        Return a copy of the state as plain values, and tensors on the CPU.

        Raises:
            DivergedError: If a weight is not finite, which shows in the loss only one step later.
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
        """Return dropout's random generator, or None if there is no dropout."""
        return self.model.dropout_generator if self.model.architecture.dropout else None

    def restore(self, content: Mapping[str, Any], *, first: bool = True) -> None:
        """
        Restore a state returned by `as_dict`, from a run with the same hyperparameters and data.

        Args:
            content: The saved state.
            first: Whether this process has rank 0. Losses and hits are sums over all processes, so only the first
                process restores them.

        Raises:
            ConfigError: If the state does not fit this network, or its dropout used another kind of device.
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
                raise ValueError("its dropout used another kind of device, whose random numbers differ")
            generator.set_state(content["dropout"])


def copy_weights(model: DigitNet) -> Weights:
    """Return a copy of the model's weights, on the CPU."""
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
    """Return the completed epochs of a state returned by `TrainingState.as_dict`."""
    return [
        EpochEnd(
            epoch=event["epoch"],
            train=Score(**event["train"]),
            validation=Score(**event["validation"]),
            is_best=event["is_best"],
        )
        for event in content["epochs"]
    ]
