"""``mnist-tracking deploy`` and ``undeploy``: endpoints, created and deleted."""

from typing import TYPE_CHECKING, Any

import click

from mnist_tracking._values.specs import Objective
from mnist_tracking.cli.confirm import confirm, confirm_cost, dry_run_option, yes_option
from mnist_tracking.cli.names import Choice, choice_options, objective_of, trial_names
from mnist_tracking.cli.options import Settings, command, options_in, pass_settings
from mnist_tracking.cli.output import Form, echo, format_option, write_record
from mnist_tracking.cli.predict import FORMATS
from mnist_tracking.errors import NotFoundError
from mnist_tracking.workspace import Workspace

if TYPE_CHECKING:
    from mnist_tracking.serving.deployer import DeploymentPlan
    from mnist_tracking.serving.endpoint import Endpoint

__all__ = ["deploy", "undeploy"]

_NAMES = click.Choice(FORMATS)
_ENDPOINT = options_in(
    "Endpoint",
    (("--name",), {"help": "Name of the endpoint.  [default: a generated one]"}),
    (("--instance-type",), {"default": "ml.m5.large", "show_default": True, "help": "Instance type, on AWS."}),
    (
        ("--instance-count",),
        {
            "type": click.IntRange(min=1),
            "metavar": "N",
            "default": 1,
            "show_default": True,
            "help": "Number of instances, on AWS.",
        },
    ),
    (
        ("--entry-point",),
        {
            "type": click.Path(),
            "metavar": "FILE",
            "help": "Script with model_fn.  [default: the code recorded with the model]",
        },
    ),
    (
        ("--source-dir",),
        {
            "type": click.Path(),
            "metavar": "FOLDER|S3_URI",
            "help": "Folder to upload; --entry-point is a file at its top level.",
        },
    ),
    (("--image-uri",), {"metavar": "URI", "help": "Container image.  [default: SageMaker's for PyTorch]"}),
    (
        ("--serializer",),
        {"type": _NAMES, "help": "Format of requests; predict then uses it too.  [default: numpy]"},
    ),
    (("--deserializer",), {"type": _NAMES, "help": "Format of responses.  [default: as --serializer]"}),
)


@command(short_help="Create an endpoint with the model of a trial.")
@click.argument("target", metavar="TRIAL|EXPERIMENT", shell_complete=trial_names)
@_ENDPOINT
@choice_options
@click.option("--wait/--no-wait", default=True, show_default=True, help="Wait until the endpoint is in service.")
@dry_run_option
@yes_option
@format_option()
@pass_settings
def deploy(
    settings: Settings, /, *, target: str, dry_run: bool, yes: bool, form: Form, wait: bool, **given: Any
) -> None:
    """
    Create an endpoint that serves the model of a trial, or of the best trial of an experiment.

    The argument is a trial: a name, a unique prefix or suffix of one, 'latest' or 'best'. With --objective it may be an
    experiment. The endpoint runs, and on AWS costs money, until mnist-tracking undeploy or cleanup deletes it. If you
    press Ctrl-C before it is in service, everything is deleted again.

    \b
    Examples:
      mnist-tracking deploy baseline --name churn
      mnist-tracking deploy best -e mnist-digits --no-wait
      mnist-tracking deploy baseline --entry-point serve.py --serializer json
      mnist-tracking deploy churn --objective loss --minimize --dry-run
    """  # noqa: D301 - click reads the backspace: keep these lines as they are
    from mnist_tracking.serving.deployer import BestModelDeployer

    choice = Choice(**{name: given.pop(name) for name in ("experiment", "objective", "minimize", "statistic")})
    instance_type = given["instance_type"]
    with settings.opened() as workspace:
        plan = _plan(workspace, target, choice, given)
        record = {"name": given["name"], "trial": plan.trial.name, "model_uri": plan.model_uri}
        if plan.adapter:
            record["adapter"] = plan.adapter
        if dry_run:
            write_record({**record, "status": None}, form)
            echo("Everything is ready to deploy this model. Nothing was done.", err=True)
            return
        if settings.costs_money:
            confirm_cost(f"This creates an endpoint on AWS ({instance_type}) until it is deleted", yes=yes)
        echo(f"Deploying the model of {plan.trial.name} ...", err=True)
        try:
            made = BestModelDeployer(workspace).deploy(plan.trial, wait=wait, **given)
        except KeyboardInterrupt:
            raise KeyboardInterrupt("Everything created for the endpoint was deleted.") from None
        write_record({**record, "name": made.name, "status": made.status}, form)
        echo(f"To delete it: {settings.command('undeploy', made.name)}", err=True)


def _plan(workspace: Workspace, target: str, choice: Choice, endpoint: dict[str, Any]) -> "DeploymentPlan":
    """Check the deployment of the trial that *target* stands for, or of the best one of that experiment."""
    from mnist_tracking.serving.deployer import BestModelDeployer

    objective: Objective | None = objective_of(choice.objective, choice.minimize, choice.statistic)
    deployer = BestModelDeployer(workspace)
    if objective is not None and choice.experiment is None and target != "best":
        return deployer.plan(target, objective=objective, **endpoint)
    return deployer.plan(choice.find(workspace, target), **endpoint)


@command(short_help="Delete an endpoint.")
@click.argument("endpoint")
@dry_run_option
@yes_option
@format_option()
@pass_settings
def undeploy(settings: Settings, /, *, endpoint: str, dry_run: bool, yes: bool, form: Form) -> None:
    """
    Delete an endpoint, or what an interrupted deployment left of it. Its trial, and the trial's model in S3, stay.

    For an endpoint that mnist-tracking created, its configuration, its model and the archive packed for it are deleted
    too.

    \b
    Examples:
      mnist-tracking undeploy churn
      mnist-tracking undeploy churn --yes
    """  # noqa: D301 - click reads the backspace: keep these lines as they are
    with settings.opened() as workspace:
        found = workspace.endpoint(endpoint)
        status = _status(found)
        record = {"name": found.name, "trial": found.trial, "status": status}
        if not dry_run:
            left_over = f"what an interrupted deployment left of endpoint {found.name!r}"
            what = f"endpoint {found.name!r}, which is {status}" if status else left_over
            confirm(f"This deletes {what}. Continue?", yes=yes)
            found.delete()
            record["status"] = "Deleted"
    write_record(record, form)
    if dry_run:
        echo("Nothing was done.", err=True)


def _status(endpoint: "Endpoint") -> str | None:
    """Return the status of an endpoint; None if only its configuration or its model exists."""
    try:
        return endpoint.status
    except NotFoundError:
        return None
