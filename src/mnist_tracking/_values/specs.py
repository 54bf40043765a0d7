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
    check_string,
    check_strings,
    copied,
    is_in_s3,
    path_text,
    path_texts,
)
from mnist_tracking._values.dotted import check_dotted
from mnist_tracking._values.exact import exact_hyperparameters
from mnist_tracking._values.recordable import check_key, check_mapping, metric_regex, recordable
from mnist_tracking._values.records import Scalar
from mnist_tracking._values.text import did_you_mean, short_repr
from mnist_tracking.errors import ConfigError

if TYPE_CHECKING:
    import sagemaker.inputs

__all__ = ["JobSpec", "MetricDefinition", "Objective"]

Goal = Literal["maximize", "minimize"]
JobInput: TypeAlias = "str | sagemaker.inputs.TrainingInput | sagemaker.inputs.FileSystemInput"
Statistic = Literal["last", "max", "min", "avg"]
_MAX_REGEX = 500
_MAX_METRICS = 40
_MAX_HYPERPARAMETERS = 95  # SageMaker allows 100, and its SDK needs five
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
        check_string(f"The regex of metric {self.name!r}", self.regex, "loss: (.*?);")
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
                f"The regex of metric {self.name!r} has {len(self.regex)} characters; SageMaker allows {_MAX_REGEX}."
            )


@attrs.frozen
class Objective:
    """
    What makes one trial better than another.

    Attributes:
        metric: The metric's name.
        goal: ``"maximize"`` or ``"minimize"``.
        statistic: Which value of the series counts: ``"last"``, ``"max"``, ``"min"`` or ``"avg"``. It should
            be the value of the weights that are saved.

    Raises:
        ConfigError: If one of them is not allowed.

    Example:
        >>> Objective("validation:loss", goal="minimize").statistic
        'last'
    """

    metric: str
    goal: Goal = attrs.field(default="maximize", kw_only=True)
    statistic: Statistic = attrs.field(default="last", kw_only=True)

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.metric, str) or not self.metric:
            raise ConfigError(f"metric={self.metric!r}; expected the name of a metric, such as 'test:accuracy'.")
        check_key("metric", self.metric)
        check_choice("goal", self.goal, ("maximize", "minimize"))
        check_choice("statistic", self.statistic, ("last", "max", "min", "avg"))

    @classmethod
    def of(cls, value: "Objective | str") -> "Objective":
        """Return an objective, given one or the name of a metric; ConfigError if *value* is neither."""
        if not isinstance(value, Objective | str):
            raise ConfigError(f"objective={short_repr(value)}; expected the name of a metric, or an Objective.")
        return cls(value) if isinstance(value, str) else value


def _objective(value: Objective | str | None) -> Objective | None:
    return None if value is None else Objective.of(value)


def _definitions(metrics: Mapping[str, str] | Iterable[str | MetricDefinition]) -> tuple[MetricDefinition, ...]:
    if isinstance(metrics, str):
        raise ConfigError(f"metrics={metrics!r}; expected a list of names, such as [{metrics!r}].")
    if isinstance(metrics, Mapping):
        return tuple(MetricDefinition(name, regex) for name, regex in metrics.items())
    if not isinstance(metrics, Iterable):
        raise ConfigError(
            f"metrics={short_repr(metrics)}; expected a list of names, or a mapping of names to regular expressions."
        )
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
    """Check that a value is None or could be a container image; ConfigError otherwise."""
    if uri is not None:
        check_string("image_uri", uri, "<account>.dkr.ecr.<region>.amazonaws.com/<name>:<tag>")


def check_instance_type(value: object) -> None:
    """Check that a value has the form of an instance type, new ones included; ConfigError otherwise."""
    if not isinstance(value, str) or not _INSTANCE_TYPE.fullmatch(value):
        raise ConfigError(
            f"instance_type={short_repr(value)}; expected a SageMaker instance type, such as 'ml.m5.xlarge'."
        )


def check_files(entry_point: str, source_dir: str | None) -> None:
    """Check that the script exists, unless it is in S3; ConfigError otherwise, with the scripts next to it."""
    if source_dir is not None and source_dir.startswith("s3://"):
        return
    if source_dir is not None and not os.path.isdir(source_dir):
        raise ConfigError(f"source_dir {source_dir!r} is not a folder.")
    script = Path(source_dir or "", entry_point)
    if not os.path.isfile(script):
        beside = sorted(path.name for path in script.parent.glob("*.py")) if os.path.isdir(script.parent) else []
        near = difflib.get_close_matches(script.name, beside, n=3, cutoff=0.3) or beside[:5]
        hint = f" Scripts in that folder: {', '.join(map(repr, near))}." if near else ""
        raise ConfigError(f"The entry point {str(script)!r} does not exist.{hint}")


def channels(names: Iterable[str]) -> tuple[str, ...]:
    """Return the names of channels; ConfigError if they are not a list of channel names."""
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise ConfigError(f"required_inputs={short_repr(names)}; expected a list of channels, such as ['training'].")
    return tuple(_channel(name) for name in names)


def _channel(name: object) -> str:
    if not isinstance(name, str) or not _CHANNEL.fullmatch(name):
        raise ConfigError(
            f"The channel name {short_repr(name)} is not allowed: expected 1 to 64 letters, digits, '.', '_' and '-'."
        )
    return name


def check_inputs(inputs: Mapping[str, object]) -> None:
    """Check that inputs are S3 locations or the SDK's own inputs, by channel; ConfigError otherwise."""
    for channel, uri in inputs.items():
        _channel(channel)
        if not is_in_s3(uri) and not _is_of_sdk(uri):
            raise ConfigError(
                f"The input {channel!r} is {short_repr(uri)}; expected an S3 location, 's3://bucket/prefix', or "
                "an input of sagemaker.inputs."
            )


def _is_of_sdk(value: object) -> bool:
    """Whether a value is one of the SDK's inputs, which only a program that has imported the SDK can have."""
    inputs: Any = sys.modules.get("sagemaker.inputs")
    return inputs is not None and isinstance(value, inputs.TrainingInput | inputs.FileSystemInput)


def check_objective(objective: Objective, metrics: Iterable[MetricDefinition], image_uri: str | None) -> None:
    """
    Check that a job yields the metric that its trials are ranked by; ConfigError otherwise.

    A job without metrics is accepted with a container image of its own, whose algorithm may define them.
    """
    names = [metric.name for metric in metrics]
    if objective.metric in names or (not names and image_uri is not None):
        return
    metric = objective.metric
    if names:
        known = f"available: {', '.join(map(repr, names))}.{did_you_mean(metric, names)}"
    else:
        known = f"it has none. Pass metrics=[{metric!r}], or metrics={{{metric!r}: 'its regular expression'}}."
    raise ConfigError(f"The objective is {metric!r}, which is not one of the job's metrics; {known}")


@attrs.frozen(kw_only=True)
class JobSpec:
    """
    A training job: any script, its inputs and what it runs on.

    Attributes:
        entry_point: The script: a path relative to *source_dir*, or any path without it.
        source_dir: The folder to send with the script; None sends the script alone.
        dependencies: More folders or files to send, next to the script.
        hyperparameters: Hyperparameters of every trial, which a trial may override.
        metrics: Names of metrics, if the script records them with `mnist_tracking.job.log_metric`; otherwise a mapping
            of names to the regular expressions that find them in the log, or metric definitions.
        objective: What makes one trial better than another, if known: one of *metrics*. Only a job with *image_uri*
            may leave *metrics* out, since the algorithm of an image may define its own.
        inputs: By channel name: S3 locations, or the SDK's own ``TrainingInput`` and ``FileSystemInput``.
        instance_type: The SageMaker instance type.
        instance_count: The number of hosts.
        framework_version: The version of the PyTorch container.
        py_version: The Python version of that container.
        image_uri: Your own container image, in place of the PyTorch container.
        environment: Environment variables of the job.
        max_run_s: The maximum run time of the job, in seconds.
        estimator: More keywords of the SDK's ``PyTorch``, passed on verbatim, such as
            ``{"keep_alive_period_in_seconds": 600, "volume_size": 100}``.
        check: Called with the hyperparameters of each trial before anything is sent; raises ConfigError.
        required_inputs: The channels that the script needs. The experiment's own data, which the runner prepares,
            uploads or uses, is the channel ``"training"``.
        dataset_reader: The dotted name of the function that reads the data for `ExperimentRunner.prepare_dataset`, such
            as ``"package.module:function"``; None for jobs without one.
        adapter: The dotted name of the function that `Endpoint.predict` calls to turn data into requests, and responses
            into predictions; None sends arrays as they are.

    Raises:
        ConfigError: If the entry point or *source_dir* does not exist, no metric has the objective's name, or any
            other attribute is wrong.
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
        check_string("framework_version", self.framework_version, "2.6.0")
        check_string("py_version", self.py_version, "py312")
        check_image(self.image_uri)
        check_strings("environment", self.environment)
        for name in ("dataset_reader", "adapter"):
            if getattr(self, name) is not None:
                check_dotted(name, getattr(self, name))
        if self.check is not None and not callable(self.check):
            raise ConfigError(f"check={short_repr(self.check)}; expected a function of the hyperparameters.")
        if len(self.metrics) > _MAX_METRICS:
            raise ConfigError(f"{len(self.metrics)} metrics; SageMaker allows {_MAX_METRICS}.")
        if self.objective is not None:
            check_objective(self.objective, self.metrics, self.image_uri)

    def merged(self, hyperparameters: Mapping[str, Scalar]) -> dict[str, Scalar]:
        """
        Return the job's hyperparameters, overridden by a trial's own, as Python scalars.

        Raises:
            ConfigError: If a name or a value cannot be sent, or the job's own check rejects one.
        """
        check_mapping("hyperparameter", hyperparameters)
        together = {**self.hyperparameters, **hyperparameters}
        merged = {name: recordable("hyperparameter", name, value) for name, value in together.items()}
        sent = len(merged) + len(exact_hyperparameters(merged))
        if sent > _MAX_HYPERPARAMETERS:
            raise ConfigError(f"{sent} hyperparameters; SageMaker allows {_MAX_HYPERPARAMETERS}.")
        if self.check is not None:
            self.check(merged)
        return merged

    def inputs_with(self, data_uri: str | None) -> dict[str, JobInput]:
        """
        Return the inputs of a trial: the job's own, and the experiment's data unless the job has that channel.

        Raises:
            ConfigError: If a required input is missing; the message shows how to pass it.
        """
        data: dict[str, JobInput] = {} if data_uri is None else {DATA: data_uri}
        inputs = {**data, **self.inputs}
        for channel in self.required_inputs:
            if channel not in inputs:
                raise ConfigError(f"{self.entry_point!r} needs the input {channel!r}. {_how_to_pass(channel)}")
        return inputs


def _how_to_pass(channel: str) -> str:
    spec = f"JobSpec(inputs={{{channel!r}: 's3://bucket/prefix'}})"
    if channel != DATA:
        return f"Pass it with {spec}."
    return f"Call the runner's prepare_dataset(), upload_dataset() or use_dataset() first, or pass it with {spec}."
