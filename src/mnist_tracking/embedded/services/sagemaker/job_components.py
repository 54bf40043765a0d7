"""The trial component of a training job: one of its own, or that of the run which the job is part of."""

import sqlite3

from mnist_tracking.embedded.faults import ValidationFault
from mnist_tracking.embedded.jobs import component
from mnist_tracking.embedded.registry import Call, Params
from mnist_tracking.embedded.services import resources
from mnist_tracking.embedded.services.sagemaker import components, trials

SOURCE_TYPE = "SageMakerTrainingJob"
_SUFFIX = "-aws-training-job"
_TRIAL_SUFFIX = "-aws-trial"  # of the trial made for a job that names only its experiment; the service's own is unknown


def component_of(connection: sqlite3.Connection, call: Call, arn: str, now: float) -> int:
    """
    Return the row of the component that is to hold a job's parameters, artifacts and metrics.

    ``ExperimentConfig.RunName`` names a component that exists, that of a run, as ``sagemaker.experiments.Run`` sends
    it. Its status and its times stay the run's own business; other jobs have a component of their own.
    """
    request = call.params
    config = request.get("ExperimentConfig", {})
    row_id = _attach(connection, call, arn) if "RunName" in config else _create(connection, call, arn, now)
    components.put_parameters(connection, row_id, component.parameters(request))
    components.put_artifacts(connection, row_id, "Input", component.inputs(request))
    if hook := request.get("DebugHookConfig"):
        hook_output = {"SageMaker.DebugHookOutput": {"Value": hook["S3OutputPath"]}}
        components.put_artifacts(connection, row_id, "Output", hook_output)
    components.refuse_too_many(connection, row_id)
    resources.touch(connection, "components", row_id, now, [("display_name", config.get("TrialComponentDisplayName"))])
    trial_id = _trial(connection, call, config)
    if trial_id is not None:
        trials.associate(connection, trial_id, row_id, now)
    return row_id


def _attach(connection: sqlite3.Connection, call: Call, arn: str) -> int:
    run = resources.get(connection, "components", call.params["ExperimentConfig"]["RunName"], call.context.identity)
    connection.execute("INSERT INTO component_sources VALUES (?, ?, ?)", (run["id"], arn, SOURCE_TYPE))
    return int(run["id"])


def _create(connection: sqlite3.Connection, call: Call, arn: str, now: float) -> int:
    name = call.params["TrainingJobName"] + _SUFFIX
    resources.refuse_taken(connection, "components", name)
    own = call.context.identity.sagemaker_arn("experiment-trial-component", name)
    row_id = components.insert(connection, name, own, now)
    connection.execute(
        "UPDATE components SET source_arn = ?, source_type = ?, status = 'InProgress' WHERE id = ?",
        (arn, SOURCE_TYPE, row_id),
    )
    return row_id


def _trial(connection: sqlite3.Connection, call: Call, config: Params) -> int | None:
    """Return the trial that a job belongs to; one that names only its experiment gets a new one, as the API says."""
    experiment, trial = config.get("ExperimentName"), config.get("TrialName")
    if trial:
        found = trials.read(connection, resources.get(connection, "trials", trial, call.context.identity)["id"])
        if (
            experiment
            and resources.get(connection, "experiments", experiment, call.context.identity)["id"]
            != found["experiment_id"]
        ):
            raise ValidationFault(f"Trial {trial!r} belongs to experiment {found['experiment_name']!r}.")
        return int(found["id"])
    if not experiment:
        return None
    made = {"TrialName": call.params["TrainingJobName"] + _TRIAL_SUFFIX, "ExperimentName": experiment}
    trials.create_trial(Call(call.context, call.service, "CreateTrial", made))
    return int(resources.get(connection, "trials", made["TrialName"], call.context.identity)["id"])
