"""The learning rate of each training step. Standard library only."""

from mnist_tracking.training.hyperparameters import Hyperparameters

__all__ = ["learning_rate"]


def learning_rate(hyperparameters: Hyperparameters, step: int, steps: int) -> float:
    """
    Return the learning rate of one step of a run.

    The triangle rises from 0 to ``lr`` over the first ``warmup`` share of the steps and falls to 0 over the rest, as in
    L. N. Smith, "Super-convergence" (arXiv:1708.07120), without its last phase. Each step uses the rate at its middle,
    so that no step has rate 0.

    Args:
        hyperparameters: The settings of the run, with ``schedule``, ``lr`` and ``warmup``.
        step: Number of the step, from 0 over all epochs.
        steps: Total number of steps over all epochs.

    Example:
        >>> settings = Hyperparameters(lr=0.1, schedule="triangular", warmup=0.5)
        >>> [round(learning_rate(settings, step, 4), 3) for step in range(4)]
        [0.025, 0.075, 0.075, 0.025]
    """
    if hyperparameters.schedule == "constant":
        return hyperparameters.lr
    done, warmup = (step + 0.5) / steps, hyperparameters.warmup
    return hyperparameters.lr * (done / warmup if done < warmup else (1 - done) / (1 - warmup))
