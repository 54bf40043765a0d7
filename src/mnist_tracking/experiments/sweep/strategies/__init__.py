"""The strategies of a sweep: what chooses its points and stops its trials."""

from mnist_tracking.experiments.sweep.strategies.protocol import Strategy as Strategy
from mnist_tracking.experiments.sweep.strategies.protocol import SweepTrial as SweepTrial

__all__ = ["Strategy", "SweepTrial"]
