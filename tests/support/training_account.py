"""An embedded account for training jobs, whose scripts are a few lines of Python."""

import io
import json
import os
import tarfile
from pathlib import Path
from typing import Any

import attrs
from botocore.exceptions import ClientError
from tests.support.archives import archive
from tests.support.processes import until, working_folder

from mnist_tracking.embedded.containment import descendants
from mnist_tracking.embedded.engine import EmbeddedSageMaker
from mnist_tracking.embedded.jobs.state import ENDED, LOG_GROUP

ROLE = "arn:aws:iam::000000000000:role/role"
CODE = "s3://bucket/code.tar.gz"
# in one piece: print() writes the end of a line by itself, and a daemon of the script may print in between
WAITS = "import threading\nprint('started\\n', end='', flush=True)\nthreading.Event().wait()"


@attrs.define
class TrainingAccount:
    """Clients of one embedded account, and shortcuts to run jobs and read their results."""

    engine: EmbeddedSageMaker
    sagemaker: Any = attrs.field(init=False)
    s3: Any = attrs.field(init=False)
    logs: Any = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        session = self.engine.session()
        self.sagemaker, self.s3, self.logs = (session.client(name) for name in ("sagemaker", "s3", "logs"))
        self.s3.create_bucket(Bucket="bucket")

    def put(self, key: str, body: bytes | str = b"") -> None:
        """Store an object in the bucket."""
        self.s3.put_object(Bucket="bucket", Key=key, Body=body)

    def get(self, key: str) -> bytes:
        """Read an object of the bucket."""
        content: bytes = self.s3.get_object(Bucket="bucket", Key=key)["Body"].read()
        return content

    def members(self, key: str) -> dict[str, bytes]:
        """Read the files of an archive in the bucket."""
        with tarfile.open(fileobj=io.BytesIO(self.get(key))) as tar:
            return {member.name: content.read() for member in tar if (content := tar.extractfile(member))}

    def submit(self, script: str = "", name: str = "job", *, code: bytes | None = None, **more: Any) -> None:
        """
        Start a job that runs *script*; does not wait.

        Args:
            script: The content of ``train.py``.
            name: The job's name.
            code: A source archive, in place of one that holds *script* alone.
            more: Members of the request: ``HyperParameters`` come on top of what names the script, all others replace.
        """
        self.send(script, code=code)
        self.sagemaker.create_training_job(**json.loads(self.request(name, **more)))

    def send(self, script: str = "", *, code: bytes | None = None) -> None:
        """Store the source archive of a job."""
        self.put("code.tar.gz", code or archive({"train.py": script}))

    def request(self, name: str = "job", **more: Any) -> str:
        """Return a request for a job, as JSON."""
        where = {"sagemaker_program": '"train.py"', "sagemaker_submit_directory": f'"{CODE}"'}
        return json.dumps(
            {
                "TrainingJobName": name,
                "RoleArn": ROLE,
                "AlgorithmSpecification": {"TrainingImage": "image", "TrainingInputMode": "File"},
                "OutputDataConfig": {"S3OutputPath": "s3://bucket/jobs"},
                "ResourceConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 30},
                "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
                **more,
                "HyperParameters": where | more.get("HyperParameters", {}),
            }
        )

    def run(self, script: str = "", name: str = "job", **more: Any) -> dict[str, Any]:
        """Run a job to its end and describe it."""
        self.submit(script, name, **more)
        return self.wait(name)

    def wait(self, name: str = "job") -> dict[str, Any]:
        """Wait until a job has ended and describe it."""
        until(lambda: self.describe(name)["TrainingJobStatus"] in ENDED)
        return self.describe(name)

    def describe(self, name: str = "job") -> dict[str, Any]:
        """Describe a job."""
        described: dict[str, Any] = self.sagemaker.describe_training_job(TrainingJobName=name)
        return described

    def stop(self, name: str = "job") -> None:
        """Stop a job."""
        self.sagemaker.stop_training_job(TrainingJobName=name)

    def component(self, name: str = "job") -> dict[str, Any]:
        """Describe the component of a job."""
        described: dict[str, Any] = self.sagemaker.describe_trial_component(
            TrialComponentName=f"{name}-aws-training-job"
        )
        return described

    def metrics(self, name: str = "job") -> dict[str, dict[str, Any]]:
        """Return the metrics of a job's component, by name."""
        return {metric["MetricName"]: metric for metric in self.component(name)["Metrics"]}

    def log(self, name: str = "job") -> list[str]:
        """Return the lines that a job has printed so far."""
        with self.engine.store.read() as connection:
            query = "SELECT message FROM log_events WHERE log_group = ? AND stream LIKE ? ORDER BY id"
            return [row[0] for row in connection.execute(query, (LOG_GROUP, f"{name}/%"))]

    def follow(self, line: str = "started", name: str = "job") -> None:
        """Wait until a job has printed that line."""
        until(lambda: line in self.log(name))

    def supervisor(self, name: str = "job") -> int:
        """Wait for a job's supervisor and return its process id."""
        until(lambda: self._pid(name) is not None)
        return self._pid(name) or 0

    def _pid(self, name: str) -> int | None:
        with self.engine.store.read() as connection:
            row = connection.execute("SELECT supervisor_pid FROM training_jobs WHERE name = ?", (name,)).fetchone()
        found: int | None = row[0]
        return found

    def signal_script(self, number: int, name: str = "job", host: str = "algo-1") -> None:
        """Send a signal to a job's script on a host."""
        os.kill(self.script_pid(name, host), number)

    def script_pid(self, name: str = "job", host: str = "algo-1") -> int:
        """Return the process id of a job's script on a host, which runs in a folder of its own."""
        folder = self.ml(name, host) / "code"
        return next(pid for pid in descendants(self.supervisor(name)) if working_folder(pid) == folder)

    def folder(self, name: str = "job") -> Path:
        """Return a job's folder."""
        return self.engine.home / "jobs" / name

    def ml(self, name: str = "job", host: str = "algo-1") -> Path:
        """Return the folder that is /opt/ml on a host of a job."""
        return self.folder(name) / "ml" / host

    def end_all(self) -> None:
        """Stop every job that still runs, and wait for it."""
        for job in self.sagemaker.list_training_jobs(MaxResults=100)["TrainingJobSummaries"]:
            if job["TrainingJobStatus"] not in ENDED:
                name = job["TrainingJobName"]
                try:
                    self.stop(name)
                except ClientError:  # it has just ended by itself
                    assert self.describe(name)["TrainingJobStatus"] in ENDED
                self.wait(name)
