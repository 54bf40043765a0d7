"""``mnist-tracking cleanup``: delete an experiment and all that was made for it."""

import click

from mnist_tracking.cli.completion import experiment_names
from mnist_tracking.cli.consent import ask, yes_option
from mnist_tracking.cli.output import Form, format_option, write_csv, write_json
from mnist_tracking.cli.settings import Settings

__all__ = ["cleanup"]


@click.command(short_help="Delete an experiment and all that was made for it.")
@click.argument("experiment", shell_complete=experiment_names)
@yes_option
@format_option()
@click.pass_obj
def cleanup(settings: Settings, *, experiment: str, yes: bool, form: Form) -> None:
    """
    Delete an experiment and all that mnist-tracking made for it: endpoints, models, components, trials and S3 objects.

    Jobs that run are stopped first. What others made is left alone and reported. Stopped half-way, the same command
    carries on.

    \b
    Examples:
      mnist-tracking cleanup mnist-digits
      mnist-tracking cleanup mnist-digits --yes --format json
    """  # noqa: D301 - click reads the backspace: keep these lines as they are
    from mnist_tracking._sagemaker.experiments import require_experiment
    from mnist_tracking.runner import ExperimentRunner

    with settings.opened() as workspace:
        require_experiment(workspace, experiment)  # a runner would make one
        trials = len(workspace.trials(experiment))
        many = f"{trials} trial{'s' * (trials != 1)}"
        ask(f"This deletes experiment {experiment!r} with {many}, its models and data. Go on?", yes=yes)
        try:
            report = ExperimentRunner(workspace, experiment).cleanup()
        except KeyboardInterrupt:
            again = settings.command("cleanup", experiment)
            raise KeyboardInterrupt(f"Not everything is deleted; to carry on: {again}") from None
    gone = [{"kind": kind, "name": name} for kind, name in report.deleted]
    kept = [{"kind": kind, "name": name, "reason": reason} for kind, name, reason in report.kept]
    match form:
        case "json":
            write_json({"deleted": gone, "kept": kept, "objects": report.objects})
        case "csv":
            write_csv([*({"outcome": "deleted", **one} for one in gone), *({"outcome": "kept", **one} for one in kept)])
        case "table":
            click.echo(str(report))
