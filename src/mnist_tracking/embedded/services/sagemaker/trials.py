"""Trials, and their components."""

import sqlite3

from mnist_tracking.embedded.context import Context
from mnist_tracking.embedded.faults import ResourceLimitFault
from mnist_tracking.embedded.registry import Call, Response, serves
from mnist_tracking.embedded.services.resources import (
    check_unlinked,
    metadata_in,
    metadata_of,
    name_is_taken,
    note_unlinked,
    page_of,
    present,
    require_component,
    require_experiment,
    require_trial,
    token_of,
)
from mnist_tracking.embedded.store import experiments as stored
from mnist_tracking.embedded.store.experiments import Experiment, Trial
from mnist_tracking.embedded.store.tags import put_tags, remove_all_tags
from mnist_tracking.embedded.times import as_datetime

_TITLE = "Trial"
_LIMIT = (
    "The account-level service limit '{what}' is {most} {unit}, with current utilization of {used} {unit} and a "
    "request delta of 1 {unit}. Please contact AWS support to request an increase for this limit."
)


@serves("sagemaker", "CreateTrial")
def create_trial(call: Call) -> Response:
    """Create a trial. An experiment can have any number, unless the engine has a quota."""
    params, name = call.params, call.params["TrialName"]
    arn = call.context.identity.sagemaker_arn("experiment-trial", name)
    with call.context.store.write() as connection:
        experiment = require_experiment(connection, params["ExperimentName"], call.context.identity)
        if stored.find_trial(connection, name) is not None:
            raise name_is_taken(_TITLE, name)
        _check_trial_limit(connection, experiment, call.context.trial_quota)
        title, metadata = str(params.get("DisplayName", name)), metadata_in(params)
        now = call.context.now()
        stored.add_trial(connection, experiment, name, arn, now, display_name=title, metadata=metadata)
        put_tags(connection, arn, params.get("Tags"))
    return {"TrialArn": arn}


def _check_trial_limit(connection: sqlite3.Connection, experiment: Experiment, quota: int | None) -> None:
    if quota is not None and (used := stored.count_trials(connection, experiment)) >= quota:
        what = (
            "Total number of trials allowed in a single experiment, excluding those automatically created by SageMaker"
        )
        raise ResourceLimitFault(_LIMIT.format(what=what, most=quota, unit="Trials", used=used))


@serves("sagemaker", "DescribeTrial")
def describe_trial(call: Call) -> Response:
    with call.context.store.read() as connection:
        return describe(require_trial(connection, call.params["TrialName"], call.context.identity))


def describe(found: Trial) -> Response:
    """Build the members that DescribeTrial and Search return."""
    return {
        **_summary(found),
        "ExperimentName": found.experiment_name,
        "CreatedBy": {},
        "LastModifiedBy": {},
        **present(MetadataProperties=metadata_of(found.metadata)),
    }


def _summary(found: Trial) -> Response:
    return {
        "TrialName": found.name,
        "TrialArn": found.arn,
        "DisplayName": found.display_name,
        "CreationTime": as_datetime(found.created),
        "LastModifiedTime": as_datetime(found.modified),
    }


@serves("sagemaker", "UpdateTrial")
def update_trial(call: Call) -> Response:
    with call.context.store.write() as connection:
        found = require_trial(connection, call.params["TrialName"], call.context.identity)
        stored.update_trial(connection, found, call.context.now(), display_name=call.params.get("DisplayName"))
    return {"TrialArn": found.arn}


@serves("sagemaker", "DeleteTrial")
def delete_trial(call: Call) -> Response:
    with call.context.store.write() as connection:
        found = require_trial(connection, call.params["TrialName"], call.context.identity)
        message = f"Trial '{found.arn}' has 1 or more trial components and cannot be deleted."
        is_linked = stored.count_components(connection, found.id) > 0
        check_unlinked(call.context, found.arn, is_linked=is_linked, message=message)
        stored.delete_trial(connection, found)
        remove_all_tags(connection, found.arn)
        experiment = require_experiment(connection, found.experiment_name, call.context.identity)
    note_unlinked(call.context, experiment.arn)
    return {"TrialArn": found.arn}


@serves("sagemaker", "ListTrials")
def list_trials(call: Call) -> Response:
    params, identity = call.params, call.context.identity
    experiment, component = params.get("ExperimentName"), params.get("TrialComponentName")
    with call.context.store.read() as connection:
        found, end = stored.list_trials(
            connection,
            page_of(params),
            experiment_id=require_experiment(connection, experiment, identity).id if experiment else None,
            component_id=require_component(connection, component, call.context).id if component else None,
        )
    return {"TrialSummaries": [_summary(item) for item in found], **token_of(end)}


@serves("sagemaker", "AssociateTrialComponent")
def associate_trial_component(call: Call) -> Response:
    """Add a component to a trial. A trial can have any number, unless the engine has a quota."""
    with call.context.store.write() as connection:
        trial = require_trial(connection, call.params["TrialName"], call.context.identity)
        component = require_component(connection, call.params["TrialComponentName"], call.context)
        associate(call.context, connection, trial.id, component.id)
    return {"TrialArn": trial.arn, "TrialComponentArn": component.arn}


def associate(context: Context, connection: sqlite3.Connection, trial_id: int, component_id: int) -> None:
    """Add a component to a trial, unless it is in it already. Too many raise ResourceLimitExceeded."""
    quota = context.component_quota
    if quota is not None and (used := stored.count_components(connection, trial_id, but=component_id)) >= quota:
        what = "Total number of trial components allowed in a single trial"
        raise ResourceLimitFault(_LIMIT.format(what=what, most=quota, unit="Trial Components", used=used))
    stored.add_component(connection, trial_id, component_id, context.now())


@serves("sagemaker", "DisassociateTrialComponent")
def disassociate_trial_component(call: Call) -> Response:
    with call.context.store.write() as connection:
        trial = require_trial(connection, call.params["TrialName"], call.context.identity)
        component = require_component(connection, call.params["TrialComponentName"], call.context)
        stored.remove_component(connection, trial.id, component.id)
    note_unlinked(call.context, trial.arn, component.arn)
    return {"TrialArn": trial.arn, "TrialComponentArn": component.arn}
