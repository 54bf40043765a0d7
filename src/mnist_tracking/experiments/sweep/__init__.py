"""HyperparameterSweep: many trials of one experiment, chosen by a strategy, some at once."""

from mnist_tracking.experiments.sweep.sweep import HyperparameterSweep as HyperparameterSweep

__all__ = ["HyperparameterSweep"]
