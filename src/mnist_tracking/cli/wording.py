"""What the library says of keywords, said of options."""

import re
from collections.abc import Iterable, Mapping

import click

__all__ = ["in_options", "options_of"]

_KEYWORD = re.compile(r"\b(?P<name>[a-z][a-z_]*)=(?P<value>True\b|'[^']*'|[\w-]+)?")
_NAME = re.compile(r"\b[a-z]+(?:_[a-z]+)+\b")


def options_of(commands: Iterable[click.Command]) -> dict[str, str]:
    """Return the long option for each parameter of some commands."""
    given = (parameter for command in commands for parameter in command.params if isinstance(parameter, click.Option))
    return {str(parameter.name): max(parameter.opts, key=len) for parameter in given}


def in_options(message: str, options: Mapping[str, str]) -> str:
    """
    Return what an error says of keywords in words of the command line.

    Example:
        >>> options = {"region": "--region", "create_bucket": "--create-bucket", "kms_key": "--kms-key"}
        >>> in_options("Give region=, or pass create_bucket=True. kms_key='x' is no key; kms_key is.", options)
        "Give --region, or pass --create-bucket. --kms-key 'x' is no key; --kms-key is."
    """

    def typed(found: re.Match[str]) -> str:
        option, value = options.get(found["name"]), found["value"]
        if option is None:
            return found[0]
        return option if value in (None, "True") else f"{option} {value}"

    return _NAME.sub(lambda found: options.get(found[0], found[0]), _KEYWORD.sub(typed, message))
