"""
Calls for each trial of a sweep at AWS's pace, against the reference's loop and the SDK's tuner.

    python -m benchmarks.sweep_calls [--trials 4] [--minutes 5]

One trial after another, each of a script that takes some minutes. Time passes fifty times as fast, for the engine,
for this library's pauses and for those of the SageMaker SDK, so the polls are those of a real account. All three run on
the embedded SageMaker. The reference's loop creates a trial, attaches the preprocessing step and calls ``fit``, which
waits and follows the log. The tuner, whose trials SageMaker starts itself and adds to no experiment, runs on a service
that only answers it: its jobs take as long as the others.
"""

import argparse
import contextlib
import io
import logging
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from botocore.model import OperationModel

from mnist_tracking import ExperimentRunner, HyperparameterSweep, JobSpec, Workspace
from mnist_tracking.embedded.registry import OPERATIONS, Call, Response
from mnist_tracking.types import Timing

FASTER = 50
POLLS = frozenset({"DescribeTrainingJob", "DescribeHyperParameterTuningJob", "DescribeLogStreams", "GetLogEvents"})
SCRIPT = """
import argparse, time
parser = argparse.ArgumentParser()
parser.add_argument("--number", type=float)
parser.add_argument("--seconds", type=float)
options = parser.parse_args()
for epoch in range(10):
    time.sleep(options.seconds / 10)
    print(f"score={options.number + epoch};", flush=True)
"""
METRICS = {"score": r"score=(\S+?);"}


class Fast:
    """The module ``time``, whose time passes faster."""

    def __init__(self) -> None:
        self._begun = time.time()

    def time(self) -> float:
        return self._begun + (time.time() - self._begun) * FASTER

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds / FASTER)

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=4)
    parser.add_argument("--minutes", type=float, default=5.0)
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    sides: dict[str, Callable[[Side], object]] = {"ours": ours, "reference": reference, "tuner": tuner}
    print(f"{options.trials} trials of {options.minutes} minutes; calls for each trial, and polls among them")
    for name, run in sides.items():
        with tempfile.TemporaryDirectory() as folder:
            side = Side(Path(folder), trials=options.trials, seconds=options.minutes * 60)
            with side.counting():
                run(side)
            polls = sum(side.calls[operation] for operation in POLLS)
            total = side.calls.total()
            print(f"{name}: {total / options.trials:.1f}, {polls / options.trials:.1f}; {dict(side.calls)}", flush=True)


class Side:
    """One way to train the trials, in an account of its own, and the calls that it has made."""

    def __init__(self, folder: Path, *, trials: int, seconds: float) -> None:
        self.folder, self.trials, self.seconds, self.clock = folder, trials, seconds, Fast()
        self.calls: Counter[str] = Counter()
        (folder / "train.py").write_text(SCRIPT)
        self.workspace = Workspace.embedded(folder / "home", timing=Timing())
        self.workspace.sleep, self.workspace.clock = self.clock.sleep, self.clock.time
        self.fixed = {"seconds": seconds / FASTER}

    @contextlib.contextmanager
    def counting(self) -> Iterator[None]:
        """Count the calls of a block, in which the time of the SageMaker SDK passes faster, too."""
        from sagemaker import job, session
        from sagemaker import tuner as tuning

        modules = [module for module in (job, session, tuning) if hasattr(module, "time")]
        for module in modules:
            module.time = self.clock
        self.workspace.boto_session.events.register("after-call.*.*", self._count)
        try:
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                yield
        finally:
            for module in modules:
                module.time = time
            self.workspace.close()

    def _count(self, model: OperationModel, **_: object) -> None:
        self.calls[model.name] += 1

    def estimator(self, **more: Any) -> Any:
        """Return an estimator of the SDK for the script."""
        from sagemaker.pytorch import PyTorch
        from sagemaker.session import Session

        session = Session(self.workspace.boto_session, default_bucket=self.workspace.bucket)
        return PyTorch(
            "train.py",
            source_dir=str(self.folder),
            role=self.workspace.role,
            sagemaker_session=session,
            framework_version="2.6.0",
            py_version="py312",
            instance_count=1,
            instance_type="ml.m5.xlarge",
            metric_definitions=[{"Name": name, "Regex": regex} for name, regex in METRICS.items()],
            **more,
        )


def ours(side: Side) -> None:
    job = JobSpec(entry_point=side.folder / "train.py", metrics=METRICS, objective="score", hyperparameters=side.fixed)
    runner = ExperimentRunner(side.workspace, "calls", job=job)
    with runner.step("Preprocessing"):
        pass
    HyperparameterSweep(runner, {"number": list(range(side.trials))}).run(progress=False).dataframe()


def reference(side: Side) -> None:
    from sagemaker.analytics import ExperimentAnalytics
    from smexperiments.experiment import Experiment
    from smexperiments.tracker import Tracker
    from smexperiments.trial import Trial

    client = side.workspace.client("sagemaker")
    session = side.workspace.boto_session
    Experiment.create(experiment_name="calls", sagemaker_boto_client=client)
    with Tracker.create(
        display_name="Preprocessing",
        artifact_bucket=side.workspace.bucket,
        sagemaker_boto_client=client,
        boto3_session=session,
    ) as tracker:
        tracker.log_parameters({"mean": 0.1307})
    for number in range(side.trials):
        name = f"calls-{number}"
        trial = Trial.create(trial_name=name, experiment_name="calls", sagemaker_boto_client=client)
        trial.add_trial_component(tracker.trial_component)
        estimator = side.estimator(hyperparameters={**side.fixed, "number": number})
        config = {"TrialName": name, "TrialComponentDisplayName": "Training"}
        estimator.fit(job_name=f"job-{number}", experiment_config=config, wait=True)
    ExperimentAnalytics(sagemaker_session=estimator.sagemaker_session, experiment_name="calls").dataframe()


def tuner(side: Side) -> None:
    from sagemaker.tuner import HyperparameterTuner, IntegerParameter

    with tuning_service(side):
        tuning = HyperparameterTuner(
            side.estimator(hyperparameters=side.fixed),
            "score",
            {"number": IntegerParameter(0, side.trials)},
            metric_definitions=[{"Name": name, "Regex": regex} for name, regex in METRICS.items()],
            max_jobs=side.trials,
        )
        tuning.fit(wait=True)
        tuning.analytics().dataframe()


@contextlib.contextmanager
def tuning_service(side: Side) -> Iterator[None]:
    """Answer the tuner's calls: its tuning job takes as long as all trials, one after another."""
    requests: dict[str, Any] = {}
    arn, begun = "arn:aws:sagemaker:us-east-1:000000000000:hyper-parameter-tuning-job/calls", side.clock.time()

    def create(call: Call) -> Response:
        requests.update(call.params)
        return {"HyperParameterTuningJobArn": arn}

    def describe(_: Call) -> Response:
        is_over = side.clock.time() - begun > side.trials * side.seconds
        return {**requests, "HyperParameterTuningJobStatus": "Completed" if is_over else "InProgress"}

    def trainings(_: Call) -> Response:
        now = datetime.now(UTC)
        times = {"CreationTime": now, "TrainingStartTime": now, "TrainingEndTime": now}
        value = {"MetricName": "score", "Value": 1.0}
        fixed = {"TrainingJobStatus": "Completed", "FinalHyperParameterTuningJobObjectiveMetric": value, **times}
        names = [f"calls-{number}" for number in range(side.trials)]
        tuned = {"TunedHyperParameters": {"number": "1"}}
        return {"TrainingJobSummaries": [{"TrainingJobName": name, **fixed, **tuned} for name in names]}

    handlers = {
        "CreateHyperParameterTuningJob": create,
        "DescribeHyperParameterTuningJob": describe,
        "ListTrainingJobsForHyperParameterTuningJob": trainings,
    }
    OPERATIONS.update({("sagemaker", name): handler for name, handler in handlers.items()})
    try:
        yield
    finally:
        for name in handlers:
            del OPERATIONS["sagemaker", name]


if __name__ == "__main__":
    main()
