"""What was recorded of a step, as SageMaker has it."""

import json
from typing import Any

from mnist_tracking import (
    Workspace,
)
from mnist_tracking._values.records import Component
from mnist_tracking.experiments.steps import Step


def component_of(workspace: Workspace, step: Step) -> Component:
    trials = workspace.client("sagemaker").search(
        Resource="ExperimentTrialComponent",
        SearchExpression={"Filters": [{"Name": "TrialComponentName", "Value": step.component_name}]},
    )
    from mnist_tracking._aws.convert import component_from_aws

    return component_from_aws(trials["Results"][0]["TrialComponent"])


def read_json(workspace: Workspace, uri: str) -> Any:
    bucket, key = uri.removeprefix("s3://").split("/", 1)
    return json.load(workspace.client("s3").get_object(Bucket=bucket, Key=key)["Body"])
