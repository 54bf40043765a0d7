"""Objects of this library that a caller gives to another: a workspace, a runner, an observer."""

from mnist_tracking._values.shown import shortened
from mnist_tracking.errors import ConfigError

__all__ = ["check_observer", "check_workspace"]

_CALLS = ("started", "logged", "ended")


def check_workspace(workspace: object) -> None:
    """Make sure that something is a workspace; ConfigError otherwise."""
    from mnist_tracking.workspace import Workspace

    if not isinstance(workspace, Workspace):
        raise ConfigError(f"workspace={shortened(workspace)}; a workspace is needed, such as Workspace.embedded().")


def check_observer(observer: object) -> None:
    """Make sure that something has the calls of a `TrialObserver`, or is None; ConfigError otherwise."""
    missing = [name for name in _CALLS if not callable(getattr(observer, name, None))]
    if observer is not None and missing:
        raise ConfigError(f"observer={shortened(observer)} lacks {', '.join(missing)}(); a TrialObserver is needed.")
