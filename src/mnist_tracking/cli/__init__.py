"""The command line, thin over the public classes."""

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line, as ``mnist-tracking`` does."""
    try:
        from mnist_tracking.cli.app import cli
        from mnist_tracking.cli.interrupts import listen
        from mnist_tracking.cli.output import warn_printably

        listen()
        warn_printably()
        cli(prog_name="mnist-tracking")
    except KeyboardInterrupt:  # before there is anything to stop
        sys.stderr.write("mnist-tracking: interrupted.\n")
        sys.exit(130)
