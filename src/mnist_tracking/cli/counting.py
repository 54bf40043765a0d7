"""How far a long read has come, on a terminal."""

import sys
from collections.abc import Callable

import click

__all__ = ["count_on_terminal"]


def count_on_terminal(what: str) -> Callable[[int], None] | None:
    """Return what shows, in one line of standard error, how many were read; None where nobody watches."""
    if not sys.stderr.isatty():
        return None
    return lambda count: click.echo(f"\r{count:,} {what} read\x1b[K\r", nl=False, err=True)
