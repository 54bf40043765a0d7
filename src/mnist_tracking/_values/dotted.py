"""Objects by dotted name, ``"package.module:name"``: how a specification refers to code that it does not import."""

import importlib
import sys

from mnist_tracking._values.text import short_repr
from mnist_tracking.errors import ConfigError

__all__ = ["check_dotted", "resolve", "resolve_known"]

_OWN = __name__.partition(".")[0]


def check_dotted(what: str, name: object) -> None:
    """Check the form of a dotted name, without importing anything; ConfigError otherwise."""
    parts = name.split(":") if isinstance(name, str) else []
    if len(parts) != 2 or not all(part.isidentifier() for whole in parts for part in whole.split(".")):
        raise ConfigError(f"{what}={short_repr(name)}; expected a dotted name, such as 'package.module:function'.")


def resolve(what: str, name: str) -> object:
    """
    Import the object that a dotted name refers to.

    Raises:
        ConfigError: If its module cannot be imported, or has no such attribute.
    """
    check_dotted(what, name)
    module, _, attribute = name.partition(":")
    try:
        found: object = importlib.import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"{what}={name!r} cannot be imported: {error}.") from error
    return found


def resolve_known(name: str) -> object | None:
    """
    Return the object of a dotted name from a tag, which must not make this program import just anything.

    Only this library's own modules are imported; any other module must have been imported by the program, and the
    object must be defined there. None for everything else.
    """
    module = name.partition(":")[0]
    if ":" not in name or (module.partition(".")[0] != _OWN and module not in sys.modules):
        return None
    found = resolve("adapter", name)
    return found if getattr(found, "__module__", None) == module else None
