"""
SGD with momentum, and Adam, for a handful of small tensors.

They compute the same updates as ``torch.optim`` (a test compares them). Constructing a ``torch.optim`` optimizer
imports torch's compiler, which is not needed here and takes as long as importing torch itself.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import torch
from torch import Tensor

from mnist_tracking.training.hyperparameters import Hyperparameters

__all__ = ["Adam", "Optimizer", "Sgd", "build_optimizer"]


class Optimizer(Protocol):
    """Updates weights from their gradients."""

    def step(self, lr: float) -> None:
        """Update every weight from its gradient, and clear the gradients."""

    def state(self) -> dict[str, Any]:
        """Return the internal state that the next step depends on, as plain values and tensors."""

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restore a state returned by `state`."""


class Sgd:
    """Stochastic gradient descent with momentum."""

    def __init__(
        self, weights: Iterable[Tensor], *, momentum: float = 0.0, nesterov: bool = False, weight_decay: float = 0.0
    ) -> None:
        self._weights = list(weights)
        self._momentum, self._nesterov, self._decay = momentum, nesterov, weight_decay
        self._velocities = [torch.zeros_like(weight) for weight in self._weights]

    @torch.no_grad()
    def step(self, lr: float) -> None:
        for weight, velocity in zip(self._weights, self._velocities, strict=True):
            gradient = weight.grad
            if gradient is None:
                continue
            if self._decay:
                gradient.add_(weight, alpha=self._decay)
            velocity.mul_(self._momentum).add_(gradient)
            move = gradient.add_(velocity, alpha=self._momentum) if self._nesterov else velocity
            weight.sub_(move, alpha=lr)
            weight.grad = None

    def state(self) -> dict[str, Any]:
        return {"velocities": _copies(self._velocities)}

    @torch.no_grad()
    def restore(self, state: Mapping[str, Any]) -> None:
        _take(self._velocities, state["velocities"])


class Adam:
    """Adam with torch's defaults: betas 0.9 and 0.999, epsilon 1e-8; weight decay is added to the gradient."""

    _BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-8

    def __init__(self, weights: Iterable[Tensor], *, weight_decay: float = 0.0) -> None:
        self._weights = list(weights)
        self._decay, self._steps = weight_decay, 0
        self._means = [torch.zeros_like(weight) for weight in self._weights]
        self._squares = [torch.zeros_like(weight) for weight in self._weights]

    @torch.no_grad()
    def step(self, lr: float) -> None:
        self._steps += 1
        size = lr / (1 - self._BETA1**self._steps)
        scale = math.sqrt(1 - self._BETA2**self._steps)
        for weight, mean, square in zip(self._weights, self._means, self._squares, strict=True):
            gradient = weight.grad
            if gradient is None:
                continue
            if self._decay:
                gradient.add_(weight, alpha=self._decay)
            mean.lerp_(gradient, 1 - self._BETA1)
            square.mul_(self._BETA2).addcmul_(gradient, gradient, value=1 - self._BETA2)
            weight.addcdiv_(mean, square.sqrt().div_(scale).add_(self._EPSILON), value=-size)
            weight.grad = None

    def state(self) -> dict[str, Any]:
        return {"steps": self._steps, "means": _copies(self._means), "squares": _copies(self._squares)}

    @torch.no_grad()
    def restore(self, state: Mapping[str, Any]) -> None:
        self._steps = int(state["steps"])
        _take(self._means, state["means"])
        _take(self._squares, state["squares"])


def build_optimizer(weights: Iterable[Tensor], hyperparameters: Hyperparameters) -> Optimizer:
    """Return the optimizer given by *hyperparameters*."""
    decay = hyperparameters.weight_decay
    if hyperparameters.optimizer == "adam":
        return Adam(weights, weight_decay=decay)
    momentum, nesterov = hyperparameters.momentum, hyperparameters.nesterov
    return Sgd(weights, momentum=momentum, nesterov=nesterov, weight_decay=decay)


def _copies(tensors: Iterable[Tensor]) -> list[Tensor]:
    return [tensor.cpu().clone(memory_format=torch.contiguous_format) for tensor in tensors]


def _take(tensors: Iterable[Tensor], values: Iterable[Tensor]) -> None:
    for tensor, value in zip(tensors, values, strict=True):
        tensor.copy_(value)
