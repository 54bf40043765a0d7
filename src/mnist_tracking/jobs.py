"""What to train and what counts: job specifications, metric definitions and the objective."""

import difflib
import json
import math
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import attrs

from mnist_tracking.errors import ConfigError
from mnist_tracking.job import metric_regex
from mnist_tracking.records import Scalar

if TYPE_CHECKING:
    import sagemaker.inputs

__all__ = ["JobSpec", "MetricDefinition", "Objective", "mnist_job"]

Goal = Literal["maximize", "minimize"]
JobInput: TypeAlias = "str | sagemaker.inputs.TrainingInput | sagemaker.inputs.FileSystemInput"
Statistic = Literal["last", "max", "min", "avg"]
_MAX_REGEX = 500
_MAX_METRICS = 40
_MAX_HYPERPARAMETERS = 95  # SageMaker takes 100, of which its SDK needs five
_MAX_NAME, _MAX_VALUE = 256, 2500
_SCALARS = (str, int, float, bool, type(None))


@attrs.frozen
class MetricDefinition:
    r"""
    A metric, and the regular expression that finds it in a line of the log.

    Attributes:
        name: Such as ``"test:accuracy"``.
        regex: With one group that captures the number; searched in every line.

    Raises:
        ConfigError: If the expression does not compile, has no group, or is longer than 500 characters.

    Example:
        >>> MetricDefinition("train:loss", r"loss=(\S+)").name
        'train:loss'
    """

    name: str
    regex: str

    def __attrs_post_init__(self) -> None:
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
        _one_of("goal", self.goal, ("maximize", "minimize"))
        _one_of("statistic", self.statistic, ("last", "max", "min", "avg"))

    @classmethod
    def of(cls, value: "Objective | str") -> "Objective":
        """Return *value*, or the objective that a plain metric name stands for; ConfigError if it is neither."""
        if not isinstance(value, Objective | str):
            raise ConfigError(f"objective={value!r}; the name of a metric, or an Objective, is needed.")
        return cls(value) if isinstance(value, str) else value


def _one_of(what: str, value: str, possible: tuple[str, ...]) -> None:
    if value not in possible:
        raise ConfigError(f"{what}={value!r}; possible are {', '.join(map(repr, possible))}.")


def _objective(value: Objective | str | None) -> Objective | None:
    return None if value is None else Objective.of(value)


def _strings(values: Iterable[object]) -> tuple[str, ...]:
    return tuple(map(str, values))


def _copied(values: Mapping[str, Any]) -> Mapping[str, Any]:
    if not isinstance(values, Mapping):
        raise ConfigError(f"{values!r} is no mapping of names to values.")
    return dict(values)


def _definitions(metrics: Mapping[str, str] | Iterable[str | MetricDefinition]) -> tuple[MetricDefinition, ...]:
    if isinstance(metrics, str):
        raise ConfigError(f"metrics={metrics!r} is one text; give a list of names, such as [{metrics!r}].")
    if isinstance(metrics, Mapping):
        return tuple(MetricDefinition(name, regex) for name, regex in metrics.items())
    return tuple(map(_definition, metrics))


def _definition(metric: object) -> MetricDefinition:
    match metric:
        case MetricDefinition():
            return metric
        case str():
            return MetricDefinition(metric, metric_regex(metric))
    raise ConfigError(f"The metric {metric!r} is neither a name nor a MetricDefinition.")


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
        adapter: How an endpoint's answers are read: ``"digits"`` for the CNN, None for plain arrays.

    Raises:
        ConfigError: If the entry point or source_dir does not exist, or the metrics are wrong.
    """

    entry_point: str = attrs.field(converter=str, kw_only=False)
    source_dir: str | None = attrs.field(default=None, converter=attrs.converters.optional(str))
    dependencies: tuple[str, ...] = attrs.field(default=(), converter=_strings)
    hyperparameters: Mapping[str, Scalar] = attrs.field(factory=dict, converter=_copied, hash=False)
    metrics: tuple[MetricDefinition, ...] = attrs.field(default=(), converter=_definitions)
    objective: Objective | None = attrs.field(default=None, converter=_objective)
    inputs: Mapping[str, JobInput] = attrs.field(factory=dict, converter=_copied, hash=False)
    instance_type: str = "ml.m5.xlarge"
    instance_count: int = 1
    framework_version: str = "2.6.0"
    py_version: str = "py312"
    image_uri: str | None = None
    environment: Mapping[str, str] = attrs.field(factory=dict, converter=_copied, hash=False)
    max_run_s: int = 86_400
    estimator: Mapping[str, Any] = attrs.field(factory=dict, converter=_copied, hash=False)
    check: Callable[[Mapping[str, Scalar]], object] | None = attrs.field(default=None, eq=False, repr=False)
    adapter: str | None = None

    def __attrs_post_init__(self) -> None:
        self._check_files()
        _check_inputs(self.inputs)
        for what, number in (("instance_count", self.instance_count), ("max_run_s", self.max_run_s)):
            if isinstance(number, bool) or not isinstance(number, int) or number < 1:
                raise ConfigError(f"{what}={number!r}; a whole number from 1 is needed.")
        if len(self.metrics) > _MAX_METRICS:
            raise ConfigError(f"{len(self.metrics)} metrics; SageMaker takes {_MAX_METRICS}.")

    def _check_files(self) -> None:
        folder = Path(self.source_dir) if self.source_dir else None
        if folder is not None and self.source_dir and self.source_dir.startswith("s3://"):
            return
        if folder is not None and not folder.is_dir():
            raise ConfigError(f"source_dir {self.source_dir!r} is not a folder.")
        script = (folder or Path()) / self.entry_point
        if not script.is_file():
            beside = sorted(p.name for p in script.parent.glob("*.py")) if script.parent.is_dir() else []
            near = difflib.get_close_matches(script.name, beside, n=3, cutoff=0.3) or beside[:5]
            hint = f" Scripts there: {', '.join(map(repr, near))}." if near else ""
            raise ConfigError(f"The entry point {str(script)!r} does not exist.{hint}")

    def merged(self, hyperparameters: Mapping[str, Scalar]) -> dict[str, Scalar]:
        """
        Return the job's hyperparameters with a trial's own on top, numpy's numbers as Python's.

        Raises:
            ConfigError: If a name or a value cannot be sent, or the job's own check refuses one.
        """
        if not isinstance(hyperparameters, Mapping):
            raise ConfigError(f"The hyperparameters are {hyperparameters!r}; give a mapping, such as {{'epochs': 2}}.")
        together = {**self.hyperparameters, **hyperparameters}
        merged = {_checked_name(name): _checked_value(name, value) for name, value in together.items()}
        if len(merged) > _MAX_HYPERPARAMETERS:
            raise ConfigError(f"{len(merged)} hyperparameters; SageMaker takes {_MAX_HYPERPARAMETERS}.")
        if self.check is not None:
            self.check(merged)
        return merged


def _check_inputs(inputs: Mapping[str, object]) -> None:
    for channel, uri in inputs.items():
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", channel):
            raise ConfigError(f"The channel name {channel!r} is refused: letters, digits, '.', '_' and '-', 1 to 64.")
        if not (uri.startswith("s3://") if isinstance(uri, str) else _is_of_sdk(uri)):
            raise ConfigError(
                f"The input {channel!r} is {uri!r}; a location in S3 is needed, 's3://bucket/prefix', or one of "
                "sagemaker.inputs."
            )


def _is_of_sdk(value: object) -> bool:
    """Whether a value is an input of the SDK's, which nobody has who has not imported it."""
    inputs: Any = sys.modules.get("sagemaker.inputs")
    return inputs is not None and isinstance(value, inputs.TrainingInput | inputs.FileSystemInput)


def _checked_name(name: object) -> str:
    if not isinstance(name, str) or not 0 < len(name) <= _MAX_NAME or "\n" in name or name.startswith("sagemaker_"):
        raise ConfigError(
            f"The hyperparameter name {name!r} is refused: a text of 1 to {_MAX_NAME} characters in one line is "
            "needed, which does not begin with 'sagemaker_'."
        )
    return name


def _checked_value(name: str, value: object) -> Scalar:
    """Return a value as a Python scalar; numpy's have `item`."""
    scalar = value.item() if hasattr(value, "item") and getattr(value, "ndim", None) == 0 else value
    if not isinstance(scalar, _SCALARS) or (isinstance(scalar, float) and not math.isfinite(scalar)):
        raise ConfigError(
            f"Hyperparameter {name!r} is {value!r} ({type(value).__name__}); possible are str, int, finite float, "
            "bool, None."
        )
    if (length := len(json.dumps(scalar))) > _MAX_VALUE:
        raise ConfigError(f"Hyperparameter {name!r} takes {length} characters; SageMaker takes {_MAX_VALUE}.")
    return scalar


def mnist_job(*, instance_type: str = "ml.m5.xlarge", **hyperparameters: Scalar) -> JobSpec:
    """
    Describe the training of the CNN of `mnist_tracking.training`.

    Args:
        instance_type: SageMaker's instance type.
        **hyperparameters: What differs from the defaults, such as ``epochs=2``.

    Raises:
        ConfigError: If a hyperparameter is unknown or its value is wrong. Needs no torch.

    Example:
        >>> mnist_job(epochs=2, dropout=0.2).objective.metric
        'validation:accuracy'
        >>> mnist_job(epoch=2)
        Traceback (most recent call last):
        ...
        mnist_tracking.errors.ConfigError: ...
    """
    from mnist_tracking.training import entry
    from mnist_tracking.training.hyperparameters import check_overrides

    check_overrides(hyperparameters)
    return JobSpec(
        entry_point=entry.ENTRY_POINT,
        source_dir=str(entry.SOURCE_DIR),
        dependencies=(str(entry.PACKAGE_DIR),),
        hyperparameters=hyperparameters,
        metrics=entry.METRIC_REGEXES,
        objective=Objective("validation:accuracy", statistic="max"),
        instance_type=instance_type,
        check=check_overrides,
        adapter="digits",
    )
