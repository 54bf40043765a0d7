"""What to train and what counts: job specifications, metric definitions and the objective."""

import difflib
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import attrs

from mnist_tracking._values.checks import (
    check_choice,
    check_count,
    check_mappings,
    check_text,
    check_texts,
    copied,
    is_in_s3,
    path_text,
    path_texts,
)
from mnist_tracking._values.dotted import check_dotted
from mnist_tracking._values.recordable import check_key, check_mapping, metric_regex, recordable
from mnist_tracking._values.records import Scalar
from mnist_tracking._values.text import short_repr
from mnist_tracking.errors import ConfigError

if TYPE_CHECKING:
    import sagemaker.inputs

__all__ = ["JobSpec", "MetricDefinition", "Objective"]

Goal = Literal["maximize", "minimize"]
JobInput: TypeAlias = "str | sagemaker.inputs.TrainingInput | sagemaker.inputs.FileSystemInput"
Statistic = Literal["last", "max", "min", "avg"]
_MAX_REGEX = 500
_MAX_METRICS = 40
_MAX_HYPERPARAMETERS = 95  # SageMaker takes 100, of which its SDK needs five
DATA = "training"  # the channel of the experiment's own data


@attrs.frozen
class MetricDefinition:
    r"""
    A metric, and the regular expression that finds it in a line of the log.

    Attributes:
        name: Such as ``"test:accuracy"``.
        regex: With one group that captures the number; searched in every line.

    Raises:
        ConfigError: If the name is empty or too long, or the expression does not compile, has no group, or is longer
            than 500 characters.

    Example:
        >>> MetricDefinition("train:loss", r"loss=(\S+)").name
        'train:loss'
    """

    name: str
    regex: str

    def __attrs_post_init__(self) -> None:
        check_key("metric", self.name)
        check_text(f"The regex of metric {self.name!r}", self.regex, "loss: (.*?);")
        try:
            groups = re.compile(self.regex).groups
        except re.error as error:
            raise ConfigError(f"The regex {self.regex!r} of metric {self.name!r} does not compile: {error}.") from None
        if not groups:
            raise ConfigError(
                f"The regex {self.regex!r} of metric {self.name!r} has no group. Put the number in parentheses, as in "
                f"{'loss: (.*?);'!r}."
            )
        if len(self.regex) > _MAX_REGEX:
            raise ConfigError(
                f"The regex of metric {self.name!r} has {len(self.regex)} characters; SageMaker takes {_MAX_REGEX}."
            )


@attrs.frozen
class Objective:
    """
    What makes one trial better than another.

    Attributes:
        metric: The metric's name.
        goal: ``"maximize"`` or ``"minimize"``.
        statistic: Which value of the series counts; it should be the one whose weights are saved.

    Example:
        >>> Objective("validation:loss", goal="minimize").statistic
        'last'
    """

    metric: str
    goal: Goal = attrs.field(default="maximize", kw_only=True)
    statistic: Statistic = attrs.field(default="last", kw_only=True)

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.metric, str) or not self.metric:
            raise ConfigError(f"metric={self.metric!r}; the name of a metric is needed, such as 'test:accuracy'.")
        check_key("metric", self.metric)
        check_choice("goal", self.goal, ("maximize", "minimize"))
        check_choice("statistic", self.statistic, ("last", "max", "min", "avg"))

    @classmethod
    def of(cls, value: "Objective | str") -> "Objective":
        """Return *value*, or the objective that a plain metric name stands for; ConfigError if it is neither."""
        if not isinstance(value, Objective | str):
            raise ConfigError(f"objective={short_repr(value)}; the name of a metric, or an Objective, is needed.")
        return cls(value) if isinstance(value, str) else value


def _objective(value: Objective | str | None) -> Objective | None:
    return None if value is None else Objective.of(value)


def _definitions(metrics: Mapping[str, str] | Iterable[str | MetricDefinition]) -> tuple[MetricDefinition, ...]:
    if isinstance(metrics, str):
        raise ConfigError(f"metrics={metrics!r} is one text; give a list of names, such as [{metrics!r}].")
    if isinstance(metrics, Mapping):
        return tuple(MetricDefinition(name, regex) for name, regex in metrics.items())
    if not isinstance(metrics, Iterable):
        raise ConfigError(f"metrics={short_repr(metrics)}; a list of names is needed, or a mapping to regexes.")
    return tuple(map(_definition, metrics))


def _entry_point(path: str | os.PathLike[str]) -> str:
    return path_text("entry_point", path)


def _source_dir(path: str | os.PathLike[str] | None) -> str | None:
    return None if path is None else path_text("source_dir", path)


def _dependencies(paths: Iterable[str | os.PathLike[str]]) -> tuple[str, ...]:
    return path_texts("dependencies", paths)


def _definition(metric: object) -> MetricDefinition:
    match metric:
        case MetricDefinition():
            return metric
        case str():
            return MetricDefinition(metric, metric_regex(check_key("metric", metric)))
    raise ConfigError(f"The metric {short_repr(metric)} is neither a name nor a MetricDefinition.")


_INSTANCE_TYPE = re.compile(r"ml\.[a-z0-9-]+\.[a-z0-9-]+")


_CHANNEL = re.compile(r"[A-Za-z0-9._-]{1,64}")


def check_image(uri: object) -> None:
    """Make sure that a value can be a container image, or is None; ConfigError otherwise."""
    if uri is not None:
        check_text("image_uri", uri, "<account>.dkr.ecr.<region>.amazonaws.com/<name>:<tag>")


def check_instance_type(value: object) -> None:
    """Make sure that a value can be the name of an instance type, of whatever year; ConfigError otherwise."""
    if not isinstance(value, str) or not _INSTANCE_TYPE.fullmatch(value):
        raise ConfigError(
            f"instance_type={short_repr(value)}; one of SageMaker's instance types is needed, such as 'ml.m5.xlarge'."
        )


def check_files(entry_point: str, source_dir: str | None) -> None:
    """Make sure that the script is there, unless it is in S3; ConfigError otherwise, with what is beside it."""
    if source_dir is not None and source_dir.startswith("s3://"):
        return
    if source_dir is not None and not os.path.isdir(source_dir):
        raise ConfigError(f"source_dir {source_dir!r} is not a folder.")
    script = Path(source_dir or "", entry_point)
    if not os.path.isfile(script):
        beside = sorted(path.name for path in script.parent.glob("*.py")) if os.path.isdir(script.parent) else []
        near = difflib.get_close_matches(script.name, beside, n=3, cutoff=0.3) or beside[:5]
        hint = f" Scripts there: {', '.join(map(repr, near))}." if near else ""
        raise ConfigError(f"The entry point {str(script)!r} does not exist.{hint}")


def channels(names: Iterable[str]) -> tuple[str, ...]:
    """Return the names of channels; ConfigError if they are none, or a single one, which is no list."""
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise ConfigError(f"required_inputs={short_repr(names)}; a list of channels is needed, such as ['training'].")
    return tuple(_channel(name) for name in names)


def _channel(name: object) -> str:
    if not isinstance(name, str) or not _CHANNEL.fullmatch(name):
        raise ConfigError(
            f"The channel name {short_repr(name)} is refused: letters, digits, '.', '_' and '-', 1 to 64."
        )
    return name


def check_inputs(inputs: Mapping[str, object]) -> None:
    """Make sure that inputs are locations in S3, or the SDK's own, by channel; ConfigError otherwise."""
    for channel, uri in inputs.items():
        _channel(channel)
        if not is_in_s3(uri) and not _is_of_sdk(uri):
            raise ConfigError(
                f"The input {channel!r} is {short_repr(uri)}; a location in S3 is needed, 's3://bucket/prefix', or one "
                "of sagemaker.inputs."
            )


def _is_of_sdk(value: object) -> bool:
    """Whether a value is an input of the SDK's, which nobody has who has not imported it."""
    inputs: Any = sys.modules.get("sagemaker.inputs")
    return inputs is not None and isinstance(value, inputs.TrainingInput | inputs.FileSystemInput)


@attrs.frozen(kw_only=True)
class JobSpec:
    """
    A training job: any script, its inputs and what it runs on.

    Attributes:
        entry_point: The script, relative to *source_dir*, or a path of its own.
        source_dir: The folder that is sent along; None sends the script alone.
        dependencies: Further folders or files that are sent along, beside the script.
        hyperparameters: What every trial is given, unless it says otherwise.
        metrics: Names of metrics, if the script records them with `mnist_tracking.job.log_metric`; else a mapping of
            names to the regular expressions that find them in the log, or metric definitions.
        objective: What makes one trial better than another; None if nothing does.
        inputs: By channel name: locations in S3, or the SDK's own ``TrainingInput`` and ``FileSystemInput``.
        instance_type: SageMaker's instance type.
        instance_count: How many hosts.
        framework_version: The version of the PyTorch container.
        py_version: The Python of that container.
        image_uri: A container image of your own, in place of that one.
        environment: Environment variables of the job.
        max_run_s: The longest that the job may run, in seconds.
        estimator: Further keywords of the SDK's ``PyTorch``, passed on as they are, such as
            ``{"keep_alive_period_in_seconds": 600, "volume_size": 100}``.
        check: Called with the hyperparameters of each trial before anything is sent; raises ConfigError.
        required_inputs: Channels that the script cannot do without. The experiment's own data, which the runner
            prepares, uploads or uses, are the channel ``"training"``.
        dataset_reader: The dotted name of the function that reads the data for `ExperimentRunner.prepare_dataset`, such
            as ``"package.module:function"``; None if there is none.
        adapter: The dotted name of the function that `Endpoint.predict` calls to turn data into requests, and responses
            into predictions; None sends arrays as they are.

    Raises:
        ConfigError: If the entry point or source_dir does not exist, or any of these is wrong.
    """

    entry_point: str = attrs.field(converter=_entry_point, kw_only=False)
    source_dir: str | None = attrs.field(default=None, converter=_source_dir)
    dependencies: tuple[str, ...] = attrs.field(default=(), converter=_dependencies)
    hyperparameters: Mapping[str, Scalar] = attrs.field(factory=dict, converter=copied, hash=False)
    metrics: tuple[MetricDefinition, ...] = attrs.field(default=(), converter=_definitions)
    objective: Objective | None = attrs.field(default=None, converter=_objective)
    inputs: Mapping[str, JobInput] = attrs.field(factory=dict, converter=copied, hash=False)
    instance_type: str = "ml.m5.xlarge"
    instance_count: int = 1
    framework_version: str = "2.6.0"
    py_version: str = "py312"
    image_uri: str | None = None
    environment: Mapping[str, str] = attrs.field(factory=dict, converter=copied, hash=False)
    max_run_s: int = 86_400
    estimator: Mapping[str, Any] = attrs.field(factory=dict, converter=copied, hash=False)
    check: Callable[[Mapping[str, Scalar]], object] | None = attrs.field(default=None, eq=False, repr=False)
    required_inputs: tuple[str, ...] = attrs.field(default=(), converter=channels)
    dataset_reader: str | None = None
    adapter: str | None = None

    def __attrs_post_init__(self) -> None:
        check_files(self.entry_point, self.source_dir)
        check_mappings(hyperparameters=self.hyperparameters, inputs=self.inputs)
        check_mappings(environment=self.environment, estimator=self.estimator)
        check_inputs(self.inputs)
        check_instance_type(self.instance_type)
        check_count("instance_count", self.instance_count)
        check_count("max_run_s", self.max_run_s)
        check_text("framework_version", self.framework_version, "2.6.0")
        check_text("py_version", self.py_version, "py312")
        check_image(self.image_uri)
        check_texts("environment", self.environment)
        for name in ("dataset_reader", "adapter"):
            if getattr(self, name) is not None:
                check_dotted(name, getattr(self, name))
        if self.check is not None and not callable(self.check):
            raise ConfigError(f"check={short_repr(self.check)}; a function of the hyperparameters is needed.")
        if len(self.metrics) > _MAX_METRICS:
            raise ConfigError(f"{len(self.metrics)} metrics; SageMaker takes {_MAX_METRICS}.")

    def merged(self, hyperparameters: Mapping[str, Scalar]) -> dict[str, Scalar]:
        """
        Return the job's hyperparameters with a trial's own on top, numpy's numbers as Python's.

        Raises:
            ConfigError: If a name or a value cannot be sent, or the job's own check refuses one.
        """
        check_mapping("hyperparameter", hyperparameters)
        together = {**self.hyperparameters, **hyperparameters}
        merged = {name: recordable("hyperparameter", name, value) for name, value in together.items()}
        if len(merged) > _MAX_HYPERPARAMETERS:
            raise ConfigError(f"{len(merged)} hyperparameters; SageMaker takes {_MAX_HYPERPARAMETERS}.")
        if self.check is not None:
            self.check(merged)
        return merged

    def inputs_with(self, data_uri: str | None) -> dict[str, JobInput]:
        """
        Return the inputs of a trial: the job's own, and the experiment's data, unless the job says otherwise.

        Raises:
            ConfigError: If an input is missing that the script cannot do without; the message says how to give it.
        """
        data: dict[str, JobInput] = {} if data_uri is None else {DATA: data_uri}
        inputs = {**data, **self.inputs}
        for channel in self.required_inputs:
            if channel not in inputs:
                raise ConfigError(f"{self.entry_point!r} needs the input {channel!r}. {_how_to_give(channel)}")
        return inputs


def _how_to_give(channel: str) -> str:
    spec = f"JobSpec(inputs={{{channel!r}: 's3://bucket/prefix'}})"
    if channel != DATA:
        return f"Give it by {spec}."
    return f"Call the runner's prepare_dataset(), upload_dataset() or use_dataset() first, or give it by {spec}."
