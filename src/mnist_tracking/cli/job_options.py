"""What ``run`` and ``sweep`` are told about the job."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import click

from mnist_tracking._values.records import Scalar
from mnist_tracking._values.specs import JobSpec, MetricDefinition, Objective
from mnist_tracking.cli.completion import experiment_names
from mnist_tracking.cli.output import Form, write_csv, write_json
from mnist_tracking.cli.sections import SectionedCommand, options_in
from mnist_tracking.cli.values import PAIR, URI_PAIR, VALUE_PAIR, pairs
from mnist_tracking.errors import ConfigError
from mnist_tracking.mnist.spec import mnist_job

if TYPE_CHECKING:
    from mnist_tracking.experiments.runner import ExperimentRunner
    from mnist_tracking.mnist.datasets import Dataset
    from mnist_tracking.workspace import Workspace

__all__ = ["JobCommand", "JobOptions", "job_options", "write_points"]

_OPTIONS = options_in(
    "The job",
    (
        ("-e", "--experiment"),
        {"required": True, "shell_complete": experiment_names, "help": "Where the trials go; made if new."},
    ),
    (("--mnist",), {"is_flag": True, "help": "Train the CNN that is built in, in place of a script."}),
    (
        ("--source-dir",),
        {
            "type": click.Path(file_okay=False),
            "help": "The folder that is sent along; ENTRY_POINT is then relative to it.",
        },
    ),
    (
        ("--param", "parameters"),
        {"type": VALUE_PAIR, "multiple": True, "help": "A hyperparameter: --param lr=0.1. Repeat it."},
    ),
    (
        ("--metric", "metrics"),
        {
            "metavar": "NAME[=REGEX]",
            "multiple": True,
            "help": "What the script logs by log_metric, or what the expression finds in its log. Repeat it.",
        },
    ),
    (
        ("--data",),
        {
            "type": click.Path(),
            "metavar": "FOLDER|S3_URI",
            "help": "The channel 'training', recorded as the step Preprocessing.",
        },
    ),
    (("--input", "inputs"), {"type": URI_PAIR, "multiple": True, "help": "A further channel. Repeat it."}),
    (("--tag", "tags"), {"type": PAIR, "multiple": True, "help": "On what this command makes. Repeat it."}),
    (
        ("--instance-type",),
        {"default": "ml.m5.xlarge", "show_default": True, "help": "What it trains on, on AWS."},
    ),
)


def job_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the arguments of `JobOptions`."""
    decorated: Callable[..., Any] = click.argument("entry_point", required=False, type=click.Path())(_OPTIONS(function))
    return decorated


class JobCommand(SectionedCommand):
    """A command whose help ends with the hyperparameters of the CNN."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        from mnist_tracking.training.options import describe_hyperparameters

        with formatter.section("Hyperparameters of --mnist"):
            formatter.write_dl(list(describe_hyperparameters().items()))


@attrs.frozen(kw_only=True)
class JobOptions:
    """
    The options of a job as they were given.

    Attributes:
        entry_point: The script; None with *mnist*.
        experiment: The experiment's name.
        mnist: Whether the CNN is trained.
        source_dir: The folder that is sent along.
        parameters: Hyperparameters.
        metrics: ``NAME`` or ``NAME=REGEX``.
        data: A folder or a location in S3.
        inputs: Channels and locations in S3.
        tags: Keys and values.
        instance_type: What it trains on.
    """

    entry_point: str | None
    experiment: str
    mnist: bool
    source_dir: str | None
    parameters: tuple[tuple[str, Scalar], ...]
    metrics: tuple[str, ...]
    data: str | None
    inputs: tuple[tuple[str, str], ...]
    tags: tuple[tuple[str, str], ...]
    instance_type: str

    def spec(self, objective: Objective | None = None) -> JobSpec:
        """
        Return the job.

        Raises:
            click.UsageError: If there is neither a script nor ``--mnist``, or both.
            ConfigError: If the script, the folder of the data or a hyperparameter is wrong.
        """
        self._check_data()
        job = self._mnist_job() if self.mnist else self._script_job()
        if objective is not None:
            job = attrs.evolve(job, objective=objective)
        job.merged({})
        return job

    def _mnist_job(self) -> JobSpec:
        given = {"ENTRY_POINT": self.entry_point, "--source-dir": self.source_dir, "--metric": self.metrics}
        for what, value in given.items():
            if value:
                raise click.UsageError(f"--mnist has its own script and metrics; leave {what} out.")
        return attrs.evolve(
            mnist_job(instance_type=self.instance_type),
            hyperparameters=pairs(self.parameters, "--param"),
            inputs=pairs(self.inputs, "--input"),
        )

    def _script_job(self) -> JobSpec:
        if self.entry_point is None:
            raise click.UsageError("Give ENTRY_POINT, a script, or --mnist for the CNN that is built in.")
        return JobSpec(
            entry_point=self.entry_point,
            source_dir=self.source_dir,
            hyperparameters=pairs(self.parameters, "--param"),
            metrics=[_metric(text) for text in self.metrics],
            inputs=pairs(self.inputs, "--input"),
            instance_type=self.instance_type,
        )

    @property
    def _is_in_s3(self) -> bool:
        return self.data is not None and self.data.startswith("s3://")

    def _check_data(self) -> None:
        if self.data is not None and not self._is_in_s3 and not Path(self.data).is_dir():
            raise ConfigError(f"--data {self.data!r} is neither a folder nor a location in S3.")

    def runner(self, workspace: "Workspace", job: JobSpec) -> "ExperimentRunner":
        """Return the experiment with its data."""
        from mnist_tracking.experiments.runner import ExperimentRunner

        digits = self._digits()  # before there is an experiment: what is wrong with them is told first
        runner = ExperimentRunner(workspace, self.experiment, job=job, tags=pairs(self.tags, "--tag"))
        if digits is not None:
            runner.prepare_dataset(digits)
        elif self.data is not None and self._is_in_s3:
            runner.use_dataset(self.data)
        elif self.data is not None:
            runner.upload_dataset(self.data)
        return runner

    def _digits(self) -> "Dataset | None":
        """Find MNIST, or data in its format, unless they are in S3 already."""
        if not self.mnist or self._is_in_s3:
            return None
        from mnist_tracking.mnist.datasets import find_mnist

        found = find_mnist(self.data)
        click.echo(f"Data: {found.describe()}", err=True)
        return found


def _metric(text: str) -> str | MetricDefinition:
    name, equals, regex = text.partition("=")
    return MetricDefinition(name, regex) if equals else name


def write_points(points: Sequence[Mapping[str, Scalar]], form: Form) -> None:
    """Write the hyperparameters of trials that would be trained."""
    match form:
        case "json":
            write_json([{"hyperparameters": point} for point in points])
        case "csv":
            write_csv({f"param.{name}": value for name, value in point.items()} for point in points)
        case "table":
            from mnist_tracking.cli.page import Page

            Page().table([{"trial": place, **point} for place, point in enumerate(points, 1)])
