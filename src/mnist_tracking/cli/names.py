"""What a shell offers when Tab is pressed behind a command: names that there are."""

from collections.abc import Callable, Iterable
from contextlib import closing
from itertools import islice

import click

from mnist_tracking.cli.settings import Settings
from mnist_tracking.errors import MnistTrackingError
from mnist_tracking.workspace import Workspace

__all__ = ["experiment_names", "trial_names"]

_OFFERED = 100


def _offer(names: Callable[[Workspace], Iterable[str]], context: click.Context, typed: str) -> list[str]:
    """Return the newest names that begin as typed; none if they cannot be read: a shell has no room for errors."""
    try:
        settings = Settings.of(context.find_root().params)
        if not settings.is_there:
            return []  # completing must not make it
        with closing(settings.workspace()) as workspace:
            found = dict.fromkeys(islice(names(workspace), _OFFERED))
            return [name for name in found if name.startswith(typed)]
    except (MnistTrackingError, click.UsageError):
        return []


def experiment_names(context: click.Context, _parameter: click.Parameter, typed: str) -> list[str]:
    """Offer experiments."""
    return _offer(lambda workspace: (found.name for found in workspace.experiments()), context, typed)


def trial_names(context: click.Context, _parameter: click.Parameter, typed: str) -> list[str]:
    """Offer trials."""
    return _offer(lambda workspace: (found.name for found in workspace.trials()), context, typed)
