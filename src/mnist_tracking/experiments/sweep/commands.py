"""Commands of Weights & Biases' sweep files, as templates of a script's arguments."""

from mnist_tracking._values.text import short_repr
from mnist_tracking.errors import ConfigError

__all__ = ["arguments_of"]

_ENVIRONMENT = ("${env}", "/usr/bin/env")
_INTERPRETERS = ("${interpreter}", "python", "python3")
_PROGRAM, _DEFAULT = "${program}", "${args}"
_ARGUMENTS = {_DEFAULT: "--{}={}", "${args_no_hyphens}": "{}={}"}
_EXAMPLE = "['${env}', '${interpreter}', '${program}', '${args}']"


def arguments_of(command: object) -> tuple[str | None, tuple[str, ...] | None]:
    """
    Return the script that a command names, if any, and its arguments as `JobSpec` takes them; None for the default.

    Raises:
        ConfigError: If it is not a list of strings, or uses a macro that has no equivalent.

    Example:
        >>> arguments_of(["${env}", "python", "train.py", "fit", "${args_no_hyphens}"])
        ('train.py', ('fit', '{}={}'))
        >>> arguments_of(["${env}", "${interpreter}", "${program}", "${args}"])
        (None, None)
    """
    if not isinstance(command, list) or not all(isinstance(part, str) for part in command):
        raise ConfigError(f"{short_repr(command)}; expected a list of strings, such as {_EXAMPLE}.")
    rest = command[1:] if command[:1] and command[0] in _ENVIRONMENT else list(command)
    if len(rest) < 2 or rest[0] not in _INTERPRETERS:
        raise ConfigError(f"{short_repr(command)}; expected a script that Python runs, such as {_EXAMPLE}.")
    _, script, *arguments = rest
    template = None if arguments == [_DEFAULT] else tuple(map(_argument, arguments))
    return (None if script == _PROGRAM else script), template


def _argument(part: str) -> str:
    if part in _ARGUMENTS:
        return _ARGUMENTS[part]
    if "${" in part:
        raise ConfigError(f"{part!r} is not supported; expected one of {', '.join(map(repr, _ARGUMENTS))}, or text.")
    return part.replace("{", "{{").replace("}", "}}")
