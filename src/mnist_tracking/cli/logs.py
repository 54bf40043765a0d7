"""``mnist-tracking logs``: what a trial's job has printed."""

import click

from mnist_tracking.cli.completion import trial_names
from mnist_tracking.cli.settings import Settings

__all__ = ["logs"]


@click.command()
@click.argument("trial", shell_complete=trial_names)
@click.option("-f", "--follow", is_flag=True, help="Go on until the job ends.")
@click.pass_obj
def logs(settings: Settings, *, trial: str, follow: bool) -> None:
    """
    Print the log of a trial's training job.

    Ctrl-C ends the command; the job goes on.

    \b
    Examples:
      mnist-tracking logs lr-0-1
      mnist-tracking logs -f lr-0-1
    """  # noqa: D301 - click reads the backspace: keep these lines as they are
    with settings.opened() as workspace:
        submitted = workspace.submitted(trial)
        click.echo(f"Job {submitted.job_name}", err=True)
        try:
            for line in submitted.logs(follow=follow):
                click.echo(line)
        except KeyboardInterrupt:
            raise KeyboardInterrupt("The job goes on.") from None
        click.echo(f"The job is {submitted.status}.", err=True)
