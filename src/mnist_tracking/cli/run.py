"""``mnist-tracking run``: train one model as a trial."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from mnist_tracking._values.records import ParameterValue
from mnist_tracking._values.text import duration
from mnist_tracking.cli.confirm import confirm_cost, dry_run_option, yes_option
from mnist_tracking.cli.job_options import JobCommand, JobOptions, job_options, write_points
from mnist_tracking.cli.options import Settings, command, pass_settings
from mnist_tracking.cli.output import Form, Page, echo, echo_logged, format_option, write_csv, write_json, write_table
from mnist_tracking.cli.trials import write_trial
from mnist_tracking.errors import JobFailedError

if TYPE_CHECKING:
    from mnist_tracking._values.specs import JobSpec
    from mnist_tracking.experiments.runner import ExperimentRunner
    from mnist_tracking.experiments.submission import SubmittedTrial
    from mnist_tracking.reading.trial import Trial

__all__ = ["run"]

_EXPECTED = ("Starting", "Training", "Completed", "Failed", "Stopped")


@command(cls=JobCommand, short_help="Train a model once, as a trial of an experiment.")
@job_options
@click.option("--name", help="Name of the trial.  [default: a generated one]")
@click.option("--detach", is_flag=True, help="Start the job, print the trial's name, and exit.")
@dry_run_option
@yes_option
@format_option()
@pass_settings
def run(
    settings: Settings, /, *, name: str | None, detach: bool, dry_run: bool, yes: bool, form: Form, **job: Any
) -> None:
    """
    Train a model once, as a trial of an experiment: with a script, or with --mnist the built-in CNN.

    The job's log goes to standard error as it is written; the finished trial goes to standard output. The exit status
    is 1 if training failed. Ctrl-C stops the job; the trial stays.

    A hyperparameter is a number, true, false or null, as in JSON, or else a string. Those of the CNN are checked. The
    CNN is trained on MNIST's four files in --data or MNIST_DATA_DIR; without either, they are downloaded.

    \b
    Examples:
      mnist-tracking run train.py -e churn --param lr=0.1 --metric 'f1=f1: (.*?);'
      mnist-tracking run train.py --source-dir src -e churn --data data/
      mnist-tracking run --mnist -e digits --param epochs=2 --param lr=0.05
      mnist-tracking run train.py -e churn --detach --yes --backend aws
    """  # noqa: D301 - click reads the backspace: keep these lines as they are
    options = JobOptions(**job)
    spec = options.spec()
    if dry_run:
        write_points([spec.merged({})], form)
        echo(f"Would be trained as a trial of {options.experiment!r}. Nothing was sent.", err=True)
        return
    if settings.costs_money:
        limit = duration(spec.max_run_s)
        confirm_cost(f"This trains a model on AWS ({spec.instance_type}) for at most {limit}", yes=yes)
    with settings.opened(create=True) as workspace:
        runner = options.runner(workspace, spec)
        if detach:
            submitted = runner.submit(name=name)
            _write_submitted(submitted, form)
            echo(f"To follow its log: {settings.command('logs', '-f', submitted.name)}", err=True)
        else:
            trial = _followed(runner, name)
            _report_missing_metrics(spec, trial)
            _write_ended(trial, form)


class _Follower:
    """A `TrialObserver` that copies the log to standard error, and keeps the trial."""

    left = "Its job, if it was started, will stop."
    trial: "Trial | None" = None

    def started(self, trial_name: str, job_name: str, hyperparameters: Mapping[str, ParameterValue]) -> None:
        del hyperparameters
        self.left = f"The job {job_name} will stop; the trial {trial_name} stays."
        echo(f"Trial {trial_name}, job {job_name}", err=True)

    def status_changed(self, trial_name: str, status: str) -> None:
        del trial_name
        if status not in _EXPECTED:
            echo(f"Job status: {status}", err=True)

    def logged(self, trial_name: str, line: str) -> None:
        del trial_name
        echo_logged(line, err=True)

    def ended(self, trial: "Trial") -> None:
        self.trial = trial


def _followed(runner: "ExperimentRunner", name: str | None) -> "Trial":
    follower = _Follower()
    try:
        return runner.run(name=name, observer=follower)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(follower.left) from None
    except JobFailedError as error:
        if follower.trial is None:
            raise
        if error.hint:
            echo(error.hint, err=True)
        return follower.trial  # which is printed with the reason, after the log


def _report_missing_metrics(spec: "JobSpec", trial: "Trial") -> None:
    for metric in spec.metrics if trial.status == "Completed" else ():
        if metric.name not in {*trial.last_values, *trial.dropped}:
            echo(f"The metric {metric.name!r} is not in the log: no line matches {metric.regex!r}.", err=True)


def _write_submitted(submitted: "SubmittedTrial", form: Form) -> None:
    record = {
        "name": submitted.name,
        "experiment": submitted.experiment,
        "status": "InProgress",
        "job_name": submitted.job_name,
    }
    match form:
        case "json":
            write_json(record)
        case "csv":
            write_csv([record])
        case "table":
            echo(submitted.name)


def _write_ended(trial: "Trial", form: Form) -> None:
    match form:
        case "json":
            write_json(trial)
        case "csv":
            from mnist_tracking.reading.trial import trial_table

            write_table(trial_table([trial]))
        case "table":
            write_trial(trial, Page())
    if trial.status != "Completed":
        echo(f"mnist-tracking: the trial {trial.name!r} is {trial.status}.", err=True)
        raise click.exceptions.Exit(1)
