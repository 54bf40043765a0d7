"""Run, track, compare, trace and deploy training experiments with SageMaker Experiments, with or without an account."""

__version__ = "0.1.0"
