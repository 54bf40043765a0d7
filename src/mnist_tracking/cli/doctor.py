"""``mnist-tracking doctor``: whether an account is ready for work, and what is left running there."""

import json
from contextlib import closing
from typing import Literal

import click

from mnist_tracking.cli.settings import Settings
from mnist_tracking.errors import ConfigError
from mnist_tracking.workspace import Workspace

__all__ = ["doctor"]


@click.command()
@click.option(
    "--print-policy", is_flag=True, help="Print the smallest IAM policy that will do, as JSON; check nothing."
)
@click.option(
    "--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True, help="Of the checks."
)
@click.pass_obj
def doctor(settings: Settings, *, print_policy: bool, form: Literal["table", "json"]) -> None:
    """
    Check that everything is ready for work, and what is left running.

    Looks at versions, credentials, region, role, permissions, bucket, key and quotas, and at what runs in the account
    and what that costs an hour. Only reads. Exit status 1 if there is a problem.

    \b
    Examples:
      mnist-tracking doctor
      mnist-tracking --backend aws --profile work doctor --format json
      mnist-tracking --backend aws doctor --print-policy > policy.json
    """  # noqa: D301 - click reads the backspace: keep these lines as they are
    with closing(settings.workspace()) as workspace:
        if print_policy:
            _print_policy(workspace)
        else:
            click.echo(f"Looking at {workspace!r}.", err=True)
            _print_checks(workspace, form)


def _print_policy(workspace: Workspace) -> None:
    from mnist_tracking.doctor import minimal_policy

    click.echo(json.dumps(minimal_policy(workspace), indent=2))
    try:
        click.echo(f"For whoever runs mnist-tracking; jobs run under {workspace.role}.", err=True)
    except ConfigError as error:
        click.echo(f"Replace THE-ROLE-OF-YOUR-JOBS before you use it: {error}", err=True)


def _print_checks(workspace: Workspace, form: Literal["table", "json"]) -> None:
    from mnist_tracking.doctor import diagnose

    diagnosis = diagnose(workspace)
    if form == "json":
        click.echo(json.dumps({"healthy": diagnosis.is_healthy, "checks": diagnosis.rows()}, indent=2))
    else:
        click.echo(str(diagnosis))
    if not diagnosis.is_healthy:
        raise click.exceptions.Exit(1)
