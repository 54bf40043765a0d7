"""What the global options say: where the calls go, and how errors are shown."""

import json
import sys
from pathlib import Path

import attrs

from mnist_tracking.workspace import Workspace

__all__ = ["Settings"]


@attrs.frozen(kw_only=True)
class Settings:
    """
    The global options.

    Attributes:
        backend: ``"embedded"`` or ``"aws"``.
        home: The folder of the embedded SageMaker.
        profile: A profile of the AWS configuration.
        region: An AWS region.
        begun: When the command began, on the clock of `time.perf_counter`.
    """

    backend: str
    home: Path
    profile: str | None
    region: str | None
    begun: float

    def workspace(self) -> Workspace:
        """Return the workspace that the options name."""
        if self.backend == "aws":
            return Workspace.aws(profile=self.profile, region=self.region)
        return Workspace.embedded(self.home)

    def where(self, workspace: Workspace) -> str:
        """Return the backend, the account and the region, in one line."""
        place = "AWS" if self.backend == "aws" else f"embedded SageMaker in {self.home}"
        return f"{place}, account {workspace.account_id}, region {workspace.region}"

    def cleanup_command(self, experiment: str) -> list[str]:
        """Return the command that removes an experiment and all that was made for it."""
        place = f"embedded({_literal(str(self.home.absolute()))})"
        if self.backend == "aws":
            place = f"aws(profile={_literal(self.profile)}, region={_literal(self.region)})"
        code = (
            "from mnist_tracking import ExperimentRunner, Workspace; "
            f"print(ExperimentRunner(Workspace.{place}, {_literal(experiment)}).cleanup())"
        )
        return [sys.executable, "-c", code]


def _literal(text: str | None) -> str:
    """Return it as Python source in double quotes, which a shell's single quotes hold as they are."""
    return "None" if text is None else json.dumps(text)
