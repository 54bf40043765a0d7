"""``mnist-tracking run``: train one model as a trial."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from mnist_tracking._values.records import Scalar
from mnist_tracking.cli.consent import ask, dry_run_option, yes_option
from mnist_tracking.cli.jobs import JobCommand, JobOptions, job_options, write_points
from mnist_tracking.cli.output import Form, format_option, write_csv, write_json
from mnist_tracking.cli.settings import Settings
from mnist_tracking.errors import JobFailedError

if TYPE_CHECKING:
    from mnist_tracking._values.specs import JobSpec
    from mnist_tracking.experiments.runner import ExperimentRunner
    from mnist_tracking.experiments.submission import SubmittedTrial
    from mnist_tracking.reading.trial import Trial

__all__ = ["run"]


@click.command(cls=JobCommand, short_help="Train a model once, as a trial of an experiment.")
@job_options
@click.option("--name", help="The trial's name.  [default: a generated one]")
@click.option("--detach", is_flag=True, help="Start the job, print the trial's name, and do not wait.")
@dry_run_option
@yes_option
@format_option()
@click.pass_obj
def run(
    settings: Settings, /, *, name: str | None, detach: bool, dry_run: bool, yes: bool, form: Form, **job: Any
) -> None:
    """
    Train a model once, as a trial of an experiment: by a script, or with --mnist by the CNN that is built in.

    The job's log goes to standard error as it comes; the trial, once it has ended, to standard output. The exit status
    is 1 if training failed. Ctrl-C stops the job; the trial stays.

    Values of hyperparameters are numbers, true, false and null as in JSON, and texts. Those of the CNN are checked, and
    its data are the four files of MNIST in --data or MNIST_DATA_DIR, else a download.

    \b
    Examples:
      mnist-tracking run train.py -e churn --param lr=0.1 --metric 'f1=f1: (.*?);'
      mnist-tracking run train.py --source-dir src -e churn --data data/
      mnist-tracking run --mnist -e digits --param epochs=2 --param lr=0.05
      mnist-tracking --backend aws run train.py -e churn --detach --yes
    """  # noqa: D301 - click reads the backspace: keep these lines as they are
    options = JobOptions(**job)
    spec = options.spec()
    if dry_run:
        write_points([spec.merged({})], form)
        click.echo(f"Would be trained as a trial of {options.experiment!r}. Nothing was sent.", err=True)
        return
    if settings.costs_money:
        ask(f"This trains a model on AWS ({spec.instance_type}), which costs money. Go on?", yes=yes)
    with settings.opened(make=True) as workspace:
        runner = options.runner(workspace, spec)
        if detach:
            submitted = runner.submit(name=name)
            _write_submitted(submitted, options.experiment, form)
            click.echo(f"Its log: {settings.command('logs', '-f', submitted.name)}", err=True)
        else:
            trial = _followed(runner, name)
            _tell_what_is_missing(spec, trial)
            _write_ended(trial, form)


class _Follower:
    """A `TrialObserver` that passes the log on to standard error, and keeps the trial."""

    left = "Its job, if it was started, is asked to stop."
    trial: "Trial | None" = None

    def started(self, trial_name: str, job_name: str, hyperparameters: Mapping[str, Scalar]) -> None:
        del hyperparameters
        self.left = f"The job {job_name} is asked to stop; the trial {trial_name} stays."
        click.echo(f"Trial {trial_name}, job {job_name}", err=True)

    def logged(self, trial_name: str, line: str) -> None:
        del trial_name
        click.echo(line, err=True)

    def ended(self, trial: "Trial") -> None:
        self.trial = trial


def _followed(runner: "ExperimentRunner", name: str | None) -> "Trial":
    follower = _Follower()
    try:
        return runner.run(name=name, observer=follower)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(follower.left) from None
    except JobFailedError:
        if follower.trial is None:
            raise
        return follower.trial  # its reason is printed with it, and the log was already


def _tell_what_is_missing(spec: "JobSpec", trial: "Trial") -> None:
    for metric in spec.metrics if trial.status == "Completed" else ():
        if metric.name not in trial.metrics:
            click.echo(f"No line of the log has the metric {metric.name!r}, looked for as {metric.regex!r}.", err=True)


def _write_submitted(submitted: "SubmittedTrial", experiment: str, form: Form) -> None:
    told = {
        "trial_name": submitted.name,
        "experiment_name": experiment,
        "status": "InProgress",
        "job_name": submitted.job_name,
    }
    match form:
        case "json":
            write_json(told)
        case "csv":
            write_csv([told])
        case "table":
            click.echo(submitted.name)


def _write_ended(trial: "Trial", form: Form) -> None:
    match form:
        case "json":
            write_json(trial)
        case "csv":
            from mnist_tracking.reading.trial import trial_row

            write_csv([trial_row(trial)])
        case "table":
            from mnist_tracking.cli.page import Page
            from mnist_tracking.cli.trials import show_trial

            show_trial(trial, Page())
    if trial.status != "Completed":
        click.echo(f"mnist-tracking: the trial {trial.name!r} is {trial.status}.", err=True)
        raise click.exceptions.Exit(1)
