"""``mnist-tracking undeploy``: delete an endpoint, and nothing else."""

import click

from mnist_tracking.cli.consent import ask, dry_run_option, yes_option
from mnist_tracking.cli.output import Form, format_option, write_record
from mnist_tracking.cli.settings import Settings

__all__ = ["undeploy"]


@click.command()
@click.argument("endpoint")
@dry_run_option
@yes_option
@format_option()
@click.pass_obj
def undeploy(settings: Settings, *, endpoint: str, dry_run: bool, yes: bool, form: Form) -> None:
    """
    Delete an endpoint; its trial and its model in S3 stay.

    Of an endpoint that mnist-tracking made, the configuration, the model and its archive go too.

    \b
    Examples:
      mnist-tracking undeploy churn
      mnist-tracking undeploy churn --yes
    """  # noqa: D301 - click reads the backspace: keep these lines as they are
    with settings.opened() as workspace:
        found = workspace.endpoint(endpoint)
        told = {"endpoint_name": found.name, "trial_name": found.trial_name, "status": found.status}
        if not dry_run:
            ask(f"This deletes endpoint {found.name!r}, which is {found.status}. Go on?", yes=yes)
            found.delete()
            told["status"] = "Deleted"
    write_record(told, form)
    if dry_run:
        click.echo("Nothing was done.", err=True)
