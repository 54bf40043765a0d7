#!/usr/bin/env python3
"""
Compare the environment of a training script in the embedded SageMaker with that in SageMaker's own toolkit.

Run it in an environment with mnist-tracking installed:

    .venv/bin/python scripts/compare-toolkit.py

It installs the toolkit, which needs a C compiler, into a temporary virtual environment, and runs one script with both:
as a job of an embedded workspace, and with the toolkit's ``train`` outside a container. It prints the differences in
the arguments and in the variables that the toolkit sets, and exits with status 1 if there are any.
"""

import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
import venv
from pathlib import Path
from typing import Any

from mnist_tracking.embedded import EmbeddedSageMaker
from mnist_tracking.embedded.jobs.container import Layout, Placement
from mnist_tracking.embedded.jobs.hosts import hosts_of

TOOLKIT = "sagemaker-training==5.1.4"
PROGRAM = "sub/train.py"
SHOWS = "import json, os, sys\nprint('SHOWN' + json.dumps({'argv': sys.argv, **dict(os.environ)}))\n"
HYPERPARAMETERS = {
    "epochs": "2",
    "lr": "1e-05",
    "optimizer": '"sgd"',
    "flag": "true",
    "none": "null",
    "nan": "NaN",
    "d": "0.5",
    "list": "[1, 2.0]",
    "dict": '{"b": 2, "a": "x y"}',
    "nested": '[{"b": 1}]',
    "empty": '""',
    "text": "no json",
    "with-dash": "1",
    "A_upper": "1",
    "accent": '"\\u00e9"',
    "big": "123456789012345678901",
    "sagemaker_program": json.dumps(PROGRAM),
    "sagemaker_region": '"us-east-1"',
    "sagemaker_job_name": '"job"',
}
NOT_COMPARED = {  # depends on the code's location, the image, or how the toolkit is called
    *("SM_MODULE_DIR", "SM_FRAMEWORK_MODULE", "SM_STUDIO_LOCAL_MODE", "module_dir", "framework_module")
}


def channel(name: str) -> dict[str, Any]:
    source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://bucket/{name}", "S3DataDistributionType": "FullyReplicated"}
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}}


REQUEST: dict[str, Any] = {
    "TrainingJobName": "job",
    "RoleArn": "arn:aws:iam::000000000000:role/role",
    "AlgorithmSpecification": {"TrainingImage": "image", "TrainingInputMode": "File"},
    "InputDataConfig": [channel("training"), channel("my-val")],
    "OutputDataConfig": {"S3OutputPath": "s3://bucket/jobs"},
    "ResourceConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 30},
    "StoppingCondition": {"MaxRuntimeInSeconds": 60},
    "HyperParameters": {**HYPERPARAMETERS, "sagemaker_submit_directory": '"s3://bucket/code.tar.gz"'},
}


def shown_here(home: Path) -> dict[str, Any]:
    """Run the script as a job of an embedded workspace."""
    engine = EmbeddedSageMaker(home)
    clients: list[Any] = [engine.session().client(name) for name in ("s3", "sagemaker", "logs")]
    s3, sagemaker, logs = clients
    s3.create_bucket(Bucket="bucket")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        member = tarfile.TarInfo(PROGRAM)
        member.size = len(SHOWS)
        tar.addfile(member, io.BytesIO(SHOWS.encode()))
    for key, body in (("code.tar.gz", buffer.getvalue()), ("training/x", b""), ("my-val/x", b"")):
        s3.put_object(Bucket="bucket", Key=key, Body=body)
    sagemaker.create_training_job(**REQUEST)
    while sagemaker.describe_training_job(TrainingJobName="job")["TrainingJobStatus"] == "InProgress":
        time.sleep(0.1)
    group = "/aws/sagemaker/TrainingJobs"
    stream = logs.describe_log_streams(logGroupName=group)["logStreams"][0]["logStreamName"]
    lines: list[str] = []
    token, before = dict[str, str](), None
    while token != before:  # any page may be empty
        page = logs.get_log_events(logGroupName=group, logStreamName=stream, startFromHead=True, **token)
        lines += [event["message"] for event in page["events"]]
        before, token = token, {"nextToken": page["nextForwardToken"]}
    return shown("\n".join(lines), home / "jobs" / "job" / "ml" / "algo-1")


def shown_by_toolkit(work: Path) -> dict[str, Any]:
    """Run the script with the toolkit, on a job's configuration files."""
    venv.create(work / "venv", with_pip=True)
    binaries, base = work / "venv" / "bin", work / "ml"
    subprocess.run([binaries / "python", "-m", "pip", "install", "-q", TOOLKIT, "setuptools<81"], check=True)
    (work / "code" / PROGRAM).parent.mkdir(parents=True)
    (work / "code" / PROGRAM).write_text(SHOWS)
    given = {**HYPERPARAMETERS, "sagemaker_submit_directory": json.dumps(str(work / "code"))}
    request = {**REQUEST, "HyperParameters": given}
    layout, (host,) = Layout.of(base, request), hosts_of(request)
    placement = Placement(request=request, arn="", region="us-east-1", host=host, layout=layout, port=0)
    layout.make(
        hyperparameters=given,
        inputdataconfig=placement.input_data_config,
        resourceconfig=placement.resource_config,
    )
    for name in ("training", "my-val"):
        layout.channel(name).mkdir(parents=True)
    settings = {"SAGEMAKER_BASE_DIR": str(base), "SM_STUDIO_LOCAL_MODE": "true", "TRAINING_JOB_NAME": "job"}
    env = {"PATH": f"{binaries}:{os.environ['PATH']}", **settings}
    done = subprocess.run([binaries / "train"], env=env, capture_output=True, text=True, check=True)
    return shown(done.stdout, base)


def shown(output: str, base: Path) -> dict[str, Any]:
    """Parse the script's output, with SM_TRAINING_ENV expanded and the job's folder replaced by /opt/ml."""
    line = next(line for line in output.replace(str(base), "/opt/ml").splitlines() if line.startswith("SHOWN"))
    found: dict[str, Any] = json.loads(line.removeprefix("SHOWN"))
    return {**json.loads(found.pop("SM_TRAINING_ENV")), **found}


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        here, there = shown_here(Path(folder, "home")), shown_by_toolkit(Path(folder))
    names = {"argv", *(n for n in there if n.startswith("SM_") or n.islower())}
    names |= {name for name in here if name.startswith("SM_")}
    names -= NOT_COMPARED
    different = sorted(name for name in names if repr(here.get(name)) != repr(there.get(name)))  # nan is not itself
    for name in different:
        print(f"{name}\n  here:    {here.get(name)!r}\n  toolkit: {there.get(name)!r}")
    print(f"compared {len(names)} values with {TOOLKIT}: {len(different)} differ")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
