"""What comes back: frozen records, with everything decoded to plain Python values."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

import attrs

__all__ = ["Artifact", "Component", "Metric", "Scalar", "Status", "TrialResult"]

Scalar = str | int | float | bool | None
Status = Literal["InProgress", "Completed", "Failed", "Stopping", "Stopped"]


@attrs.frozen
class Metric:
    """
    The summary that SageMaker keeps of a metric.

    Attributes:
        name: Such as ``"validation:accuracy"``.
        last: The last value.
        min: The smallest value.
        max: The largest value.
        avg: The mean.
        std_dev: The sample standard deviation (n - 1); 0.0 for a single value.
        count: How many values there are.
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


@attrs.frozen
class Artifact:
    """
    Something that a step read or wrote.

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
    One tracked step (SageMaker's trial component), whoever made it.

    Attributes:
        name: Unique in the account and region.
        display_name: What kind of step it is, such as ``"Training"``.
        status: None if it was never said.
        message: Why it failed, if it did.
        source_arn: The job that it stands for, if any.
        created: When it was made.
        started: When the work began.
        ended: When the work ended.
        parameters: Decoded: numbers without a fraction are ints, quoted strings are unquoted.
        inputs: What it read.
        outputs: What it wrote.
        metrics: By name.
        trials: The trials it belongs to, in order of attachment.
        experiments: The experiments of those trials, once each.
        tags: Its tags.
    """

    name: str
    display_name: str
    status: Status | None
    message: str
    source_arn: str | None
    created: datetime
    started: datetime | None
    ended: datetime | None
    parameters: Mapping[str, Scalar]
    inputs: tuple[Artifact, ...]
    outputs: tuple[Artifact, ...]
    metrics: Mapping[str, Metric]
    trials: tuple[str, ...]
    experiments: tuple[str, ...]
    tags: Mapping[str, str] = attrs.field(factory=dict)

    @property
    def job_name(self) -> str | None:
        """The training job that it stands for."""
        is_job = self.source_arn is not None and ":training-job/" in self.source_arn
        return self.name.removesuffix("-aws-training-job") if is_job else None


@attrs.frozen
class TrialResult:
    """
    One configuration, trained once, as it was recorded. A snapshot: it does not change.

    Attributes:
        trial_name: Unique in the account and region.
        experiment_name: The experiment it belongs to.
        status: How its training stands.
        failure_reason: Why it failed; empty if it did not.
        hyperparameters: What it was trained with, decoded.
        metrics: By name.
        job_name: Its training job.
        component_name: The trial component that recorded its training.
        model_uri: Its model.tar.gz in S3, if there is one.
        code_uri: The source archive in S3 that was trained, if known.
        created: When its training was asked for.
        duration_s: How long the training took, in seconds; None until it ended.
    """

    trial_name: str
    experiment_name: str
    status: Status
    failure_reason: str
    hyperparameters: Mapping[str, Scalar]
    metrics: Mapping[str, Metric]
    job_name: str
    component_name: str
    model_uri: str | None
    code_uri: str | None
    created: datetime
    duration_s: float | None
