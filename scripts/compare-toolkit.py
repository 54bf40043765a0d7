#!/usr/bin/env python3
"""
Compare jobs of the embedded SageMaker with SageMaker's own toolkit: what a script gets, and how it fails.

Run it in an environment with mnist-tracking installed:

    .venv/bin/python scripts/compare-toolkit.py

It installs the toolkit, which needs a C compiler, into a temporary virtual environment, and runs scripts with both: as
jobs of an embedded workspace, and with the toolkit's ``train`` outside a container, called as by the PyTorch container.
It compares the arguments and variables of one script, and how others end: the status, the kind of failure, the exit
code, the message, and whether their output is kept. It prints the differences, and exits with status 1 if one of them
is not known.
"""

import io
import json
import os
import re
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
OUTPUT = "import os, pathlib\nout = pathlib.Path(os.environ['SM_OUTPUT_DIR'])\n"
CASES = {  # scripts by what they do
    "succeeds": "print('ValueError: not one')",
    "exits with 7": "raise SystemExit(7)",
    "exits with a text": "raise SystemExit('the data is upside down')",
    "raises": "1 / 0",
    "raises with several lines": "raise ValueError('first\\n\\nthird: ')",
    "raises from another": "try:\n    1 / 0\nexcept ZeroDivisionError:\n    raise RuntimeError('second') from None",
    "raises while handling": "try:\n    1 / 0\nexcept ZeroDivisionError:\n    {}['k']",
    "raises in Unicode": "raise ValueError('größe 😀')",
    "raises a long text": "raise ValueError('begin ' + 'x' * 3000)",
    "raises an error of its own": "class Wrong(Exception):\n    pass\nraise Wrong('of its own')",
    "cannot be parsed": "def broken(:",
    "imports what is missing": "import missing",
    "prints an error, and fails": "import sys\nprint('KeyError: out', flush=True)\nsys.exit(2)",
    "prints the same twice": "import sys\nsys.stderr.write('OSError: a\\nb\\nOSError: a\\nb\\n')\nsys.exit(2)",
    "prints bytes that are not UTF-8": "import os\nos.write(2, b'ValueError: caf\\xe9\\n')\nos._exit(3)",
    "is killed": "import os\nos.kill(os.getpid(), 9)",
    "is terminated": "import os\nos.kill(os.getpid(), 15)",
    "is out of memory": "import os\nos._exit(137)",
    "writes the reason itself": OUTPUT + "(out / 'failure').write_text('no data for 1999\\nnone')\nraise SystemExit(1)",
    "writes a reason, and succeeds": OUTPUT + "(out / 'failure').write_text('never mind')",
    "writes output, and fails": OUTPUT + "(out / 'data' / 'roc.csv').write_text('1')\n1 / 0",
}
_NO_ERROR = "the toolkit finds none of its names of errors; here it is the end of standard error"
KNOWN = {  # case and value: why they differ
    ("exits with a text", "message"): _NO_ERROR,
    ("raises an error of its own", "message"): _NO_ERROR,
}
CAPTURES = """
from sagemaker_training import entry_point, environment, runner
def main():
    env = environment.Environment()
    entry_point.run(
        uri=env.module_dir, user_entry_point=env.user_entry_point, args=env.to_cmd_args(), env_vars=env.to_env_vars(),
        capture_error=True, runner_type=runner.ProcessRunnerType,
    )
"""
_FAILURE = re.compile(
    r'(\w+):\nExitCode (-?\d+)[^\n]*\nErrorMessage "(.*?)(?:"\nExtraInfo "(.*?))?(?:"\nCommand .*)?', re.DOTALL
)


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


class Embedded:
    """Runs scripts as jobs of an embedded SageMaker."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._engine = EmbeddedSageMaker(home)
        clients: list[Any] = [self._engine.session().client(name) for name in ("s3", "sagemaker", "logs")]
        self._s3, self._sagemaker, self._logs = clients
        self._s3.create_bucket(Bucket="bucket")
        for key in ("training/x", "my-val/x"):
            self._s3.put_object(Bucket="bucket", Key=key, Body=b"")

    def run(self, script: str, name: str) -> dict[str, Any]:
        """Run a script to its end, and describe the job."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
            member = tarfile.TarInfo(PROGRAM)
            member.size = len(script.encode())
            tar.addfile(member, io.BytesIO(script.encode()))
        self._s3.put_object(Bucket="bucket", Key="code.tar.gz", Body=buffer.getvalue())
        self._sagemaker.create_training_job(**{**REQUEST, "TrainingJobName": name})
        while True:
            job: dict[str, Any] = self._sagemaker.describe_training_job(TrainingJobName=name)
            if job["TrainingJobStatus"] != "InProgress":
                return job
            time.sleep(0.1)

    def shown(self) -> dict[str, Any]:
        """Return what the script that shows its environment has shown."""
        self.run(SHOWS, "job")
        group = "/aws/sagemaker/TrainingJobs"
        stream = self._logs.describe_log_streams(logGroupName=group)["logStreams"][0]["logStreamName"]
        lines: list[str] = []
        token, before = dict[str, str](), None
        while token != before:  # any page may be empty
            page = self._logs.get_log_events(logGroupName=group, logStreamName=stream, startFromHead=True, **token)
            lines += [event["message"] for event in page["events"]]
            before, token = token, {"nextToken": page["nextForwardToken"]}
        return shown("\n".join(lines), self._home / "jobs" / "job" / "ml" / "algo-1")

    def outcome(self, script: str, name: str) -> dict[str, Any]:
        """Return how a script ends."""
        job = self.run(script, name)
        reason = job.get("FailureReason", "").removeprefix("AlgorithmError: ").removesuffix(", exit code: 1")
        listed = self._s3.list_objects_v2(Bucket="bucket", Prefix=f"jobs/{name}/output/").get("Contents", [])
        has_output = any(item["Key"].endswith("output.tar.gz") for item in listed)
        status = "Completed" if job["TrainingJobStatus"] == "Completed" else "Failed"
        base = self._home / "jobs" / name / "ml" / "algo-1"
        return {"status": status, "has output": has_output, **failure(reason, base)}


class Toolkit:
    """Runs scripts with the toolkit, on a job's configuration files."""

    def __init__(self, work: Path) -> None:
        self._work, self._binaries = work, work / "venv" / "bin"
        venv.create(work / "venv", with_pip=True)
        packages = [TOOLKIT, "setuptools<81"]
        subprocess.run([self._binaries / "python", "-m", "pip", "install", "-q", *packages], check=True)
        (work / "captures.py").write_text(CAPTURES)

    def run(self, script: str, name: str) -> tuple[Path, "subprocess.CompletedProcess[str]"]:
        """Run a script to its end; return the folder of the job."""
        base, code = self._work / name / "ml", self._work / name / "code"
        (code / PROGRAM).parent.mkdir(parents=True)
        (code / PROGRAM).write_text(script)
        given = {**HYPERPARAMETERS, "sagemaker_submit_directory": json.dumps(str(code))}
        request = {**REQUEST, "HyperParameters": given}
        layout, (host,) = Layout.of(base, request), hosts_of(request)
        placement = Placement(request=request, arn="", region="us-east-1", host=host, layout=layout, port=0)
        layout.make(
            hyperparameters=given,
            inputdataconfig=placement.input_data_config,
            resourceconfig=placement.resource_config,
        )
        for channel_name in ("training", "my-val"):
            layout.channel(channel_name).mkdir(parents=True)
        settings = {"SAGEMAKER_BASE_DIR": str(base), "SM_STUDIO_LOCAL_MODE": "true", "TRAINING_JOB_NAME": "job"}
        captures = {"SAGEMAKER_TRAINING_MODULE": "captures:main", "PYTHONPATH": str(self._work)}
        env = {"PATH": f"{self._binaries}:{os.environ['PATH']}", **settings, **captures}
        done = subprocess.run([self._binaries / "train"], env=env, capture_output=True, text=True, check=False)
        return base, done

    def shown(self) -> dict[str, Any]:
        """Return what the script that shows its environment has shown."""
        base, done = self.run(SHOWS, "job")
        return shown(done.stdout, base)

    def outcome(self, script: str, name: str) -> dict[str, Any]:
        """Return how a script ends; SageMaker completes a job whose container exits with 0."""
        base, done = self.run(script, name)
        written = base / "output" / "failure"
        reason = written.read_text(errors="replace") if done.returncode and written.exists() else ""
        has_output = any((base / "output" / "data").iterdir())
        return {
            "status": "Failed" if done.returncode else "Completed",
            "has output": has_output,
            **failure(reason, base),
        }


def failure(reason: str, base: Path) -> dict[str, Any]:
    """Return the parts of a reason, with the job's folder as /opt/ml."""
    text = reason.replace(f"/private{base}", "/opt/ml").replace(str(base), "/opt/ml").strip()
    parts = _FAILURE.fullmatch(text)
    kind, code, message, extra = parts.groups() if parts else (None, None, text, None)
    return {"kind": kind, "exit code": code, "message": message, "extra": extra}


def shown(output: str, base: Path) -> dict[str, Any]:
    """Parse the script's output, with SM_TRAINING_ENV expanded and the job's folder replaced by /opt/ml."""
    line = next(line for line in output.replace(str(base), "/opt/ml").splitlines() if line.startswith("SHOWN"))
    found: dict[str, Any] = json.loads(line.removeprefix("SHOWN"))
    return {**json.loads(found.pop("SM_TRAINING_ENV")), **found}


def different_values(embedded: Embedded, toolkit: Toolkit) -> list[str]:
    """Compare what a script gets."""
    here, there = embedded.shown(), toolkit.shown()
    names = {"argv", *(n for n in there if n.startswith("SM_") or n.islower())}
    names |= {name for name in here if name.startswith("SM_")}
    names -= NOT_COMPARED
    different = sorted(name for name in names if repr(here.get(name)) != repr(there.get(name)))  # nan is not itself
    print(f"compared {len(names)} values with {TOOLKIT}: {len(different)} differ")
    return [f"{name}\n  here:    {here.get(name)!r}\n  toolkit: {there.get(name)!r}" for name in different]


def different_outcomes(embedded: Embedded, toolkit: Toolkit) -> list[str]:
    """Compare how scripts end."""
    different, known, count = [], 0, 0
    for number, (case, script) in enumerate(CASES.items()):
        here, there = embedded.outcome(script, f"case-{number}"), toolkit.outcome(script, f"case-{number}")
        for value in there:
            count += 1
            if is_same(here[value], there[value]):
                continue
            if why := KNOWN.get((case, value)):
                known += 1
                print(f"known: a script that {case}: {value}: {why}")
            else:
                different.append(
                    f"a script that {case}: {value}\n  here:    {here[value]!r}\n  toolkit: {there[value]!r}"
                )
    print(f"compared {count} values of {len(CASES)} ends with {TOOLKIT}: {len(different)} differ, {known} are known to")
    return different


def is_same(here: Any, there: Any) -> bool:
    """Whether two values are the same, as far as SageMaker shows them: the first 1024 characters of the whole."""
    return here == there or (isinstance(here, str) and len(here) > 500 and str(there).startswith(here))


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        embedded, toolkit = Embedded(Path(folder, "home")), Toolkit(Path(folder))
        different = different_values(embedded, toolkit) + different_outcomes(embedded, toolkit)
    for difference in different:
        print(difference)
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
