"""Options: help in sections, the global options before and after the command, and the workspace that they name."""

import functools
import shlex
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, cast

import attrs
import click
from click.core import ParameterSource

from mnist_tracking._values.settings import Settings as WorkspaceSettings
from mnist_tracking._values.settings import SettingsOptions
from mnist_tracking.cli.output import echo
from mnist_tracking.cli.values import PAIR, pairs
from mnist_tracking.errors import AccessDeniedError, ConfigError
from mnist_tracking.workspace import Workspace

__all__ = ["Command", "Group", "Settings", "command", "global_options", "options_in", "pass_settings", "start_clock"]

DEFAULT_HOME = Path(".mnist-tracking")
_OTHERS = "Options"
_BEGUN = "mnist_tracking.begun"
_OPTION_OF = {"subnets": "subnet", "security_group_ids": "security-group", "tags": "tag"}
_ONLY_WITH = {"home": "embedded", "profile": "aws", "region": "aws"}
_ALSO_AFTER = "Global options, such as --backend and --home, may follow the command: see mnist-tracking --help."

Declaration = tuple[tuple[str, ...], Mapping[str, Any]]
"""The names of an option, and the keywords of `click.option`."""


class _Option(click.Option):
    """An option with the heading that help shows it under."""

    def __init__(self, *arguments: Any, section: str = _OTHERS, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.section = section


class _GlobalOption(_Option):
    """An option of which two different values are wrong usage, whichever stands before and after the command."""

    def add_to_parser(self, parser: Any, ctx: click.Context) -> None:
        super().add_to_parser(parser, ctx)
        if self.multiple:
            return
        for flag in (*self.opts, *self.secondary_opts):
            option = parser._long_opt[flag]  # click has no other place to see both values
            option.process = functools.partial(self._process, option.process, option.dest)

    def _process(self, process: Callable[[Any, Any], None], name: str, value: Any, state: Any) -> None:
        before = state.opts.get(name)
        process(value, state)
        if before is not None and before != state.opts[name]:
            raise _given_twice(self)


def _given_twice(option: click.Parameter) -> click.UsageError:
    return click.UsageError(f"{option.opts[0]} is given twice, with different values.")


def _after(declaration: Declaration) -> _GlobalOption:
    """Make the option that stands for a global one after the command."""
    names, more = declaration
    unset = {"default": None, "envvar": None, "show_default": False, "hidden": True, "expose_value": False}
    return _GlobalOption(names, **{**more, **unset}, callback=_hoist)


def _hoist(context: click.Context, option: click.Parameter, value: Any) -> Any:
    """Hand a global option that followed the command to the group."""
    name, root = str(option.name), context.find_root()
    if context.get_parameter_source(name) is not ParameterSource.COMMANDLINE:
        return value
    if root.get_parameter_source(name) is ParameterSource.COMMANDLINE:
        if getattr(option, "multiple", False):
            value = (*root.params[name], *value)
        elif root.params[name] != value:
            raise _given_twice(option)
    root.params[name] = value
    root.set_parameter_source(name, ParameterSource.COMMANDLINE)
    return value


def options_in(section: str, *options: Declaration) -> Callable[[Any], Any]:
    """
    Return a decorator that gives a command several options under one heading.

    Args:
        section: The heading.
        options: The options, in the order of help.
    """
    return _decorator(_Option, section, options)


def _decorator(kind: type[_Option], section: str, options: Iterable[Declaration]) -> Callable[[Any], Any]:
    def decorate(function: Any) -> Any:
        for names, more in reversed(list(options)):
            function = click.option(*names, cls=kind, section=section, **more)(function)
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


class Command(click.Command):
    """A command that takes the global options too, unless it has one of that name; its help has sections."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        taken = {flag for parameter in self.params for flag in (*parameter.opts, *parameter.secondary_opts)}
        self.params += [option for option in map(_after, _EVERYWHERE) if not taken.intersection(option.opts)]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        _write_options(self, ctx, formatter)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_epilog(ctx, formatter)
        formatter.write_paragraph()
        formatter.write_text(_ALSO_AFTER)


command = functools.partial(click.command, cls=Command)
"""As `click.command`, with the global options."""


class Group(click.Group):
    """A group whose help has sections, the commands first, in the order in which they were added."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._headings: dict[str, str] = {}

    def add_section(self, heading: str, commands: Iterable[click.Command]) -> None:
        """Add commands under a heading."""
        for one in commands:
            self.add_command(one)
            self._headings[str(one.name)] = heading

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
                    [(f"{name:<{width}}", one.get_short_help_str(formatter.width)) for name, one in named]
                )


def _variable(name: str) -> str:
    return f"MNIST_TRACKING_{name}"


_BACKEND: tuple[Declaration, ...] = (
    (
        ("--backend",),
        {
            "type": click.Choice(["embedded", "aws"]),
            "default": "embedded",
            "show_default": True,
            "envvar": _variable("BACKEND"),
            "help": "Where the calls go; never guessed from credentials.",
        },
    ),
    (
        ("--home",),
        {
            "type": click.Path(path_type=Path),
            "default": str(DEFAULT_HOME),
            "show_default": True,
            "envvar": _variable("HOME"),
            "help": "The folder of the embedded SageMaker.",
        },
    ),
    (("--profile",), {"help": "Profile of your AWS configuration, with --backend aws."}),
    (("--region",), {"help": "AWS region, with --backend aws."}),
)


def _setting(flag: str, variable: str, text: str, **more: Any) -> Declaration:
    """Declare an option whose default, None, leaves the setting out."""
    return tuple(flag.split()), {"envvar": _variable(variable), "help": text, "default": None, **more}


_SETTINGS: tuple[Declaration, ...] = (
    _setting("--role", "ROLE", "IAM role of jobs and models.  [default: the role you run under]", metavar="ARN"),
    _setting("--bucket", "BUCKET", "Bucket for files.  [default: SageMaker's own]", metavar="NAME"),
    _setting("--prefix", "PREFIX", "Prefix in the bucket.  [default: mnist-tracking]", metavar="PATH"),
    _setting(
        "--create-bucket/--no-create-bucket",
        "CREATE_BUCKET",
        "Whether to create the bucket if it is missing.  [default: yes; on AWS, only SageMaker's own]",
    ),
    _setting("--kms-key", "KMS_KEY", "KMS key that encrypts files and volumes.", metavar="ID|ARN"),
    _setting("--subnet subnets", "SUBNET", "Subnet of jobs and models. May be repeated.", metavar="ID", multiple=True),
    _setting(
        "--security-group security_group_ids",
        "SECURITY_GROUP",
        "Security group, with --subnet. May be repeated.",
        metavar="ID",
        multiple=True,
    ),
    _setting(
        "--network-isolation/--no-network-isolation",
        "NETWORK_ISOLATION",
        "Whether to run jobs and models without network access.",
    ),
    _setting(
        "--encrypt-traffic/--no-encrypt-traffic",
        "ENCRYPT_TRAFFIC",
        "Whether to encrypt the traffic between the hosts of a job.",
    ),
    _setting("--tag tags", "TAG", "Tag for everything but files in S3. May be repeated.", type=PAIR, multiple=True),
    _setting(
        "--prices",
        "PRICES",
        "JSON file with the prices of instances.  [default: list prices in the package]",
        metavar="FILE",
    ),
    _setting(
        "--trial-quota",
        "TRIAL_QUOTA",
        "Number of trials that an experiment can have.  [default: 300 on AWS]",
        type=click.IntRange(min=1),
        metavar="N",
    ),
    _setting(
        "--component-quota",
        "COMPONENT_QUOTA",
        "Number of components that a trial can have.  [default: 50 on AWS]",
        type=click.IntRange(min=1),
        metavar="N",
    ),
)
_DEBUG: tuple[Declaration, ...] = ((("--debug",), {"is_flag": True, "help": "Show the traceback of an error."}),)
_EVERYWHERE = (*_BACKEND, *_SETTINGS, *_DEBUG)


def global_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a group the global options."""
    for section, options in reversed(
        (("Backend", _BACKEND), ("Settings for all resources", _SETTINGS), (_OTHERS, _DEBUG))
    ):
        function = _decorator(_GlobalOption, section, options)(function)
    return function


@attrs.frozen(kw_only=True)
class Settings:
    """
    The global options.

    Attributes:
        backend: ``"embedded"`` or ``"aws"``.
        home: The folder of the embedded SageMaker.
        profile: A profile of the AWS configuration.
        region: An AWS region.
        applied: Settings for everything that is created, as keywords of `Workspace.aws` and `Workspace.embedded`.
        begun: When the command began, on the clock of `time.perf_counter`.
    """

    backend: str
    home: Path
    profile: str | None = None
    region: str | None = None
    applied: SettingsOptions = attrs.field(factory=SettingsOptions)
    begun: float = 0.0

    @classmethod
    def of(cls, context: click.Context) -> "Settings":
        """
        Return the global options of a command line; settings that were not given are left out.

        Raises:
            click.BadParameter: If a tag is given twice.
        """
        root = context.find_root()
        given = root.params
        tags = pairs(given["tags"] or (), "--tag")
        values = {name: tags if name == "tags" else given[name] for name in SettingsOptions.__annotations__}
        applied = {name: value for name, value in values.items() if value is not None and value not in ((), {})}
        return cls(
            backend=given["backend"],
            home=Path(given["home"]),
            profile=given["profile"],
            region=given["region"],
            applied=cast("SettingsOptions", applied),
            begun=root.meta.get(_BEGUN, 0.0),
        )

    @property
    def costs_money(self) -> bool:
        """Whether jobs and endpoints are billed."""
        return self.backend == "aws"

    @property
    def trial_quota(self) -> int | None:
        """How many trials an experiment can have, as the workspace will have it; None for any number."""
        default = attrs.fields(WorkspaceSettings).trial_quota.default if self.backend == "aws" else None
        return self.applied.get("trial_quota", default)

    @property
    def exists(self) -> bool:
        """Whether there is anything to look at: an account, or the folder of an embedded SageMaker."""
        return self.backend == "aws" or self.home.is_dir()

    def workspace(self) -> Workspace:
        """Return the workspace that the options name."""
        if self.backend == "aws":
            return Workspace.aws(profile=self.profile, region=self.region, **self.applied)
        return Workspace.embedded(self.home, **self.applied)

    @contextmanager
    def opened(self, *, create: bool = False) -> Iterator[Workspace]:
        """
        Open the workspace, describe it on standard error, and close it after the block.

        Args:
            create: Whether to create a missing folder of the embedded SageMaker.

        Raises:
            ConfigError: If it is missing and not created: a command that only reads must not leave a folder behind.
        """
        if not (create or self.exists):
            raise ConfigError(
                f"There is no embedded SageMaker in {str(self.home)!r} yet; run, sweep, demo and exec create one. "
                "To use another folder, pass --home."
            )
        with closing(self.workspace()) as workspace:
            echo(self.describe(workspace), err=True)
            yield workspace

    @contextmanager
    def inspected(self) -> Iterator[Workspace]:
        """Open the workspace, also without credentials; one that does not exist yet is simulated in a new folder."""
        with ExitStack() as stack:
            here = self
            if not self.exists:
                here = attrs.evolve(self, home=Path(stack.enter_context(tempfile.TemporaryDirectory())))
            workspace = stack.enter_context(closing(here.workspace()))
            try:
                echo(self.describe(workspace) + ("" if self.exists else "; not created yet"), err=True)
            except AccessDeniedError:
                echo(f"AWS, region {workspace.region}", err=True)
            yield workspace

    def describe(self, workspace: Workspace) -> str:
        """Return the backend, the account and the region, in one line."""
        place = "AWS" if self.backend == "aws" else f"embedded SageMaker in {self.home}"
        return f"{place}, account {workspace.account_id}, region {workspace.region}"

    def command(self, *words: str) -> str:
        """Return the line that runs another command with these options, to be copied into a shell."""
        home = self.home if self.backend == "embedded" and self.home != DEFAULT_HOME else None
        place = {"backend": "aws", "profile": self.profile, "region": self.region} if self.backend == "aws" else {}
        given = {"home": home, **place, **self.applied}
        options = [word for name, value in given.items() for word in _typed(_OPTION_OF.get(name, name), value)]
        return shlex.join(["mnist-tracking", *options, *words])

    def cleanup_command(self, experiment: str) -> list[str]:
        """Return the command that deletes an experiment with everything made for it, from any folder."""
        anywhere = attrs.evolve(self, home=self.home.absolute())
        return shlex.split(anywhere.command("cleanup", experiment, "--yes"))


def _typed(name: str, value: object) -> list[str]:
    """Return an option with its value as it is typed; nothing if it has none."""
    option = f"--{name.replace('_', '-')}"
    match value:
        case None:
            return []
        case bool():
            return [option if value else option.replace("--", "--no-", 1)]
        case Mapping():
            return [word for key, text in value.items() for word in (option, f"{key}={text}")]
        case list() | tuple():
            return [word for text in value for word in (option, str(text))]
    return [option, str(value)]


def start_clock(context: click.Context) -> None:
    """Note when the command began; see `Settings.begun`."""
    context.meta[_BEGUN] = time.perf_counter()


def pass_settings(function: Callable[..., Any]) -> Callable[..., Any]:
    """
    Call a command with the global options, wherever on the command line they stand, as its first argument.

    Raises:
        click.UsageError: If one of them goes with the other backend.
    """

    @functools.wraps(function)
    def with_settings(*arguments: Any, **given: Any) -> Any:
        context = click.get_current_context()
        root = context.find_root()
        backend = root.params["backend"]
        for option, needed in _ONLY_WITH.items():
            if root.get_parameter_source(option) is ParameterSource.COMMANDLINE and backend != needed:
                raise click.UsageError(f"--{option} goes with --backend {needed}; the backend is {backend}.")
        return context.invoke(function, Settings.of(context), *arguments, **given)

    return with_settings
