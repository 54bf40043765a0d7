"""Options of ``run`` and ``sweep`` that describe the job."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import click

from mnist_tracking._values.records import ParameterValue
from mnist_tracking._values.specs import JobSpec, MetricDefinition, Objective
from mnist_tracking.cli.names import experiment_names
from mnist_tracking.cli.options import Command, options_in
from mnist_tracking.cli.output import Form, Page, echo, write_csv, write_json
from mnist_tracking.cli.values import DURATION, INPUT_PAIR, PAIR, VALUE_PAIR, pairs
from mnist_tracking.errors import ConfigError

if TYPE_CHECKING:
    from mnist_tracking.experiments.runner import ExperimentRunner
    from mnist_tracking.mnist.datasets import Dataset
    from mnist_tracking.workspace import Workspace

__all__ = ["JobCommand", "JobOptions", "job_options", "write_points"]

_OPTIONS = options_in(
    "Job",
    (
        ("-e", "--experiment"),
        {
            "shell_complete": experiment_names,
            "help": "Experiment to add trials to; created if missing.",
        },
    ),
    (("--mnist",), {"is_flag": True, "help": "Train the built-in CNN instead of a script."}),
    (
        ("--source-dir",),
        {
            "type": click.Path(file_okay=False),
            "help": "Folder to send with the script; ENTRY_POINT is then relative to it.",
        },
    ),
    (
        ("--param", "parameters"),
        {"type": VALUE_PAIR, "multiple": True, "help": "Hyperparameter: --param lr=0.1. May be repeated."},
    ),
    (
        ("--argument", "arguments"),
        {
            "multiple": True,
            "metavar": "TEMPLATE",
            "help": "Argument of the script, in place of --NAME VALUE for each hyperparameter, such as --argument fit "
            "--argument '{}={}'. May be repeated.",
        },
    ),
    (
        ("--metric", "metrics"),
        {
            "metavar": "NAME[=REGEX]",
            "multiple": True,
            "help": "Metric that the script logs with log_metric, or that REGEX finds in its log. May be repeated.",
        },
    ),
    (
        ("--data",),
        {
            "type": click.Path(),
            "metavar": "FOLDER|S3_URI",
            "help": "Data of the input channel 'training', recorded as the step Preprocessing.",
        },
    ),
    (
        ("--input", "inputs"),
        {
            "type": INPUT_PAIR,
            "multiple": True,
            "help": "Another input channel: --input val=data/val, a folder or file, or an S3 URI. May be repeated.",
        },
    ),
    (
        ("--tag", "tags"),
        {"type": PAIR, "multiple": True, "help": "Tag for everything this command creates. May be repeated."},
    ),
    (
        ("--instance-type",),
        {"default": "ml.m5.xlarge", "show_default": True, "help": "Instance type, on AWS."},
    ),
    (
        ("--max-run", "max_run_s"),
        {"type": DURATION, "help": "Stop a job after this time, such as 45m.  [default: 24h; with --mnist, 1h]"},
    ),
)


def job_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the arguments of `JobOptions`."""
    decorated: Callable[..., Any] = click.argument("entry_point", required=False, type=click.Path())(_OPTIONS(function))
    return decorated


class JobCommand(Command):
    """A command whose help ends with the hyperparameters of the CNN."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_epilog(ctx, formatter)
        from mnist_tracking.training.options import describe_hyperparameters

        with formatter.section("Hyperparameters of --mnist"):
            formatter.write_dl(list(describe_hyperparameters().items()))


@attrs.frozen(kw_only=True)
class JobOptions:
    """
    The options of a job, as they were given.

    Attributes:
        entry_point: The script; None with *mnist*.
        experiment: The experiment's name.
        mnist: Whether to train the built-in CNN.
        source_dir: The folder to send with the script.
        parameters: Hyperparameters.
        arguments: Templates of the script's arguments.
        metrics: ``NAME`` or ``NAME=REGEX``.
        data: A folder or an S3 URI.
        inputs: Channels, and their paths or S3 URIs.
        tags: Keys and values.
        instance_type: The instance type.
        max_run_s: The maximum run time in seconds; None for the job's default.
    """

    entry_point: str | None
    experiment: str
    mnist: bool
    source_dir: str | None
    parameters: tuple[tuple[str, ParameterValue], ...]
    arguments: tuple[str, ...]
    metrics: tuple[str, ...]
    data: str | None
    inputs: tuple[tuple[str, str], ...]
    tags: tuple[tuple[str, str], ...]
    instance_type: str
    max_run_s: int | None

    def __attrs_post_init__(self) -> None:
        if not self.experiment:
            raise click.UsageError("Missing option '-e' / '--experiment'.")

    def spec(self, objective: Objective | None = None) -> JobSpec:
        """
        Return the job.

        Raises:
            click.UsageError: If there is neither a script nor ``--mnist``, or both are given.
            ConfigError: If the script, the folder of the data or a hyperparameter is wrong.
        """
        self._check_data()
        job = self._mnist_job() if self.mnist else self._script_job()
        if objective is not None:
            job = attrs.evolve(job, objective=objective)
        if self.max_run_s is not None:
            job = attrs.evolve(job, max_run_s=self.max_run_s)
        job.merged({})
        return job

    def _mnist_job(self) -> JobSpec:
        from mnist_tracking.mnist.spec import mnist_job

        given = {
            "ENTRY_POINT": self.entry_point,
            "--source-dir": self.source_dir,
            "--argument": self.arguments,
            "--metric": self.metrics,
        }
        for what, value in given.items():
            if value:
                raise click.UsageError(f"--mnist has its own script and metrics; omit {what}.")
        return attrs.evolve(
            mnist_job(instance_type=self.instance_type),
            hyperparameters=pairs(self.parameters, "--param"),
            inputs=pairs(self.inputs, "--input"),
        )

    def _script_job(self) -> JobSpec:
        if self.entry_point is None:
            raise click.UsageError("Pass ENTRY_POINT, a script, or --mnist for the built-in CNN.")
        return JobSpec(
            entry_point=self.entry_point,
            source_dir=self.source_dir,
            hyperparameters=pairs(self.parameters, "--param"),
            arguments=self.arguments or None,
            metrics=[_metric(text) for text in self.metrics],
            inputs=pairs(self.inputs, "--input"),
            instance_type=self.instance_type,
        )

    @property
    def _is_in_s3(self) -> bool:
        return self.data is not None and self.data.startswith("s3://")

    def _check_data(self) -> None:
        if self.data is not None and not self._is_in_s3 and not Path(self.data).is_dir():
            raise ConfigError(f"--data {self.data!r} is neither a folder nor an S3 URI.")

    def runner(self, workspace: "Workspace", job: JobSpec) -> "ExperimentRunner":
        """Return a runner for the experiment, with its data."""
        from mnist_tracking.experiments.runner import ExperimentRunner

        digits = self._digits()  # first: no experiment is created if the data is wrong
        runner = ExperimentRunner(workspace, self.experiment, job=job, tags=pairs(self.tags, "--tag"))
        if digits is not None:
            runner.prepare_dataset(digits)
        elif self.data is not None and self._is_in_s3:
            runner.use_dataset(self.data)
        elif self.data is not None:
            runner.upload_dataset(self.data)
        return runner

    def _digits(self) -> "Dataset | None":
        """Find MNIST, or data in its format, unless it is in S3 already."""
        if not self.mnist or self._is_in_s3:
            return None
        from mnist_tracking.mnist.datasets import find_mnist

        found = find_mnist(self.data)
        echo(f"Data: {found.describe()}", err=True)
        return found


def _metric(text: str) -> str | MetricDefinition:
    name, equals, regex = text.partition("=")
    return MetricDefinition(name, regex) if equals else name


def write_points(points: Sequence[Mapping[str, ParameterValue]], form: Form) -> None:
    """Write the hyperparameters of trials that a dry run would train."""
    match form:
        case "json":
            write_json([{"hyperparameters": point} for point in points])
        case "csv":
            write_csv({f"param.{name}": value for name, value in point.items()} for point in points)
        case "table":
            Page().table([{"trial": place, **point} for place, point in enumerate(points, 1)])
