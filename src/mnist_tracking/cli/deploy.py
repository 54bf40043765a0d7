"""``mnist-tracking deploy``: a model, as an endpoint."""

from typing import Any

import click

from mnist_tracking._values.specs import Objective, Statistic
from mnist_tracking.cli.completion import trial_names
from mnist_tracking.cli.consent import ask, dry_run_option, yes_option
from mnist_tracking.cli.objective import objective_of, objective_options
from mnist_tracking.cli.output import Form, format_option, write_record
from mnist_tracking.cli.payload import FORMATS
from mnist_tracking.cli.sections import SectionedCommand, options_in
from mnist_tracking.cli.settings import Settings
from mnist_tracking.errors import StateError
from mnist_tracking.reading.trial import Trial
from mnist_tracking.workspace import Workspace

__all__ = ["deploy"]

_NAMES = click.Choice(FORMATS)
_ENDPOINT = options_in(
    "The endpoint",
    (("--name",), {"help": "Its name.  [default: a generated one]"}),
    (("--instance-type",), {"default": "ml.m5.large", "show_default": True, "help": "What it runs on, on AWS."}),
    (
        ("--instance-count",),
        {
            "type": click.IntRange(min=1),
            "metavar": "N",
            "default": 1,
            "show_default": True,
            "help": "On how many of them.",
        },
    ),
    (
        ("--entry-point",),
        {
            "type": click.Path(),
            "metavar": "FILE",
            "help": "The script that answers.  [default: what was recorded with the model]",
        },
    ),
    (
        ("--source-dir",),
        {
            "type": click.Path(),
            "metavar": "FOLDER|S3_URI",
            "help": "What is sent along with --entry-point, which is in it.",
        },
    ),
    (("--image-uri",), {"metavar": "URI", "help": "The container.  [default: SageMaker's for PyTorch]"}),
    (
        ("--serializer",),
        {"type": _NAMES, "help": "What data go as; predict then does it.  [default: numpy]"},
    ),
    (("--deserializer",), {"type": _NAMES, "help": "How answers are read.  [default: as --serializer]"}),
)


@click.command(cls=SectionedCommand, short_help="Start an endpoint with the model of a trial.")
@click.argument("target", metavar="TRIAL|EXPERIMENT", shell_complete=trial_names)
@objective_options
@_ENDPOINT
@click.option("--wait/--no-wait", default=True, show_default=True, help="Wait until it answers.")
@dry_run_option
@yes_option
@format_option()
@click.pass_obj
def deploy(  # noqa: PLR0913 - one for each option
    settings: Settings,
    /,
    *,
    target: str,
    objective: str | None,
    minimize: bool,
    statistic: Statistic,
    instance_type: str,
    dry_run: bool,
    yes: bool,
    form: Form,
    **endpoint: Any,
) -> None:
    """
    Start an endpoint that answers with the model of a trial, or with the best one of an experiment.

    With --objective, the argument is an experiment, else a trial. The endpoint stays, and on AWS costs money until
    mnist-tracking undeploy, or cleanup, deletes it. Ctrl-C before it answers deletes what was made.

    \b
    Examples:
      mnist-tracking deploy lr-0-1 --name churn
      mnist-tracking deploy mnist-digits --objective validation:accuracy --no-wait
      mnist-tracking deploy lr-0-1 --entry-point answer.py --serializer json
      mnist-tracking deploy churn --objective loss --minimize --dry-run
    """  # noqa: D301 - click reads the backspace: keep these lines as they are
    from mnist_tracking.serving.deployer import BestModelDeployer

    chosen = objective_of(objective, minimize, statistic)
    with settings.opened() as workspace:
        trial = _chosen(workspace, target, chosen)
        told = {"endpoint_name": endpoint["name"], "trial_name": trial.name, "model_uri": trial.model_uri}
        if dry_run:
            write_record({**told, "status": None}, form)
            click.echo("Would be deployed. Nothing was done.", err=True)
            return
        if settings.costs_money:
            ask(f"This starts an endpoint on AWS ({instance_type}), which costs money until deleted. Go on?", yes=yes)
        click.echo(f"Deploying the model of {trial.name} ...", err=True)
        try:
            made = BestModelDeployer(workspace, instance_type=instance_type).deploy(trial, **endpoint)
        except KeyboardInterrupt:
            raise KeyboardInterrupt("What was made of the endpoint is deleted.") from None
        write_record({**told, "endpoint_name": made.name, "status": made.status}, form)
        click.echo(f"To delete it: {settings.command('undeploy', made.name)}", err=True)


def _chosen(workspace: Workspace, target: str, objective: Objective | None) -> Trial:
    if objective is not None:
        from mnist_tracking.reading.leaderboard import Leaderboard

        return Leaderboard.load(workspace, target, objective=objective).best
    trial = workspace.trial(target)
    if trial.status is None:
        raise StateError("trial", target, "no-training", "has no training, and so no model")
    return trial
