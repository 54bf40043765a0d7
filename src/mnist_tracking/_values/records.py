"""Frozen records of what is stored, decoded to plain Python values."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Protocol, overload

import attrs

from mnist_tracking._values.markers import BILLABLE, CHECKED, DROPPED, NON_FINITE, RESERVED, TAIL, marked
from mnist_tracking._values.provenance import Provenance
from mnist_tracking._values.recordable import ParameterValue as ParameterValue
from mnist_tracking._values.tables import Kind, Table
from mnist_tracking._values.text import html_table, plural
from mnist_tracking.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Artifact",
    "Component",
    "ExperimentSummary",
    "ListedTrial",
    "Metric",
    "MetricPoint",
    "MetricSeries",
    "NamedTrial",
    "ParameterValue",
    "Status",
    "Update",
    "trial_name_of",
]

Status = Literal["InProgress", "Completed", "Failed", "Stopping", "Stopped"]


def own_copy(values: Mapping[Any, Any]) -> Mapping[Any, Any]:
    """Return a record's own copy of a mapping, so that nobody else changes it."""
    return dict(values)


class NamedTrial(Protocol):
    """A trial in any form: `Trial`, `SubmittedTrial` or `LocalTrial`."""

    @property
    def name(self) -> str:
        """The trial's name, unique in the account and region."""

    @property
    def experiment(self) -> str:
        """The name of its experiment."""


def trial_name_of(trial: NamedTrial | str) -> str:
    """
    Return the name of a trial, given the trial or the name itself.

    Raises:
        ConfigError: If it is neither.
    """
    if isinstance(trial, str) and trial:
        return trial
    name, experiment = (getattr(trial, attribute, None) for attribute in ("name", "experiment"))
    if not isinstance(name, str) or not isinstance(experiment, str):
        raise ConfigError(f"{trial!r} is not a trial. Pass a trial, or its name.")
    return name


@attrs.frozen
class Metric:
    """
    SageMaker's summary of the values of a metric.

    Attributes:
        name: Such as ``"validation:accuracy"``.
        last: The last value.
        min: The smallest value.
        max: The largest value.
        avg: The mean.
        std_dev: The sample standard deviation (n - 1); 0.0 for a single value.
        count: The number of values.
    """

    name: str
    last: float
    min: float
    max: float
    avg: float
    std_dev: float
    count: int

    def statistic(self, name: str) -> float:
        """Return one of the statistics: ``last``, ``min``, ``max`` or ``avg``."""
        return float(getattr(self, name))


def last_values(metrics: Mapping[str, Metric], non_finite: Mapping[str, str]) -> dict[str, float | str]:
    """Return the last value of each metric: a number, or what a metric ends with that is not finite."""
    last: dict[str, float | str] = {name: metric.last for name, metric in metrics.items()}
    return dict(sorted({**last, **non_finite}.items()))


@attrs.frozen
class MetricPoint:
    """
    One value of a metric.

    Attributes:
        metric: The metric's name, such as ``"validation:accuracy"``.
        step: The step that it was logged with, as by ``log_metric(step=)``. For a printed value without one, it is the
            epoch that the script printed last, on the same line or before it; without epochs the step that it printed
            last; without steps the number of values of the metric so far, from 1. Several values may have one step.
        value: The value.
        time: When it was logged; None if the service does not report it.
    """

    metric: str
    step: int
    value: float
    time: datetime | None


@attrs.frozen
class Update:
    """
    What is new about a submitted trial since the last call of `SubmittedTrial.watch`.

    Attributes:
        status: The job's status now.
        secondary_status: What the job does now, such as ``"Downloading"``.
        points: The values of its metrics that were logged since then, oldest first.
        lines: The lines of its log since then, oldest first.
        is_ended: Whether the job has ended and its log was read to the end: nothing more will come.
    """

    status: Status
    secondary_status: str
    points: tuple[MetricPoint, ...]
    lines: tuple[str, ...]
    is_ended: bool


@attrs.frozen(repr=False)
class MetricSeries(Sequence[MetricPoint]):
    """
    All finite values of one metric, in the order they were logged.

    Attributes:
        name: Such as ``"train:loss"``.
        points: The values.
        non_finite: ``"nan"``, ``"inf"`` or ``"-inf"`` if that was logged last; empty if a finite value was.
        dropped: How many logged values are missing here and in SageMaker, and why; empty if none are.
    """

    name: str
    points: tuple[MetricPoint, ...]
    non_finite: str = ""
    dropped: str = ""

    @overload
    def __getitem__(self, index: int) -> MetricPoint: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[MetricPoint]: ...
    def __getitem__(self, index: int | slice) -> MetricPoint | Sequence[MetricPoint]:
        return self.points[index]

    def __len__(self) -> int:
        return len(self.points)

    def __repr__(self) -> str:
        then = f", then {self.non_finite}" if self.non_finite else ""
        return f"<MetricSeries {self.name!r}: {plural(len(self), 'value')}, the last {list(self.values[-3:])}{then}>"

    @property
    def values(self) -> tuple[float, ...]:
        """The bare values."""
        return tuple(point.value for point in self.points)

    def _repr_html_(self) -> str:
        return html_table(self.dataframe())

    def dataframe(self) -> "pd.DataFrame":
        """Return a row per value, with the columns step, value and time."""
        columns: dict[str, Kind] = {"step": "integer", "value": "number", "time": "time"}
        return Table(columns, [{name: getattr(point, name) for name in columns} for point in self.points]).dataframe()


@attrs.frozen
class Artifact:
    """
    An input or output of a step.

    Attributes:
        name: Its name in the step, such as ``"training"``.
        uri: Where it is, such as ``"s3://bucket/key"``.
        media_type: Its media type, if one was recorded.
    """

    name: str
    uri: str
    media_type: str | None = None


@attrs.frozen
class Component:
    """
    One tracked step: a SageMaker trial component.

    Attributes:
        name: Unique in the account and region.
        arn: Its ARN.
        display_name: What kind of step it is, such as ``"Training"``.
        status: Its status; None if it was never set.
        message: Why it failed, if it did.
        source_arn: The job that it belongs to, if any.
        created: When it was created.
        started: When the work began.
        ended: When the work ended.
        parameters: Decoded: as they were recorded, and without JSON quotes.
        inputs: Its inputs.
        outputs: Its outputs.
        metrics: By name.
        parents: The trials it belongs to, in order of attachment, each with its experiment.
        tags: Its tags.
        provenance: The code it comes from, and what it ran in.
    """

    name: str
    arn: str
    display_name: str
    status: Status | None
    message: str
    source_arn: str | None
    created: datetime
    started: datetime | None
    ended: datetime | None
    parameters: Mapping[str, ParameterValue] = attrs.field(converter=own_copy, hash=False)
    inputs: tuple[Artifact, ...]
    outputs: tuple[Artifact, ...]
    metrics: Mapping[str, Metric] = attrs.field(converter=own_copy, hash=False)
    parents: tuple[tuple[str, str], ...]
    tags: Mapping[str, str] = attrs.field(factory=dict, converter=own_copy, hash=False)
    provenance: Provenance = attrs.field(factory=Provenance, kw_only=True)

    @cached_property
    def _reserved(self) -> Mapping[str, ParameterValue]:
        """The parameters that this library has added."""
        return {name: value for name, value in self.parameters.items() if name.startswith(RESERVED)}

    @property
    def trials(self) -> tuple[str, ...]:
        """The trials it belongs to, in order of attachment."""
        return tuple(trial for trial, _ in self.parents)

    @property
    def only_trial(self) -> str | None:
        """The trial it belongs to; None if it belongs to none, or to several."""
        return self.trials[0] if len(self.parents) == 1 else None

    @property
    def experiments(self) -> tuple[str, ...]:
        """The experiments of those trials, each once."""
        return tuple(dict.fromkeys(experiment for _, experiment in self.parents))

    @property
    def non_finite(self) -> Mapping[str, str]:
        """The metrics that end with a value that is not finite, and that value: ``nan``, ``inf`` or ``-inf``."""
        return marked(self._reserved, NON_FINITE)

    @property
    def last_values(self) -> dict[str, float | str]:
        """The last value of each metric: a number, or ``"nan"``, ``"inf"`` or ``"-inf"``."""
        return last_values(self.metrics, self.non_finite)

    @property
    def dropped(self) -> Mapping[str, str]:
        """How many values SageMaker does not have of a metric, and why, by metric."""
        return marked(self._reserved, DROPPED)

    @property
    def tails(self) -> Mapping[str, tuple[float, ...]]:
        """The last finite values of each metric, the oldest first, if they were recorded; see ``Trial.tails``."""
        return {name: tuple(map(float, text.split())) for name, text in marked(self._reserved, TAIL).items()}

    @property
    def billable_s(self) -> int | None:
        """The seconds that SageMaker bills for each instance of its job; None if they were not recorded."""
        seconds = str(self.parameters.get(BILLABLE, ""))
        return int(seconds) if seconds else None

    @property
    def is_checked(self) -> bool:
        """Whether its metrics were read to the end; otherwise they may end with NaN, without a trace of it."""
        return bool(self.parameters.get(CHECKED))

    @property
    def job_name(self) -> str | None:
        """The training job that it belongs to, if any."""
        is_job = self.source_arn is not None and ":training-job/" in self.source_arn
        return self.name.removesuffix("-aws-training-job") if is_job else None


@attrs.frozen
class ExperimentSummary:
    """
    An experiment, as a search returns it. A snapshot.

    Attributes:
        name: Unique in the account and region.
        arn: Its ARN.
        description: What it was created with; may be empty.
        created: When it was created.
        tags: Its tags.
    """

    name: str
    arn: str
    description: str
    created: datetime
    tags: Mapping[str, str] = attrs.field(converter=own_copy, hash=False)


@attrs.frozen
class ListedTrial:
    """
    A trial as it was created, without its steps.

    Attributes:
        name: Unique in the account and region.
        experiment: The experiment it belongs to.
        created: When it was created.
        tags: Its tags; empty where they were not read.
    """

    name: str
    experiment: str
    created: datetime
    tags: Mapping[str, str] = attrs.field(factory=dict, converter=own_copy, hash=False)
