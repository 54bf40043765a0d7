"""CPU time of submitting a job and of deploying a model, with and without a config file of the SageMaker SDK."""

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from mnist_tracking import BestModelDeployer, ExperimentRunner, JobSpec, Workspace

TOY = Path(__file__).resolve().parents[1] / "tests" / "support" / "toy"
ROUNDS = 7
LIMIT_S = 0.1
CONFIG = """
SchemaVersion: '1.0'
SageMaker:
  TrainingJob:
    RoleArn: arn:aws:iam::000000000000:role/trains
    VpcConfig: {Subnets: [subnet-aaaa], SecurityGroupIds: [sg-aaaa]}
    EnableNetworkIsolation: true
    Environment: {STAGE: dev}
    Tags: [{Key: cost, Value: '42'}]
  Model:
    ExecutionRoleArn: arn:aws:iam::000000000000:role/serves
  EndpointConfig:
    Tags: [{Key: cost, Value: '42'}]
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for title, config in (("without a config file", ""), ("with a config file", CONFIG)):
            path = Path(folder, "config.yaml")
            path.write_text(config)
            os.environ.pop("SAGEMAKER_USER_CONFIG_OVERRIDE", None)
            if config:
                os.environ["SAGEMAKER_USER_CONFIG_OVERRIDE"] = str(path)
            submit, deploy = measure(Path(folder, title.replace(" ", "-")))
            print(f"{title}: {submit:.3f} CPU-s per submit (target: at most {LIMIT_S}), {deploy:.3f} per deployment")


def measure(home: Path) -> tuple[float, float]:
    """Return the least CPU time of a submit and of a deployment: other programs only make it longer."""
    with Workspace.embedded(home) as workspace:
        job = JobSpec(entry_point="train.py", source_dir=TOY, metrics={"score": r"score=(\S+?);"})
        runner = ExperimentRunner(workspace, "cost", job=job)
        submitted = []
        submits = [cpu(lambda: submitted.append(runner.submit({"steps": 1}))) for _ in range(ROUNDS)]
        trial, *_ = [handle.result() for handle in submitted]
        deployer = BestModelDeployer(workspace)
        deployed = []
        deploys = [cpu(lambda: deployed.append(deployer.deploy(trial))) for _ in range(ROUNDS)]
        for endpoint in deployed:
            endpoint.delete()
    return min(submits), min(deploys)


def cpu(call: Callable[[], object]) -> float:
    begun = time.process_time()
    call()
    return time.process_time() - begun


if __name__ == "__main__":
    main()
