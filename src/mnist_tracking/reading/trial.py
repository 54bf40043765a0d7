"""Trial: one configuration that was trained once, as it was recorded."""

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self, TypedDict, Unpack, cast

import attrs

from mnist_tracking._aws.account import Account
from mnist_tracking._aws.convert import INSTANCE_COUNT, INSTANCE_TYPE, code_uri, is_sdk_parameter, is_training
from mnist_tracking._aws.experiments import require_trial
from mnist_tracking._aws.findings import read_findings
from mnist_tracking._aws.jobs import ENDED, STOPPED, TIME_LIMITS, describe_job, stop_reason, time_limit
from mnist_tracking._aws.metrics import read_series, warn_of_dropped
from mnist_tracking._aws.outcomes import started_training, with_reason
from mnist_tracking._aws.search import components_of
from mnist_tracking._values.formats import Deserializer, Format, Serializer
from mnist_tracking._values.markers import PRUNED, REPORTED, STOP_REASON
from mnist_tracking._values.prices import Prices
from mnist_tracking._values.provenance import Provenance
from mnist_tracking._values.records import (
    Component,
    Metric,
    MetricSeries,
    ParameterValue,
    Status,
    last_values,
    own_copy,
    trial_name_of,
)
from mnist_tracking._values.reported import unpack_values
from mnist_tracking._values.sweeps import SweepPlace, place_in
from mnist_tracking._values.tables import Kind, Table
from mnist_tracking._values.text import html_table, named, number, printable
from mnist_tracking.reading.download.trial import TrialDownload, download_trial
from mnist_tracking.reading.lineage import Lineage, LineageTracer

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["DeployOptions", "DeployedModel", "Trial", "read_trial"]

_COMPONENT_COLUMNS: dict[str, Kind] = {
    "step": "string",
    "status": "string",
    "started": "time",
    "duration_s": "number",
    "parameters": "object",
    "inputs": "object",
    "outputs": "object",
    "metrics": "object",
}


class DeployOptions(TypedDict, total=False):
    """The keywords of `BestModelDeployer.deploy`, which describes them."""

    name: str | None
    instance_type: str | None
    instance_count: int
    entry_point: str | os.PathLike[str] | None
    source_dir: str | os.PathLike[str] | None
    image_uri: str | None
    serializer: Serializer | Format | None
    deserializer: Deserializer | Format | None
    wait: bool
    delete: bool
    timeout_s: float | None


class DeployedModel(Protocol):
    """A model behind an endpoint: what `Trial.deploy` returns, an `Endpoint`."""

    @property
    def name(self) -> str:
        """The endpoint's name."""

    def predict(self, data: Any, **options: Any) -> Any:
        """Return the model's prediction; see `Endpoint.predict`."""

    def delete(self) -> None:
        """Delete the endpoint; see `Endpoint.delete`."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: Any) -> None: ...


class _Deploys(Protocol):
    """What reading does not do itself, and the workspace that was read from does."""

    def deploy(self, target: "Trial", **options: Unpack[DeployOptions]) -> DeployedModel: ...


@attrs.frozen(repr=False)
class Trial:
    """
    One configuration, trained once, as it was recorded. A snapshot: it does not change.

    Trials come from `ExperimentRunner.run`, `SubmittedTrial.result`, a `Leaderboard`, `Workspace.trial` and
    `Workspace.trials`; ``steps``, `series`, `lineage` and `download` read more when they are used.

    Attributes:
        name: Unique in the account and region.
        experiment: The experiment it belongs to.
        status: The status of its training; None if it has no training.
        failure_reason: Why its training failed, or which time limit ended it; empty otherwise.
        hyperparameters: The hyperparameters it was trained with, decoded.
        metrics: The summary of each metric of its training, by name.
        job_name: Its training job; empty if it was trained without one.
        component_name: The trial component that recorded its training; empty if it has none.
        model_uri: Its model.tar.gz in S3, if it has a model.
        code_uri: The source archive in S3 that was trained, if known.
        created: When its training was requested; without one, when the trial was created.
        duration_s: How long its training took, in seconds; None until it ends.
        ended: When its training ended; None until then.
        non_finite: The metrics that end with a value that is not finite, and that value: ``"nan"``, ``"inf"`` or
            ``"-inf"``. Their summaries include only the finite values before it.
        dropped: By metric, how many logged values SageMaker does not have, and why.
        tails: The last finite values of each metric that has more than two, the oldest first, at most 20. They are
            recorded by the program that waits for the job; a trial without them has none. If not all metrics were read
            to their end, those that were have them also if they are shorter.
        is_checked: Whether the metrics were read to the end of the training; otherwise they may end with NaN, without
            a trace of it.
        stop_reason: Why its training was stopped, as `SubmittedTrial.stop` was called: ``"stopped on request"``,
            ``"interrupted"`` by Ctrl-C, ``"pruned at step 3 by asha"`` by a sweep, or a reason of your own; or the time
            limit that ended its job, by SageMaker's name: ``"MaxRuntimeExceeded"`` or ``"MaxWaitTimeExceeded"``,
            which boards show once a program has waited for the job. Empty if another tool stopped it.
        reported: The values of the objective of a trial of a sweep, by step, as its log showed them; recorded by the
            program that waits for the job. In the middle of a long training, some may be left out.
        instance_type: What its job ran on, such as ``"ml.m5.xlarge"``; several types are separated by commas.
        instance_count: The number of instances of its job; 0 if it was trained without one.
        billable_s: The seconds that SageMaker bills for each instance of its job. They are recorded by the program that
            waits for the job; None until then.
        provenance: The code that was trained, and what it ran in; a `mnist_tracking.types.Provenance`.
        sweep: Its place in the sweep that trained it, a `mnist_tracking.types.SweepPlace`; None if no sweep did.
        steps: Its steps, a `mnist_tracking.types.Component` each, in order of creation; read on first use, then kept.

    Example:
        >>> with Workspace.embedded() as workspace:
        ...     with ExperimentRunner(workspace, "churn").trial({"C": 1.0}, name="baseline") as recording:
        ...         for loss in (0.5, 0.25):
        ...             recording.log_metric("loss", loss)
        ...     trial = workspace.trial("baseline")
        ...     print(trial)
        ...     trial.series()["loss"].values
        trial baseline of experiment churn: Completed
          hyperparameters C = 1.0
          metrics loss = 0.25
        (0.5, 0.25)
    """

    name: str
    experiment: str
    status: Status | None
    failure_reason: str
    hyperparameters: Mapping[str, ParameterValue] = attrs.field(converter=own_copy, hash=False)
    metrics: Mapping[str, Metric] = attrs.field(converter=own_copy, hash=False)
    job_name: str
    component_name: str
    model_uri: str | None
    code_uri: str | None
    created: datetime
    duration_s: float | None
    _account: Account = attrs.field(eq=False, alias="account")
    ended: datetime | None = None
    non_finite: Mapping[str, str] = attrs.field(factory=dict, converter=own_copy, hash=False)
    dropped: Mapping[str, str] = attrs.field(factory=dict, converter=own_copy, hash=False)
    tails: Mapping[str, tuple[float, ...]] = attrs.field(factory=dict, converter=own_copy, hash=False)
    is_checked: bool = False
    stop_reason: str = ""
    instance_type: str = ""
    instance_count: int = 0
    billable_s: int | None = None
    reported: Mapping[int, float] = attrs.field(factory=dict, converter=own_copy, hash=False)
    provenance: Provenance = attrs.field(factory=Provenance)
    sweep: SweepPlace | None = None
    _is_settled: bool = attrs.field(default=False, eq=False, alias="is_settled")  # no metric is outstanding, for sure

    def __repr__(self) -> str:
        return f"<Trial {self.name!r} of {self.experiment!r}: {self.status or 'no training'}>"

    def __str__(self) -> str:
        metrics = {name: last if isinstance(last, str) else number(last) for name, last in self.last_values.items()}
        fate = ". ".join(filter(None, (self.status or "no training", self.failure_reason or self.stop_reason)))
        head = f"trial {self.name} of experiment {self.experiment}: {fate}"
        lines = [
            head,
            *named("hyperparameters", self.hyperparameters),
            *named("metrics", metrics),
        ]
        return printable("\n".join(lines))

    def _repr_html_(self) -> str:
        import pandas as pd

        row = {name: value for name, value in trial_row(self).items() if value not in ("", None)}
        return html_table(pd.DataFrame(list(row.items()), columns=["what", "value"]))

    @property
    def unchecked(self) -> list[str]:
        """The metrics that may end with NaN, without a trace of it: they were not read to the end of the training."""
        return [] if self.is_checked else sorted(self.metrics.keys() - self.tails.keys() - self.non_finite.keys())

    @property
    def is_pruned(self) -> bool:
        """Whether the pruner of a sweep stopped it."""
        return self.stop_reason.startswith(PRUNED)

    @property
    def last_values(self) -> dict[str, float | str]:
        """The last value of each metric: a number, or ``"nan"``, ``"inf"`` or ``"-inf"``."""
        return last_values(self.metrics, self.non_finite)

    @property
    def configuration(self) -> dict[str, ParameterValue]:
        """Its hyperparameters, and what its sweep has varied of the job itself, such as ``"job:instance_type"``."""
        return {**self.hyperparameters, **(self.sweep.job if self.sweep else {})}

    @property
    def prices(self) -> Prices:
        """The prices that its cost is computed with; a `mnist_tracking.types.Prices`."""
        return self._account.prices

    @property
    def cost(self) -> float | None:
        """
        What its training job costs, in US dollars: the billable seconds of its instances, at their list price.

        For an embedded SageMaker, it is what the same seconds would cost on AWS. None without a job, for an instance
        type whose price is not known, and until a program has waited for the job. See `mnist_tracking.types.Prices`.
        """
        if self.billable_s is None:
            return None
        return self.prices.cost(self.instance_type, self.instance_count, self.billable_s)

    @cached_property
    def steps(self) -> tuple[Component, ...]:
        """
        Its steps, in order of creation; read on first use, then kept.

        Raises:
            NotFoundError: If the trial was deleted.
        """
        return components_of(self._account, self.name)

    def series(self) -> dict[str, MetricSeries]:
        """
        Read every value of every metric of its steps, also while they are running.

        Where two steps have a metric of the same name, the later step's is returned. A warning is issued for each
        metric of which values were dropped, such as NaN; ``MetricSeries.dropped`` has its text.
        """
        series: dict[str, MetricSeries] = {}
        for component in components_of(self._account, self.name):
            series |= read_series(self._account, component)
        warn_of_dropped(self.name, [one.dropped for one in series.values() if one.dropped])
        return series

    def lineage(self) -> Lineage:
        """Trace what went into its model, and what was made from it, as ``LineageTracer(workspace).trace(trial)``."""
        return LineageTracer(self._account).trace(self.name)

    def deploy(self, **options: Unpack[DeployOptions]) -> DeployedModel:
        """
        Deploy its model to an endpoint, as ``BestModelDeployer(workspace).deploy(trial)`` does.

        Args:
            **options: The keywords of `BestModelDeployer.deploy`.

        Returns:
            The `Endpoint`. Leaving its ``with`` block deletes it.
        """
        return cast("_Deploys", self._account).deploy(self, **options)

    def download(self, directory: str | os.PathLike[str], *, model_only: bool = False) -> TrialDownload:
        """
        Write its files to a folder: its model, its job's other output and log, and the artifacts of its steps.

        ``model/`` contains the unpacked model, ``output/`` what the script left in ``SM_OUTPUT_DATA_DIR``,
        ``artifacts/`` the other files of the training, ``steps/<name>/artifacts/`` those of the other steps, and
        ``log.txt`` the job's log. ``trial.json``, the record, is written last: a folder that contains it is complete.
        Another call fetches what is new or has changed, and deletes files of earlier downloads that the trial no longer
        has. Nothing is written outside the folder.

        Args:
            directory: The folder: a new one, an empty one, or that of an earlier download of this trial.
            model_only: Whether to download only the model.

        Raises:
            ConfigError: If *directory* is a file, cannot be created, or contains files that no download of this trial
                wrote. Nothing was changed.
            StateError: If *model_only* is true and the trial has no model; if an archive is damaged, or would write
                outside its folder; if the disk is full; or if another download is writing to the folder.
            NotFoundError: If *model_only* is true and the model is no longer in S3. Otherwise ``missing`` lists the
                files that are no longer there.
            AccessDeniedError: If you are not allowed to read something; the message names it.

        Example:
            >>> from pathlib import Path
            >>> workspace = Workspace.embedded()
            >>> with ExperimentRunner(workspace, "churn").trial(name="baseline") as recording:
            ...     _ = Path("weights.txt").write_text("0.5")
            ...     _ = recording.log_model("weights.txt")
            >>> found = workspace.trial("baseline").download("baseline")
            >>> found.model, (found.model / "weights.txt").read_text()
            (PosixPath('baseline/model'), '0.5')
            >>> workspace.trial("baseline").download("baseline").fetched
            0
            >>> workspace.close()
        """
        return download_trial(self._account, self, directory, model_only=model_only)

    def dataframe(self) -> "pd.DataFrame":
        """Return a row per step: step, status, started, duration_s, parameters, inputs, outputs and metrics."""
        return component_table(self.steps).dataframe()


def trial_from_component(
    account: Account, component: Component, name: str, experiment: str | None = None, *, is_settled: bool = False
) -> Trial:
    """Return a trial from the component that recorded its training, which may belong to other trials as well."""
    outputs = {artifact.name: artifact.uri for artifact in component.outputs}
    status: Status = component.status or "InProgress"
    ended, started = component.ended, component.started
    reason = str(component.parameters.get(STOP_REASON, "")) if status in STOPPED else ""
    limit = reason if reason in TIME_LIMITS else ""
    return Trial(
        name=name,
        experiment=experiment or dict(component.parents).get(name, ""),
        status=status,
        failure_reason=component.message if status == "Failed" else limit and f"{limit}: its job reached a time limit",
        hyperparameters={k: v for k, v in component.parameters.items() if not is_sdk_parameter(k)},
        metrics=component.metrics,
        non_finite=component.non_finite,
        dropped=component.dropped,
        tails=component.tails,
        is_checked=component.is_checked,
        stop_reason=reason,
        reported=unpack_values(str(component.parameters.get(REPORTED, ""))),
        instance_type=str(component.parameters.get(INSTANCE_TYPE, "")),
        instance_count=int(str(component.parameters.get(INSTANCE_COUNT, 0))),
        billable_s=component.billable_s,
        job_name=component.job_name or "",
        component_name=component.name,
        model_uri=outputs.get("SageMaker.ModelArtifact"),
        code_uri=code_uri(component),
        created=component.created,
        duration_s=(ended - started).total_seconds() if ended and started else None,
        ended=ended,
        provenance=component.provenance,
        sweep=place_in(component.parameters),
        account=account,
        is_settled=is_settled,
    )


TrialStatus = Literal["completed", "pruned", "stopped", "failed", "running"]
"""How a trial has ended, where pruning is told apart from other stops; or that it has not."""

_STATUSES: Mapping[str | None, TrialStatus] = {"Completed": "completed", "Stopped": "stopped", "Failed": "failed"}


def status_of(trial: Trial) -> TrialStatus:
    """Return how a trial has ended, or ``"running"``."""
    return "pruned" if trial.is_pruned else _STATUSES.get(trial.status, "running")


def is_trained(trial: Trial) -> bool:
    """Whether the training of a trial has completed, or was ended by a time limit of its job; this may need a call."""
    if trial.status != "Stopped" or trial.stop_reason or not trial.job_name:
        return trial.status == "Completed" or trial.stop_reason in TIME_LIMITS
    return bool(time_limit(describe_job(trial._account, trial.job_name)))  # nobody has waited for the job


def with_log_checked(trial: Trial) -> Trial:
    """Return a trial with what the log of its job shows of its metrics; unchanged if it is running or has no log."""
    if not trial.job_name or trial.status not in ENDED:
        return trial
    account, job = trial._account, describe_job(trial._account, trial.job_name)
    findings = read_findings(account, job, trial.metrics)
    return attrs.evolve(
        trial,
        non_finite=findings.non_finite,
        dropped=findings.dropped,
        tails={**trial.tails, **findings.tails},
        reported=findings.reported or trial.reported,
        is_checked=findings.is_complete,
        stop_reason=stop_reason(account, job, trial.stop_reason),
    )


def read_trial(account: Account, name: str) -> Trial:
    """
    Read one trial; see `Workspace.trial`.

    Raises:
        NotFoundError: If it does not exist; the error lists the nearest names.
    """
    listed = require_trial(account, trial_name_of(name))
    steps = components_of(account, listed.name)
    trainings = [step for step in steps if is_training(step)]
    training = trainings[-1] if trainings else started_training(account, listed.name, listed.experiment)
    if training is not None:
        trial = trial_from_component(account, with_reason(account, training), listed.name, listed.experiment)
    else:
        trial = Trial(
            name=listed.name,
            experiment=listed.experiment,
            status=None,
            failure_reason="",
            hyperparameters={},
            metrics={},
            job_name="",
            component_name="",
            model_uri=None,
            code_uri=None,
            created=listed.created,
            duration_s=None,
            account=account,
        )
    return trial


def logged_metrics(trials: Iterable[Trial]) -> set[str]:
    """Return the names of all metrics that trials have logged, those without a finite value included."""
    return {name for trial in trials for name in trial.last_values}


def last_columns(trial: Trial) -> dict[str, float]:
    """Return the last value of each metric, by its column in tables; NaN for any that is not finite."""
    last = trial.last_values.items()
    return {f"metric.{name}.last": math.nan if isinstance(value, str) else value for name, value in last}


def trial_row(trial: Trial) -> dict[str, object]:
    """Return what a trial is in a table: its last metrics and its hyperparameters, by tidy names."""
    return {
        "trial": trial.name,
        "experiment": trial.experiment,
        "status": trial.status,
        "created": trial.created,
        "duration_s": trial.duration_s,
        "non_finite": ", ".join(f"{name}={value}" for name, value in sorted(trial.non_finite.items())),
        "is_checked": trial.is_checked,
        **{f"param.{name}": value for name, value in trial.configuration.items()},
        **last_columns(trial),
        "failure_reason": trial.failure_reason,
        "stop_reason": trial.stop_reason,
    }


def trial_table(trials: Sequence[Trial]) -> Table:
    """Return the table of trials, as a search returns it."""
    columns: dict[str, Kind] = {
        "trial": "string",
        "experiment": "string",
        "status": "string",
        "created": "time",
        "duration_s": "number",
        "non_finite": "string",
        "is_checked": "boolean",
        **parameter_columns(trials),
        **{f"metric.{name}.last": "number" for name in sorted(logged_metrics(trials))},
        "failure_reason": "string",
        "stop_reason": "string",
    }
    return Table(columns, [trial_row(trial) for trial in trials])


def parameter_columns(trials: Iterable[Trial]) -> dict[str, Kind]:
    """Return the columns of the trials' hyperparameters, by name."""
    names = {name for trial in trials for name in trial.configuration}
    return {f"param.{name}": "value" for name in sorted(names)}


def component_table(components: Iterable[Component]) -> Table:
    """Return the table of steps."""
    return Table(_COMPONENT_COLUMNS, [component_row(component) for component in components])


def component_row(component: Component) -> dict[str, object]:
    """Return what a step is in a frame."""
    is_over = component.ended and component.started
    return {
        "step": component.display_name,
        "status": component.status,
        "started": component.started,
        "duration_s": (component.ended - component.started).total_seconds() if is_over else None,  # type: ignore[operator]
        "parameters": dict(component.parameters),
        "inputs": {artifact.name: artifact.uri for artifact in component.inputs},
        "outputs": {artifact.name: artifact.uri for artifact in component.outputs},
        "metrics": component.last_values,
    }
