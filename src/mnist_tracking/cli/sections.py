"""Help in sections: options that belong together stand below a heading of their own."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import click

__all__ = ["SectionedCommand", "SectionedGroup", "options_in"]

_OTHERS = "Options"


class _SectionedOption(click.Option):
    """An option that knows the heading below which help shows it."""

    def __init__(self, *arguments: Any, section: str = _OTHERS, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.section = section


def options_in(section: str, *options: tuple[tuple[str, ...], Mapping[str, Any]]) -> Callable[[Any], Any]:
    """
    Return a decorator that gives a command several options below one heading.

    Args:
        section: The heading.
        options: Of each its names, and the keywords of `click.option`, in the order of help.
    """

    def decorate(function: Any) -> Any:
        for names, more in reversed(options):
            function = click.option(*names, cls=_SectionedOption, section=section, **more)(function)
        return function

    return decorate


def _write_options(command: click.Command, context: click.Context, formatter: click.HelpFormatter) -> None:
    """Write the sections in the order of their first options, and those without one last."""
    sections: dict[str, list[tuple[str, str]]] = {}
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context) if isinstance(parameter, click.Option) else None
        if record is not None:
            sections.setdefault(getattr(parameter, "section", _OTHERS), []).append(record)
    for name in sorted(sections, key=lambda name: name == _OTHERS):
        with formatter.section(name):
            formatter.write_dl(sections[name])


class SectionedCommand(click.Command):
    """A command whose help has sections."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        _write_options(self, ctx, formatter)


class SectionedGroup(click.Group):
    """A group whose help has sections, the commands first, in the order in which they were added."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._headings: dict[str, str] = {}

    def add_section(self, heading: str, commands: Iterable[click.Command]) -> None:
        """Add commands that stand below a heading."""
        for command in commands:
            self.add_command(command)
            self._headings[str(command.name)] = heading

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(self.commands)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        self.format_commands(ctx, formatter)
        _write_options(self, ctx, formatter)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - the same
        width = max(map(len, self.commands), default=0)
        for heading in dict.fromkeys(self._headings.values()):
            named = ((name, self.commands[name]) for name, under in self._headings.items() if under == heading)
            with formatter.section(heading):
                formatter.write_dl(
                    [(f"{name:<{width}}", command.get_short_help_str(formatter.width)) for name, command in named]
                )
