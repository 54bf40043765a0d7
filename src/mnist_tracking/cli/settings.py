"""What the global options say: where the calls go, and what holds for everything that is made."""

import shlex
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, cast

import attrs
import click

from mnist_tracking._values.settings import SettingsOptions
from mnist_tracking.cli.values import pairs
from mnist_tracking.errors import AccessDeniedError, ConfigError
from mnist_tracking.workspace import Workspace

__all__ = ["DEFAULT_HOME", "Settings"]

DEFAULT_HOME = Path(".mnist-tracking")
_OPTION_OF = {"subnets": "subnet", "security_group_ids": "security-group", "tags": "tag"}


@attrs.frozen(kw_only=True)
class Settings:
    """
    The global options.

    Attributes:
        backend: ``"embedded"`` or ``"aws"``.
        home: The folder of the embedded SageMaker.
        profile: A profile of the AWS configuration.
        region: An AWS region.
        applied: What was said of everything that is made, as keywords of `Workspace.aws` and `Workspace.embedded`.
        begun: When the command began, on the clock of `time.perf_counter`.
    """

    backend: str
    home: Path
    profile: str | None = None
    region: str | None = None
    applied: SettingsOptions = attrs.field(factory=SettingsOptions)
    begun: float = 0.0

    @classmethod
    def of(cls, given: Mapping[str, Any], *, begun: float = 0.0) -> "Settings":
        """
        Return what the parameters of the command say; what was not said is left out.

        Raises:
            click.BadParameter: If a tag is given twice.
        """
        tags = pairs(given["tags"] or (), "--tag")
        said = {name: tags if name == "tags" else given[name] for name in SettingsOptions.__annotations__}
        applied = {name: value for name, value in said.items() if value is not None and value not in ((), {})}
        return cls(
            backend=given["backend"],
            home=Path(given["home"]),
            profile=given["profile"],
            region=given["region"],
            applied=cast("SettingsOptions", applied),
            begun=begun,
        )

    @property
    def costs_money(self) -> bool:
        """Whether what runs has to be paid for."""
        return self.backend == "aws"

    @property
    def is_there(self) -> bool:
        """Whether there is anything to look at: an account, or the folder of an embedded SageMaker."""
        return self.backend == "aws" or self.home.is_dir()

    def workspace(self) -> Workspace:
        """Return the workspace that the options name."""
        if self.backend == "aws":
            return Workspace.aws(profile=self.profile, region=self.region, **self.applied)
        return Workspace.embedded(self.home, **self.applied)

    @contextmanager
    def opened(self, *, make: bool = False) -> Iterator[Workspace]:
        """
        Open the workspace, say on standard error where it is, and close it after the block.

        Args:
            make: Whether a missing folder of the embedded SageMaker is made.

        Raises:
            ConfigError: If it is missing and not made: what looks at things must not leave a folder wherever it is run.
        """
        if not (make or self.is_there):
            raise ConfigError(
                f"There is no embedded SageMaker in {str(self.home)!r} yet: run, sweep, demo and exec make one. "
                "--home names another folder."
            )
        with closing(self.workspace()) as workspace:
            click.echo(self.where(workspace), err=True)
            yield workspace

    @contextmanager
    def looked_at(self) -> Iterator[Workspace]:
        """Open the workspace as `opened` does, also without credentials; if it is not there yet, one as it would be."""
        with ExitStack() as stack:
            here = self
            if not self.is_there:
                here = attrs.evolve(self, home=Path(stack.enter_context(tempfile.TemporaryDirectory())))
            workspace = stack.enter_context(closing(here.workspace()))
            try:
                click.echo(self.where(workspace) + ("" if self.is_there else "; not made yet"), err=True)
            except AccessDeniedError:
                click.echo(f"AWS, region {workspace.region}", err=True)
            yield workspace

    def where(self, workspace: Workspace) -> str:
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
        """Return the command that removes an experiment and all that was made for it, from any folder."""
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
