"""What to train and what counts: job specifications, metric definitions and the objective."""

import difflib
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeGuard

import attrs

from mnist_tracking._values.arguments import VARIABLE, is_pattern, parsed
from mnist_tracking._values.checks import (
    check_choice,
    check_count,
    check_mappings,
    check_string,
    check_strings,
    copied,
    is_in_s3,
    is_instance,
    path_text,
    path_texts,
)
from mnist_tracking._values.dotted import check_dotted
from mnist_tracking._values.exact import exact_hyperparameters
from mnist_tracking._values.metric_lines import compile_regex
from mnist_tracking._values.recordable import check_key, check_mapping, metric_regex, recordable
from mnist_tracking._values.records import ParameterValue
from mnist_tracking._values.tally import LONGEST_TAIL
from mnist_tracking._values.text import did_you_mean, short_repr
from mnist_tracking.errors import ConfigError

if TYPE_CHECKING:
    import sagemaker.inputs

__all__ = ["JobSpec", "MetricDefinition", "Objective"]

Goal = Literal["maximize", "minimize"]
JobInput: TypeAlias = "str | os.PathLike[str] | sagemaker.inputs.TrainingInput | sagemaker.inputs.FileSystemInput"
Statistic: TypeAlias = str
"""Which value of a series counts: ``"last"``, ``"max"``, ``"min"``, ``"avg"``, or ``"last-5-mean"``, for 2 to 20."""

_STATISTICS = ("last", "max", "min", "avg")
_LAST_MEAN = re.compile(r"last-([1-9][0-9]?)-mean")
_MAX_REGEX = 500
_MAX_METRICS = 40
_MAX_HYPERPARAMETERS = 93  # SageMaker allows 100, its SDK needs five; the code's provenance and a sweep one each
_LAUNCHERS = 2  # hyperparameters of a job with arguments: its script and their template
_MAX_TEMPLATE = 2500  # characters of a hyperparameter, in which the template is sent
_CHANNEL_VARIABLE = "SM_CHANNEL_"
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
            groups = compile_regex(self.regex).groups
        except ValueError as error:
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
        statistic: Which value of the series counts: ``"last"``, ``"max"``, ``"min"`` or ``"avg"``, which should be the
            value of the weights that are saved; or ``"last-5-mean"``, the mean of the last five values, or of up to 20.
            A mean varies less from run to run than a single value.

    Raises:
        ConfigError: If one of them is not allowed.

    Example:
        >>> Objective("validation:loss", goal="minimize").statistic
        'last'
        >>> Objective("validation:accuracy", statistic="last-5-mean").window
        5
    """

    metric: str
    goal: Goal = attrs.field(default="maximize", kw_only=True)
    statistic: Statistic = attrs.field(default="last", kw_only=True)

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.metric, str) or not self.metric:
            raise ConfigError(f"metric={self.metric!r}; expected the name of a metric, such as 'test:accuracy'.")
        check_key("metric", self.metric)
        check_choice("goal", self.goal, ("maximize", "minimize"))
        if self.statistic not in _STATISTICS and not (self.window and 2 <= self.window <= LONGEST_TAIL):
            raise ConfigError(
                f"statistic={self.statistic!r}; expected one of {', '.join(map(repr, _STATISTICS))}, or "
                f"'last-5-mean' with a number from 2 to {LONGEST_TAIL}."
            )

    @property
    def window(self) -> int | None:
        """How many of the last values a mean is of; None for every other statistic."""
        found = _LAST_MEAN.fullmatch(self.statistic) if isinstance(self.statistic, str) else None
        return int(found[1]) if found else None

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


def _template(arguments: Iterable[str] | None) -> tuple[str, ...] | None:
    if arguments is None:
        return None
    if isinstance(arguments, str) or not isinstance(arguments, Iterable):
        raise ConfigError(
            f"arguments={short_repr(arguments)}; expected a list of strings, such as ['fit', '{{}}={{}}']."
        )
    template = tuple(arguments)
    for argument in template:
        _check_argument(argument)
    if len(json.dumps(template)) > _MAX_TEMPLATE:
        raise ConfigError(
            f"The arguments are longer than {_MAX_TEMPLATE} characters. Put them into a configuration file."
        )
    return template


def _check_argument(argument: object) -> None:
    if not isinstance(argument, str):
        raise ConfigError(f"The argument {short_repr(argument)} is not a string; write numbers as '1'.")
    if "\0" in argument:
        raise ConfigError(f"The argument {short_repr(argument)} is not allowed: it has a null character.")
    try:
        parsed(argument)
    except ValueError as error:
        raise ConfigError(
            f"The argument {argument!r} is not allowed: {error}. Write {{{{ and }}}} for braces."
        ) from None


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


_PROGRAM = re.compile(r"[A-Za-z0-9._][A-Za-z0-9._+-]*(/[A-Za-z0-9._+-]+)*")
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
    """Check that the script exists, unless it is in S3, and can be run; ConfigError otherwise."""
    if source_dir is not None and source_dir.startswith("s3://"):
        return
    if source_dir is not None and not os.path.isdir(source_dir):
        raise ConfigError(f"source_dir {source_dir!r} is not a folder.")
    script = Path(source_dir or "", entry_point)
    if not os.path.isfile(script):
        raise ConfigError(f"The entry point {str(script)!r} does not exist.{_scripts_near(script, source_dir)}")
    if source_dir is not None:
        _check_place(entry_point, source_dir)
    program = script.name if source_dir is None else entry_point
    if not _PROGRAM.fullmatch(program):
        raise ConfigError(
            f"The entry point {program!r} is not allowed: SageMaker's toolkit runs scripts whose names have letters, "
            "digits, '.', '_', '+', '-' and '/', and do not begin with '-'."
        )


def _scripts_near(script: Path, source_dir: str | None) -> str:
    """Return a hint: the scripts in the folder of one that does not exist."""
    inner = Path(os.path.relpath(script, source_dir)) if source_dir is not None else script
    if source_dir is not None and os.path.isfile(inner) and inner.is_relative_to(os.path.normpath(source_dir)):
        return f" entry_point is relative to source_dir: pass {str(inner.relative_to(os.path.normpath(source_dir)))!r}."
    beside = sorted(path.name for path in script.parent.glob("*.py")) if os.path.isdir(script.parent) else []
    near = difflib.get_close_matches(script.name, beside, n=3, cutoff=0.3) or beside[:5]
    return f" Scripts in that folder: {', '.join(map(repr, near))}." if near else ""


def _check_place(entry_point: str, source_dir: str) -> None:
    """Check the place of a script in the folder that is sent with it."""
    if os.path.isabs(entry_point) or ".." in Path(entry_point).parts:
        inner = os.path.relpath(Path(source_dir, entry_point), source_dir)
        example = "train.py" if inner.startswith("..") else inner
        raise ConfigError(
            f"The entry point {entry_point!r} is not below the job's copy of source_dir; expected a path relative to "
            f"{source_dir!r}, such as {example!r}."
        )
    is_nested_module = len(Path(entry_point).parts) > 1 and not entry_point.endswith(".sh")
    if is_nested_module and os.path.isfile(Path(source_dir, "setup.py")):
        raise ConfigError(
            f"source_dir {source_dir!r} has a setup.py, so SageMaker runs the entry point as a module, which "
            f"{entry_point!r} cannot be. Pass source_dir={str(Path(source_dir, entry_point).parent)!r} and "
            f"entry_point={Path(entry_point).name!r}, or a script at the top of source_dir."
        )


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
    """Check that inputs are S3 locations, local paths or the SDK's own inputs, by channel; ConfigError otherwise."""
    for channel, given in inputs.items():
        _channel(channel)
        if is_local(given):
            if not os.path.exists(given):
                raise ConfigError(f"The input {channel!r} does not exist: {str(given)!r} is not a file or folder.")
        elif not is_in_s3(given) and not is_instance(given, "sagemaker.inputs", "TrainingInput", "FileSystemInput"):
            raise ConfigError(
                f"The input {channel!r} is {short_repr(given)}; expected an S3 location, 's3://bucket/prefix', the "
                "path of a folder or file, or an input of sagemaker.inputs."
            )
    check_cases("channel", inputs, "SM_CHANNEL")


def is_local(given: object) -> TypeGuard[str | os.PathLike[str]]:
    """Whether an input is a path of this machine."""
    is_path = isinstance(given, str | os.PathLike) and isinstance(os.fspath(given), str) and bool(os.fspath(given))
    return is_path and "://" not in str(given)


def check_cases(what: str, names: Iterable[str], variable: str) -> None:
    """Check that no two names differ in case alone, since their variables are in upper case; ConfigError otherwise."""
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(name.upper(), name)
        if other != name:
            raise ConfigError(
                f"The {what} names {other!r} and {name!r} differ in case alone: in the job, both would be "
                f"{variable}_{name.upper()}."
            )


def _check_git(estimator: Mapping[str, object]) -> None:
    """Reject the SDK's own clones: it sends what is in their ``.git``, a token included, and leaves them behind."""
    if "git_config" in estimator:
        raise ConfigError(
            "JobSpec(estimator={'git_config': ...}) is not allowed. Clone the repository, and pass the clone as "
            "source_dir=; its commit is then recorded with each trial."
        )


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
        known = f"it has none. Add {metric!r} to metrics=; with its regular expression, unless log_metric logs it."
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
        arguments: A template of the script's arguments, in place of ``--name value`` for each hyperparameter. In each
            argument, ``{lr}`` is the hyperparameter ``lr``, and ``{SM_CHANNEL_TRAIN}`` an environment variable of the
            container. ``{amp:--amp}`` is ``--amp`` if the hyperparameter ``amp`` is true, and ``{amp:--amp|--no-amp}``
            is ``--no-amp`` otherwise. ``{}={}`` becomes one argument, with name and value, for each hyperparameter that
            no other argument mentions. An argument is left out if its hyperparameter is None, or if it consists of a
            flag that is off.
        metrics: Names of metrics, if the script records them with `mnist_tracking.job.log_metric`; otherwise a mapping
            of names to the regular expressions that find them in the log, or metric definitions.
        objective: What makes one trial better than another, if known: one of *metrics*. Only a job with *image_uri*
            may leave *metrics* out, since the algorithm of an image may define its own.
        inputs: By channel name: S3 locations, folders or files of this machine, or the SDK's own ``TrainingInput`` and
            ``FileSystemInput``. Folders and files are uploaded when a trial needs them; unchanged ones not again.
        instance_type: The SageMaker instance type.
        instance_count: The number of hosts.
        framework_version: The version of the PyTorch container.
        py_version: The Python version of that container.
        image_uri: Your own container image, in place of the PyTorch container.
        environment: Environment variables of the job.
        max_run_s: The maximum run time of the job, in seconds, after which SageMaker stops it. The default is
            SageMaker's, 24 hours; on AWS, a job that hangs costs money until then.
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
    hyperparameters: Mapping[str, ParameterValue] = attrs.field(factory=dict, converter=copied, hash=False)
    arguments: tuple[str, ...] | None = attrs.field(default=None, converter=_template)
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
    check: Callable[[Mapping[str, ParameterValue]], object] | None = attrs.field(default=None, eq=False, repr=False)
    required_inputs: tuple[str, ...] = attrs.field(default=(), converter=channels)
    dataset_reader: str | None = None
    adapter: str | None = None

    def __attrs_post_init__(self) -> None:
        check_mappings(environment=self.environment, estimator=self.estimator)
        _check_git(self.estimator)
        check_files(self.entry_point, self.source_dir)
        if self.arguments is not None and self.source_dir is not None and self.source_dir.startswith("s3://"):
            raise ConfigError("arguments=... needs a local source_dir: a launcher is packed with the code.")
        check_mappings(hyperparameters=self.hyperparameters, inputs=self.inputs)
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

    def merged(self, hyperparameters: Mapping[str, ParameterValue]) -> dict[str, ParameterValue]:
        """
        Return the job's hyperparameters, overridden by a trial's own, as Python scalars.

        Raises:
            ConfigError: If a name or a value cannot be sent, or the job's own check rejects one.
        """
        check_mapping("hyperparameter", hyperparameters)
        together = {**self.hyperparameters, **hyperparameters}
        merged = {name: recordable("hyperparameter", name, value) for name, value in together.items()}
        sent = len(merged) + len(exact_hyperparameters(merged)) + (0 if self.arguments is None else _LAUNCHERS)
        if sent > _MAX_HYPERPARAMETERS:
            raise ConfigError(f"{sent} hyperparameters; SageMaker allows {_MAX_HYPERPARAMETERS}.")
        check_cases("hyperparameter", merged, "SM_HP")
        self._check_arguments(merged)
        if self.check is not None:
            self.check(merged)
        return merged

    def _check_arguments(self, hyperparameters: Mapping[str, ParameterValue]) -> None:
        """Check that the arguments mention every hyperparameter, and nothing else."""
        if not self.arguments:  # none at all, for a script that reads SM_HPS
            return
        parts = [part for argument in self.arguments for part in parsed(argument)]
        for part in parts:
            if part.name:
                _check_placeholder(part.name, part.choice, hyperparameters)
        unsaid = sorted(hyperparameters.keys() - {part.name for part in parts})
        if unsaid and not is_pattern(parts):
            raise ConfigError(
                f"The hyperparameter {unsaid[0]!r} is in none of the arguments, so the script would not get it. Add "
                f"'{{{unsaid[0]}}}', or '{{}}={{}}' for all others; '{{{unsaid[0]}:|}}' passes nothing."
            )

    def inputs_with(self, data_uri: str | None) -> dict[str, JobInput]:
        """
        Return the inputs of a trial: the job's own, and the experiment's data unless the job has that channel.

        Raises:
            ConfigError: If a required input is missing; the message shows how to pass it.
        """
        data: dict[str, JobInput] = {} if data_uri is None else {DATA: data_uri}
        inputs = {**data, **self.inputs}
        check_cases("channel", inputs, "SM_CHANNEL")
        for channel in self.required_inputs:
            if channel not in inputs:
                raise ConfigError(f"{self.entry_point!r} needs the input {channel!r}. {_how_to_pass(channel)}")
        variables = {f"{_CHANNEL_VARIABLE}{channel.upper()}" for channel in inputs}
        for part in (part for argument in self.arguments or () for part in parsed(argument)):
            if part.name and part.name.startswith(_CHANNEL_VARIABLE) and part.name not in variables:
                channel = part.name.removeprefix(_CHANNEL_VARIABLE).lower()
                raise ConfigError(f"The arguments need the input {channel!r}. {_how_to_pass(channel)}")
        return inputs


def _check_placeholder(name: str, choice: str, hyperparameters: Mapping[str, ParameterValue]) -> None:
    if name not in hyperparameters:
        if choice or not name.startswith(VARIABLE):
            raise ConfigError(f"The arguments mention {name!r}, which is not a hyperparameter of the trial.")
    elif choice.strip("|") and not isinstance(hyperparameters[name], bool | None):
        value, placeholder = short_repr(hyperparameters[name]), f"{{{name}:{choice}}}"
        raise ConfigError(
            f"The hyperparameter {name!r} is {value}; its argument, {placeholder!r}, needs True or False."
        )


def _how_to_pass(channel: str) -> str:
    spec = f"JobSpec(inputs={{{channel!r}: 's3://bucket/prefix'}}), or the path of a folder"
    if channel != DATA:
        return f"Pass it with {spec}."
    return f"Call the runner's prepare_dataset(), upload_dataset() or use_dataset() first, or pass it with {spec}."
