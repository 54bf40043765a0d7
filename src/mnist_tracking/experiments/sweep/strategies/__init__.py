"""The strategies of a sweep: what chooses its points and stops its trials."""

from mnist_tracking.experiments.sweep.strategies.make import make_strategy as make_strategy
from mnist_tracking.experiments.sweep.strategies.make import name_of as name_of
from mnist_tracking.experiments.sweep.strategies.protocol import Strategy as Strategy
from mnist_tracking.experiments.sweep.strategies.protocol import SweepTrial as SweepTrial

__all__ = ["Strategy", "SweepTrial", "make_strategy", "name_of"]
