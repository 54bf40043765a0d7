"""
How a job's script is called: a template of its arguments, rendered with the job's hyperparameters.

This file is also the program that such a job runs. It travels with the code as `LAUNCHER`, reads the template from the
job's configuration, and becomes the script. So it imports nothing but the standard library.
"""

import json
import os
import string
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

LAUNCHER = "mnist_tracking_launcher.py"
"""The name of this file in a job's code."""

PROGRAM, ARGUMENTS = "sagemaker_mnist_tracking_program", "sagemaker_mnist_tracking_arguments"
"""The hyperparameters with the script and the template; the toolkit passes none with this prefix to the script."""

VARIABLE = "SM_"
"""How the names of the toolkit's variables begin, which a template may refer to."""

_CONFIG = "/opt/ml/input/config"
_EACH = 2  # placeholders without a name: those of an argument that stands for every other hyperparameter


class _Part(NamedTuple):
    """A piece of an argument: text, and the placeholder behind it: its name (None for none) and its choice of texts."""

    text: str
    name: str | None
    choice: str

    @property
    def is_choice(self) -> bool:
        return bool(self.choice)


def parsed(argument: str) -> list[_Part]:
    """
    Return the pieces of an argument.

    Raises:
        ValueError: If its braces do not match, or a placeholder is none of those that are allowed.
    """
    parts = []
    for text, name, choice, conversion in string.Formatter().parse(argument):
        if conversion is not None or (name == "" and choice):
            raise ValueError("expected '{name}', '{name:text if true|text if false}' or '{}={}'")
        parts.append(_Part(text, name, choice or ""))
    if sum(part.name == "" for part in parts) not in (0, _EACH):
        raise ValueError("'{}' must occur twice: for the name and for the value of each other hyperparameter")
    if is_pattern(parts) and any(part.name for part in parts):
        raise ValueError("an argument has either '{}={}' or named placeholders")
    return parts


def is_pattern(parts: Sequence[_Part]) -> bool:
    """Whether an argument stands for every hyperparameter that no other one mentions."""
    return any(part.name == "" for part in parts)


def rendered(
    template: Sequence[str], hyperparameters: Mapping[str, Any], variables: Mapping[str, str]
) -> Iterator[str]:
    """
    Yield the arguments of a script.

    Example:
        >>> list(rendered(["fit", "--lr={lr}", "{amp:--amp}", "{}={}"], {"lr": 0.1, "amp": True, "seed": 1}, {}))
        ['fit', '--lr=0.1', '--amp', 'seed=1']
    """
    arguments = [parsed(argument) for argument in template]
    named = {part.name for parts in arguments for part in parts}
    for parts in arguments:
        if not is_pattern(parts):
            yield from _argument(parts, {**variables, **hyperparameters})
            continue
        for name in sorted(hyperparameters.keys() - named):
            yield from _each(parts, name, hyperparameters[name])


def _argument(parts: Sequence[_Part], values: Mapping[str, Any]) -> Iterator[str]:
    """Yield an argument, unless it mentions a value that is None, or nothing is left of its choices."""
    written = ""
    for part in parts:
        written += part.text
        if part.is_choice:
            then, _, otherwise = part.choice.partition("|")
            written += then if values[str(part.name)] else otherwise
        elif part.name is not None:
            if values[part.name] is None:
                return
            written += _text(values[part.name])
    if written or not any(part.is_choice for part in parts):
        yield written


def _each(parts: Sequence[_Part], name: str, value: Any) -> Iterator[str]:
    if value is not None:
        texts = iter((name, _text(value)))
        yield "".join(part.text + (next(texts) if part.name == "" else "") for part in parts)


def _text(value: Any) -> str:
    return json.dumps(value) if isinstance(value, list | dict) else str(value)


def _decoded(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def command(program: str, arguments: Sequence[str], *, is_package: bool) -> list[str]:
    """
    Return the command of a script, as SageMaker's toolkit would run it.

    Args:
        program: The script.
        arguments: Its arguments.
        is_package: Whether there is a ``setup.py`` next to it.
    """
    if is_package and not program.endswith(".sh"):
        return [sys.executable, "-m", program.removesuffix(".py"), *arguments]
    if program.endswith(".py"):
        return [sys.executable, program, *arguments]
    return ["/bin/sh", "-c", 'exec "./$0" "$@"', program, *arguments]


def main() -> None:
    """Become the script of the job that this process runs in."""
    folder = Path(os.environ.get("SM_INPUT_CONFIG_DIR", _CONFIG))
    given = json.loads((folder / "hyperparameters.json").read_text(encoding="utf-8"))
    values = {name: _decoded(text) for name, text in given.items()}
    own = {name: value for name, value in values.items() if not name.startswith("sagemaker_")}
    program, template = values[PROGRAM], values[ARGUMENTS]
    if not program.endswith(".py"):
        Path(program).chmod(0o755)
    found = command(program, list(rendered(template, own, os.environ)), is_package=Path("setup.py").exists())
    os.execv(found[0], found)  # noqa: S606 - a list of arguments, without a shell


if __name__ == "__main__":
    main()
