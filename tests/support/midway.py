"""
What `tests/test_live.py` has ``scripts/live`` run: everything that costs money is created, and the program is stopped.

The variable MIDWAY_SIGNAL is the number of the signal.
"""

import json
import os
from typing import Any

import pytest
from tests.support.archives import archive
from tests.support.rigs import Rig

WAITS = "import signal\nsignal.pause()\n"
SERVES = "def model_fn(model_dir): return 3\n"


def test_stopped_midway(rig: Rig) -> None:
    client: Any = rig.sagemaker()
    client.create_experiment(ExperimentName="digits")
    client.create_trial(TrialName="one", ExperimentName="digits")
    component = client.create_trial_component(TrialComponentName="prep")["TrialComponentArn"]
    client.associate_trial_component(TrialName="one", TrialComponentName="prep")
    artifact = client.create_artifact(ArtifactType="text/csv", Source={"SourceUri": "s3://a/b"})["ArtifactArn"]
    client.add_association(SourceArn=artifact, DestinationArn=component)

    code = rig.put("code.tar.gz", archive({"train.py": WAITS}))
    client.create_training_job(
        TrainingJobName="job",
        RoleArn=rig.role,
        AlgorithmSpecification={"TrainingImage": "image", "TrainingInputMode": "File"},
        OutputDataConfig={"S3OutputPath": f"s3://{rig.bucket}/jobs"},
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30},
        StoppingCondition={"MaxRuntimeInSeconds": 300},
        HyperParameters={"sagemaker_program": '"train.py"', "sagemaker_submit_directory": json.dumps(code)},
        ExperimentConfig={"TrialName": "one"},
    )
    data = rig.put("model.tar.gz", archive({"code/inference.py": SERVES}))
    client.create_model(
        ModelName="model", ExecutionRoleArn=rig.role, PrimaryContainer={"Image": "image", "ModelDataUrl": data}
    )
    variant = {"VariantName": "all", "ModelName": "model", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    client.create_endpoint_config(EndpointConfigName="config", ProductionVariants=[variant])
    client.create_endpoint(EndpointName="endpoint", EndpointConfigName="config")
    os.kill(os.getpid(), int(os.environ["MIDWAY_SIGNAL"]))
    pytest.fail("still running")
