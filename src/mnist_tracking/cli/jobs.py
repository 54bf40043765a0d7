"""What ``run`` and ``sweep`` are told about the job."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs
import click

from mnist_tracking.cli.completion import experiment_names
from mnist_tracking.cli.output import Form, write_csv, write_json
from mnist_tracking.cli.values import PAIR, URI_PAIR, VALUE_PAIR, pairs
from mnist_tracking.jobs import JobSpec, MetricDefinition, Objective
from mnist_tracking.records import Scalar

if TYPE_CHECKING:
    from mnist_tracking.runner import ExperimentRunner
    from mnist_tracking.workspace import Workspace

__all__ = ["JobOptions", "job_options", "write_points"]

_OPTIONS = (
    click.argument("entry_point"),
    click.option(
        "-e", "--experiment", required=True, shell_complete=experiment_names, help="The experiment; made if new."
    ),
    click.option(
        "--source-dir",
        type=click.Path(file_okay=False),
        help="The folder that is sent along; ENTRY_POINT is then relative to it.",
    ),
    click.option(
        "--param", "parameters", type=VALUE_PAIR, multiple=True, help="A hyperparameter: --param lr=0.1. Repeat it."
    ),
    click.option(
        "--metric",
        "metrics",
        metavar="NAME[=REGEX]",
        multiple=True,
        help="What the script logs by log_metric, or what the expression finds in its log. Repeat it.",
    ),
    click.option("--data", metavar="FOLDER|S3_URI", help="The channel 'training', recorded as the step Preprocessing."),
    click.option("--input", "inputs", type=URI_PAIR, multiple=True, help="A further channel. Repeat it."),
    click.option("--tag", "tags", type=PAIR, multiple=True, help="Put on everything that is made. Repeat it."),
    click.option("--instance-type", default="ml.m5.xlarge", show_default=True, help="What it trains on, on AWS."),
)


def job_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the arguments of `JobOptions`."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


@attrs.frozen(kw_only=True)
class JobOptions:
    """
    The options of a job as they were given.

    Attributes:
        entry_point: The script.
        experiment: The experiment's name.
        source_dir: The folder that is sent along.
        parameters: Hyperparameters.
        metrics: ``NAME`` or ``NAME=REGEX``.
        data: A folder or a location in S3.
        inputs: Channels and locations in S3.
        tags: Keys and values.
        instance_type: What it trains on.
    """

    entry_point: str
    experiment: str
    source_dir: str | None
    parameters: tuple[tuple[str, Scalar], ...]
    metrics: tuple[str, ...]
    data: str | None
    inputs: tuple[tuple[str, str], ...]
    tags: tuple[tuple[str, str], ...]
    instance_type: str

    def spec(self, objective: Objective | None = None) -> JobSpec:
        """Return the job."""
        return JobSpec(
            entry_point=self.entry_point,
            source_dir=self.source_dir,
            hyperparameters=pairs(self.parameters, "--param"),
            metrics=[_metric(text) for text in self.metrics],
            objective=objective,
            inputs=pairs(self.inputs, "--input"),
            instance_type=self.instance_type,
        )

    def runner(self, workspace: "Workspace", job: JobSpec) -> "ExperimentRunner":
        """Return the experiment with its data."""
        from mnist_tracking.runner import ExperimentRunner

        runner = ExperimentRunner(workspace, self.experiment, job=job, tags=pairs(self.tags, "--tag"))
        if self.data is not None and self.data.startswith("s3://"):
            runner.use_dataset(self.data)
        elif self.data is not None:
            runner.upload_dataset(self.data)
        return runner


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
