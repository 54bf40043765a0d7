"""Everything that the rest of a training run depends on, between two of its steps."""

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeAlias

import torch
from torch import Tensor

from mnist_tracking.training.events import EpochEnd, Score
from mnist_tracking.training.hyperparameters import Hyperparameters
from mnist_tracking.training.model import DigitNet
from mnist_tracking.training.optimizers import Optimizer, build_optimizer

__all__ = ["TrainingState", "Weights", "copy_weights"]

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
        """Note that the steps of an epoch are done, and keep its weights if it is the best so far."""
        is_best = all(validation.accuracy > past.validation.accuracy for past in self.epochs)
        event = EpochEnd(epoch=len(self.epochs) + 1, train=train, validation=validation, is_best=is_best)
        self.epochs.append(event)
        if is_best:
            self.best_weights = copy_weights(self.model)
        self.step = 0
        self.losses.zero_()
        self.hits.zero_()
        return event

    def as_dict(self) -> dict[str, Any]:
        """Return all of it as plain values and tensors on the CPU; later steps do not change them."""
        generator = self.model.dropout_generator
        return {
            "hyperparameters": self.hyperparameters.as_dict(),
            "architecture": dataclasses.asdict(self.model.architecture),
            "epochs": [dataclasses.asdict(event) for event in self.epochs],
            "step": self.step,
            "losses": self.losses.cpu().clone(),
            "hits": int(self.hits),
            "state_dict": copy_weights(self.model),
            "best_state_dict": self.best_weights,
            "optimizer": self.optimizer.state(),
            "dropout": generator.get_state() if generator is not None else None,
        }

    def restore(self, content: Mapping[str, Any], *, first: bool = True) -> None:
        """
        Take up what `as_dict` returned, of a run with the same hyperparameters, data and kind of device.

        The losses and hits are the sums over all processes, so only the *first* one takes them.
        """
        self.epochs = [_epoch_end(event) for event in content["epochs"]]
        self.best_weights = dict(content["best_state_dict"])
        self.step = int(content["step"])
        if first:
            self.losses.copy_(content["losses"])
            self.hits.fill_(content["hits"])
        self.model.load_state_dict(content["state_dict"])
        self.optimizer.restore(content["optimizer"])
        if self.model.dropout_generator is not None and content["dropout"] is not None:
            self.model.dropout_generator.set_state(content["dropout"])


def copy_weights(model: DigitNet) -> Weights:
    """Return the model's weights on the CPU; later steps do not change them."""
    return {
        name: weight.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, weight in model.state_dict().items()
    }


def _epoch_end(content: Mapping[str, Any]) -> EpochEnd:
    scores = {name: Score(**content[name]) for name in ("train", "validation")}
    return EpochEnd(epoch=content["epoch"], is_best=content["is_best"], **scores)
