"""``mnist-tracking doctor``: whether an account is ready to use, and what is running there."""

import click

from mnist_tracking.cli.options import Settings, command, pass_settings
from mnist_tracking.cli.output import Form, echo, format_option, write_csv, write_json
from mnist_tracking.errors import ConfigError
from mnist_tracking.workspace import Workspace

__all__ = ["doctor"]


@command(short_help="Check the set-up, and list what is running.")
@click.option("--print-policy", is_flag=True, help="Print the minimal IAM policy as JSON, and check nothing.")
@click.option("--execution-role", is_flag=True, help="With --print-policy: the policy of the role that jobs run under.")
@format_option()
@pass_settings
def doctor(settings: Settings, *, print_policy: bool, execution_role: bool, form: Form) -> None:
    """
    Check the set-up, and list what is running.

    Checks versions, credentials, region, role, permissions, bucket, key and quotas, and lists the running jobs and
    endpoints of the account, on AWS with their hourly cost. Creates and changes nothing. The exit status is 1 if there
    is a problem.

    \b
    Examples:
      mnist-tracking doctor
      mnist-tracking --backend aws --profile work doctor --format json
      mnist-tracking --backend aws doctor --print-policy > policy.json
      mnist-tracking --backend aws doctor --print-policy --execution-role
    """  # noqa: D301 - click reads the backspace: keep these lines as they are
    if execution_role and not print_policy:
        raise click.UsageError("--execution-role needs --print-policy.")
    with settings.inspected() as workspace:
        if execution_role:
            _print_role_policy(workspace)
        elif print_policy:
            _print_policy(workspace)
        else:
            _print_checks(workspace, form)


def _print_policy(workspace: Workspace) -> None:
    from mnist_tracking.upkeep.doctor import minimal_policy

    write_json(minimal_policy(workspace))
    try:
        echo(f"For users of mnist-tracking; jobs run under {workspace.role}.", err=True)
    except ConfigError as error:
        echo(f"Replace THE-ROLE-OF-YOUR-JOBS before you use it. {error}", err=True)


def _print_role_policy(workspace: Workspace) -> None:
    from mnist_tracking.upkeep.doctor import execution_role_policy

    write_json(execution_role_policy(workspace))
    echo(
        "For the role that jobs and models run under, which must also trust sagemaker.amazonaws.com. Add the buckets "
        f"of your own data: the policy allows {workspace.bucket_name} alone.",
        err=True,
    )


def _print_checks(workspace: Workspace, form: Form) -> None:
    from mnist_tracking.upkeep.doctor import diagnose

    diagnosis = diagnose(workspace)
    match form:
        case "json":
            write_json({"healthy": diagnosis.is_healthy, "checks": diagnosis.rows()})
        case "csv":
            write_csv(diagnosis.rows())
        case "table":
            echo(str(diagnosis))
    if not diagnosis.is_healthy:
        raise click.exceptions.Exit(1)
