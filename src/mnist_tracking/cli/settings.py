"""What the global options say: where the calls go, and how errors are shown."""

import shlex
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import attrs
import click

from mnist_tracking.errors import ConfigError
from mnist_tracking.workspace import Workspace

__all__ = ["DEFAULT_HOME", "Settings"]

DEFAULT_HOME = Path(".mnist-tracking")


@attrs.frozen(kw_only=True)
class Settings:
    """
    The global options.

    Attributes:
        backend: ``"embedded"`` or ``"aws"``.
        home: The folder of the embedded SageMaker.
        profile: A profile of the AWS configuration.
        region: An AWS region.
        role: The role that jobs run under, on AWS.
        bucket: A bucket of your own, on AWS.
        begun: When the command began, on the clock of `time.perf_counter`.
    """

    backend: str
    home: Path
    profile: str | None
    region: str | None
    role: str | None
    bucket: str | None
    begun: float

    @property
    def costs_money(self) -> bool:
        """Whether what runs has to be paid for."""
        return self.backend == "aws"

    def workspace(self) -> Workspace:
        """Return the workspace that the options name."""
        if self.backend == "aws":
            return Workspace.aws(profile=self.profile, region=self.region, role=self.role, bucket=self.bucket)
        return Workspace.embedded(self.home)

    @contextmanager
    def opened(self, *, make: bool = False) -> Iterator[Workspace]:
        """
        Open the workspace, say on standard error where it is, and close it after the block.

        Args:
            make: Whether a missing folder of the embedded SageMaker is made.

        Raises:
            ConfigError: If it is missing and not made: what looks at things must not leave a folder wherever it is run.
        """
        if self.backend == "embedded" and not (make or self.home.is_dir()):
            raise ConfigError(
                f"There is no embedded SageMaker in {str(self.home)!r} yet: run, sweep, demo and exec make one. "
                "--home names another folder."
            )
        with closing(self.workspace()) as workspace:
            click.echo(self.where(workspace), err=True)
            yield workspace

    def where(self, workspace: Workspace) -> str:
        """Return the backend, the account and the region, in one line."""
        place = "AWS" if self.backend == "aws" else f"embedded SageMaker in {self.home}"
        return f"{place}, account {workspace.account_id}, region {workspace.region}"

    def command(self, *words: str) -> str:
        """Return the line that runs another command with these options, to be copied into a shell."""
        home = {"home": str(self.home)} if self.home != DEFAULT_HOME else {}
        place = {name: getattr(self, name) for name in ("profile", "region", "role", "bucket")}
        given = {"backend": "aws", **place} if self.backend == "aws" else home
        options = [text for name, value in given.items() if value for text in (f"--{name}", value)]
        return shlex.join(["mnist-tracking", *options, *words])

    def cleanup_command(self, experiment: str) -> list[str]:
        """Return the command that removes an experiment and all that was made for it, from any folder."""
        anywhere = attrs.evolve(self, home=self.home.absolute())
        return shlex.split(anywhere.command("cleanup", experiment, "--yes"))
