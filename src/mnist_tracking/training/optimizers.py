"""
SGD with momentum, and Adam, for a handful of small tensors.

They compute what ``torch.optim`` computes (a test compares them). They are here because
constructing any ``torch.optim`` optimizer imports torch's compiler, which takes as long as importing torch
itself and is of no use here.
"""

import math
from collections.abc import Iterable
from typing import Protocol

import torch
from torch import Tensor

from mnist_tracking.training.hyperparameters import Hyperparameters

__all__ = ["Adam", "Optimizer", "Sgd", "build_optimizer"]


class Optimizer(Protocol):
    """Updates weights from their gradients."""

    def step(self) -> None:
        """Update every weight from its gradient, and forget the gradients."""

    def state(self) -> dict[str, object]:
        """Return what the next step depends on, beside weights and gradients."""


class Sgd:
    """Stochastic gradient descent with momentum."""

    def __init__(self, weights: Iterable[Tensor], *, lr: float, momentum: float = 0.0) -> None:
        self._weights = list(weights)
        self._lr, self._momentum = lr, momentum
        self._velocities = [torch.zeros_like(weight) for weight in self._weights]

    @torch.no_grad()
    def step(self) -> None:
        for weight, velocity in zip(self._weights, self._velocities, strict=True):
            if weight.grad is not None:
                weight.sub_(velocity.mul_(self._momentum).add_(weight.grad), alpha=self._lr)
                weight.grad = None

    def state(self) -> dict[str, object]:
        return {"velocities": [velocity.clone() for velocity in self._velocities]}


class Adam:
    """Adam with torch's defaults: betas 0.9 and 0.999, epsilon 1e-8."""

    _BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-8

    def __init__(self, weights: Iterable[Tensor], *, lr: float) -> None:
        self._weights = list(weights)
        self._lr, self._steps = lr, 0
        self._means = [torch.zeros_like(weight) for weight in self._weights]
        self._squares = [torch.zeros_like(weight) for weight in self._weights]

    @torch.no_grad()
    def step(self) -> None:
        self._steps += 1
        size = self._lr / (1 - self._BETA1**self._steps)
        scale = math.sqrt(1 - self._BETA2**self._steps)
        for weight, mean, square in zip(self._weights, self._means, self._squares, strict=True):
            if weight.grad is not None:
                mean.lerp_(weight.grad, 1 - self._BETA1)
                square.mul_(self._BETA2).addcmul_(weight.grad, weight.grad, value=1 - self._BETA2)
                weight.addcdiv_(mean, square.sqrt().div_(scale).add_(self._EPSILON), value=-size)
                weight.grad = None

    def state(self) -> dict[str, object]:
        return {
            "steps": self._steps,
            "means": [mean.clone() for mean in self._means],
            "squares": [square.clone() for square in self._squares],
        }


def build_optimizer(weights: Iterable[Tensor], hyperparameters: Hyperparameters) -> Optimizer:
    """Return the optimizer that *hyperparameters* name."""
    if hyperparameters.optimizer == "adam":
        return Adam(weights, lr=hyperparameters.lr)
    return Sgd(weights, lr=hyperparameters.lr, momentum=hyperparameters.momentum)
