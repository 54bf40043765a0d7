"""Trial components."""

import math
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs

from mnist_tracking.embedded.faults import ValidationFault
from mnist_tracking.embedded.jobs.launcher import recover_lost_jobs
from mnist_tracking.embedded.jobs.state import MODEL
from mnist_tracking.embedded.lag import View
from mnist_tracking.embedded.registry import Call, Params, Response, serves
from mnist_tracking.embedded.services.resources import (
    check_unlinked,
    has_appeared,
    metadata_in,
    metadata_of,
    name_is_taken,
    page_of,
    present,
    require_component,
    require_experiment,
    require_trial,
    token_of,
)
from mnist_tracking.embedded.store import components as stored
from mnist_tracking.embedded.store.components import Artifact, Component, Direction, Parameter, Scope
from mnist_tracking.embedded.store.experiments import parents_of
from mnist_tracking.embedded.store.metric_summaries import MetricSummary, summaries_of, summaries_until
from mnist_tracking.embedded.store.tags import put_tags, remove_all_tags
from mnist_tracking.embedded.times import as_datetime, as_seconds

MAX_PARAMETERS = 300
MAX_ARTIFACTS = 60
_DIRECTIONS: tuple[Direction, ...] = ("Input", "Output")


@serves("sagemaker", "CreateTrialComponent")
def create_trial_component(call: Call) -> Response:
    name, now = call.params["TrialComponentName"], call.context.now()
    arn = call.context.identity.sagemaker_arn("experiment-trial-component", name)
    with call.context.store.write() as connection:
        component_id = create(connection, name, arn, now, metadata=metadata_in(call.params))
        _apply(connection, component_id, call.params, now)
        put_tags(connection, arn, call.params.get("Tags"))
    return {"TrialComponentArn": arn}


def create(connection: sqlite3.Connection, name: str, arn: str, now: float, *, metadata: str | None = None) -> int:
    """Add an empty component and return its id. A name that is taken raises AWS's error."""
    if stored.find_component(connection, name) is not None:
        raise name_is_taken("Trial component", name)
    return stored.add_component(connection, name, arn, now, metadata=metadata)


@serves("sagemaker", "UpdateTrialComponent")
def update_trial_component(call: Call) -> Response:
    with call.context.store.write() as connection:
        found = require_component(connection, call.params["TrialComponentName"], call.context)
        _apply(connection, found.id, call.params, call.context.now())
    return {"TrialComponentArn": found.arn}


def _apply(connection: sqlite3.Connection, component_id: int, params: Params, now: float) -> None:
    """Merge the members of a request into a component. Removals are applied last, as by the service."""
    started, ended = (as_seconds(params[name]) if name in params else None for name in ("StartTime", "EndTime"))
    display_name = params.get("DisplayName")
    stored.update_component(connection, component_id, now, display_name=display_name, started=started, ended=ended)
    if status := params.get("Status"):
        stored.put_status(connection, component_id, status.get("PrimaryStatus"), status.get("Message"))
    put_parameters(connection, component_id, params.get("Parameters", {}))
    stored.remove_parameters(connection, component_id, params.get("ParametersToRemove", ()))
    for direction in _DIRECTIONS:
        put_artifacts(connection, component_id, direction, params.get(f"{direction}Artifacts", {}))
        removed = params.get(f"{direction}ArtifactsToRemove", ())
        stored.remove_artifacts(connection, component_id, direction, removed)
    check_limits(connection, component_id)


def put_parameters(
    connection: sqlite3.Connection, component_id: int, parameters: Mapping[str, Mapping[str, Any]]
) -> None:
    """Set parameters, each ``{"NumberValue": ...}`` or ``{"StringValue": ...}``."""
    found = [Parameter(name, _number(name, value), value.get("StringValue")) for name, value in parameters.items()]
    stored.put_parameters(connection, component_id, found)


def _number(name: str, value: Mapping[str, Any]) -> float | None:
    if "NumberValue" not in value:
        return None
    number = float(value["NumberValue"])
    if not math.isfinite(number):
        raise ValidationFault(f"The value {number} of the parameter {name!r} is not a finite number.")
    return number


def put_artifacts(
    connection: sqlite3.Connection, component_id: int, direction: Direction, artifacts: Mapping[str, Mapping[str, str]]
) -> None:
    """Set input or output artifacts, each ``{"Value": ...}``, optionally with ``"MediaType"``."""
    found = [Artifact(name, value["Value"], value.get("MediaType")) for name, value in artifacts.items()]
    stored.put_artifacts(connection, component_id, direction, found)


def check_limits(connection: sqlite3.Connection, component_id: int) -> None:
    """Raise AWS's error if a component has too many parameters or artifacts."""
    for most, what, used in (
        (MAX_PARAMETERS, "parameters", stored.count_parameters(connection, component_id)),
        (MAX_ARTIFACTS, "input artifacts", stored.count_artifacts(connection, component_id, "Input")),
        (MAX_ARTIFACTS, "output artifacts", stored.count_artifacts(connection, component_id, "Output")),
    ):
        if used > most:
            raise ValidationFault(
                f"A trial component can have at most {most} {what}; with this request it would have {used}."
            )


@serves("sagemaker", "DescribeTrialComponent")
def describe_trial_component(call: Call) -> Response:
    recover_lost_jobs(call.context.store, call.context.now())
    with call.context.store.snapshot() as connection:
        found = require_component(connection, call.params["TrialComponentName"], call.context)
        jobs = stored.jobs_of_run(connection, found.id)
        sources = [{"SourceArn": arn, "SourceType": kind} for arn, kind in jobs]
        (described,) = describe(connection, [found], call.context.view)
        return {**described, **present(Sources=sources or None)}


def describe(connection: sqlite3.Connection, components: Sequence[Component], view: View) -> list[Response]:
    """Build the members that DescribeTrialComponent and Search return of each, with the same few statements."""
    ids = [found.id for found in components]
    parameters, artifacts = stored.parameters_of(connection, ids), stored.artifacts_of(connection, ids)
    summaries = summaries_of(connection, ids)
    return [
        {
            **_common(found, view),
            **present(Source=_source(found), MetadataProperties=metadata_of(found.metadata)),
            "Parameters": {name: _value(number, string) for _, name, number, string in parameters[found.id]},
            **_artifacts(found, artifacts[found.id], view),
            "Metrics": [_metric(found, summary) for summary in _shown(connection, found, summaries[found.id], view)],
        }
        for found in components
    ]


def _value(number: float | None, string: str | None) -> Response:
    if number is None:
        return {} if string is None else {"StringValue": string}
    return {"NumberValue": number} if string is None else {"NumberValue": number, "StringValue": string}


def _shows_end(found: Component, view: View) -> bool:
    """Whether a component shows how its job ended; those without a job are never late."""
    return found.source_arn is None or view.shows("outcomes", found.name, found.ended)


def _shown(
    connection: sqlite3.Connection, found: Component, summaries: Iterable[MetricSummary], view: View
) -> Iterable[MetricSummary]:
    """Return what a component shows of the statistics of its metrics; only those of a job are ever late."""
    if found.source_arn is None or not view.lag.metrics_s:
        return summaries
    return summaries_until(connection, found.id, lambda metric: view.until("metrics", f"{found.name}/{metric}"))


def _source(found: Component) -> Response | None:
    return present(SourceArn=found.source_arn, SourceType=found.source_type) if found.source_arn else None


def _common(found: Component, view: View) -> Response:
    """Build the members that every operation returns."""
    if not _shows_end(found, view):
        found = attrs.evolve(found, status="InProgress", message=None, ended=None)
    return present(
        TrialComponentName=found.name,
        TrialComponentArn=found.arn,
        DisplayName=found.display_name,
        Status=present(PrimaryStatus=found.status, Message=found.message) or None,
        StartTime=None if found.started is None else as_datetime(found.started),
        EndTime=None if found.ended is None else as_datetime(found.ended),
        CreationTime=as_datetime(found.created),
        LastModifiedTime=as_datetime(found.modified),
        CreatedBy={},
        LastModifiedBy={},
    )


def _artifacts(
    found: Component, artifacts: Iterable[tuple[int, Direction, str, str, str | None]], view: View
) -> Response:
    shown: dict[str, Response] = {f"{direction}Artifacts": {} for direction in _DIRECTIONS}
    for _, direction, name, value, media_type in artifacts:
        if direction == "Input" or name != MODEL or _shows_end(found, view):
            shown[f"{direction}Artifacts"][name] = present(MediaType=media_type, Value=value)
    return shown


def _metric(found: Component, summary: MetricSummary) -> Response:
    return {
        "MetricName": summary.name,
        "SourceArn": found.source_arn or found.arn,
        "TimeStamp": as_datetime(summary.timestamp),
        "Max": summary.maximum,
        "Min": summary.minimum,
        "Last": summary.last,
        "Count": summary.count,
        "Avg": summary.mean,
        "StdDev": summary.deviation,
    }


@serves("sagemaker", "DeleteTrialComponent")
def delete_trial_component(call: Call) -> Response:
    with call.context.store.write() as connection:
        found = require_component(connection, call.params["TrialComponentName"], call.context)
        is_linked = bool(parents_of(connection, [found.id])[found.id])
        message = f"TrialComponent '{found.arn}' is linked to 1 or more trials and cannot be deleted."
        check_unlinked(call.context, found.arn, is_linked=is_linked, message=message)
        stored.delete_component(connection, found)
        remove_all_tags(connection, found.arn)
    return {"TrialComponentArn": found.arn}


@serves("sagemaker", "ListTrialComponents")
def list_trial_components(call: Call) -> Response:
    params = call.params
    if len({"ExperimentName", "TrialName", "SourceArn"} & params.keys()) > 1:
        raise ValidationFault("Only one of ExperimentName, TrialName and SourceArn can be given.")
    recover_lost_jobs(call.context.store, call.context.now())
    with call.context.store.read() as connection:
        found, end = stored.list_components(connection, _scope(connection, call), page_of(params))
    view = call.context.view
    summaries = [
        {**_common(item, view), **present(TrialComponentSource=_source(item))}
        for item in found
        if has_appeared(item, view)
    ]
    return {"TrialComponentSummaries": summaries, **token_of(end)}


def _scope(connection: sqlite3.Connection, call: Call) -> Scope:
    params, identity = call.params, call.context.identity
    if trial := params.get("TrialName"):
        return Scope(trial_id=require_trial(connection, trial, identity).id)
    if experiment := params.get("ExperimentName"):
        return Scope(experiment_id=require_experiment(connection, experiment, identity).id)
    return Scope(source_arn=params.get("SourceArn"))
