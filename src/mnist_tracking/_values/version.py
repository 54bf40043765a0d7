"""The version of this library; nothing else."""

__version__ = "0.1.0"
