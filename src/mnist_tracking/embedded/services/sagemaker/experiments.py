"""Experiments."""

from mnist_tracking.embedded.registry import Call, Response, serves
from mnist_tracking.embedded.services.resources import (
    check_unlinked,
    name_is_taken,
    page_of,
    present,
    require_experiment,
    token_of,
)
from mnist_tracking.embedded.store import experiments as stored
from mnist_tracking.embedded.store.experiments import Experiment
from mnist_tracking.embedded.store.tags import put_tags, remove_all_tags
from mnist_tracking.embedded.times import as_datetime

_TITLE = "Experiment"


@serves("sagemaker", "CreateExperiment")
def create_experiment(call: Call) -> Response:
    name = call.params["ExperimentName"]
    arn = call.context.identity.sagemaker_arn("experiment", name)
    with call.context.store.write() as connection:
        if stored.find_experiment(connection, name) is not None:
            raise name_is_taken(_TITLE, name)
        title, description = str(call.params.get("DisplayName", name)), call.params.get("Description")
        now = call.context.now()
        stored.add_experiment(connection, name, arn, now, display_name=title, description=description)
        put_tags(connection, arn, call.params.get("Tags"))
    return {"ExperimentArn": arn}


@serves("sagemaker", "DescribeExperiment")
def describe_experiment(call: Call) -> Response:
    with call.context.store.read() as connection:
        return describe(require_experiment(connection, call.params["ExperimentName"], call.context.identity))


def describe(found: Experiment) -> Response:
    """Build the members that DescribeExperiment and Search return."""
    return {**_summary(found), **present(Description=found.description), "CreatedBy": {}, "LastModifiedBy": {}}


def _summary(found: Experiment) -> Response:
    return {
        "ExperimentName": found.name,
        "ExperimentArn": found.arn,
        "DisplayName": found.display_name,
        "CreationTime": as_datetime(found.created),
        "LastModifiedTime": as_datetime(found.modified),
    }


@serves("sagemaker", "UpdateExperiment")
def update_experiment(call: Call) -> Response:
    params = call.params
    with call.context.store.write() as connection:
        found = require_experiment(connection, params["ExperimentName"], call.context.identity)
        given = {"display_name": params.get("DisplayName"), "description": params.get("Description")}
        stored.update_experiment(connection, found, call.context.now(), **given)
    return {"ExperimentArn": found.arn}


@serves("sagemaker", "DeleteExperiment")
def delete_experiment(call: Call) -> Response:
    with call.context.store.write() as connection:
        found = require_experiment(connection, call.params["ExperimentName"], call.context.identity)
        message = f"Experiment '{found.arn}' has 1 or more trials and cannot be deleted."
        is_linked = stored.count_trials(connection, found) > 0
        check_unlinked(call.context, found.arn, is_linked=is_linked, message=message)
        stored.delete_experiment(connection, found)
        remove_all_tags(connection, found.arn)
    return {"ExperimentArn": found.arn}


@serves("sagemaker", "ListExperiments")
def list_experiments(call: Call) -> Response:
    with call.context.store.read() as connection:
        found, end = stored.list_experiments(connection, page_of(call.params))
    return {"ExperimentSummaries": [_summary(item) for item in found], **token_of(end)}
