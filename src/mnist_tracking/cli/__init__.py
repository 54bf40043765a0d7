"""The command line, thin over the public classes."""

from mnist_tracking.cli.app import main as main

__all__ = ["main"]
