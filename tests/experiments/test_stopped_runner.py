"""A run or a cleanup that is killed or interrupted anywhere: it can be repeated, and a cleanup finds everything."""

import contextlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support.calls import interrupted_after, killed_after
from tests.support.places import stopped

from mnist_tracking import ExperimentRunner, JobSpec, NotFoundError, Workspace
from mnist_tracking.embedded import EmbeddedSageMaker
from mnist_tracking.embedded.collection import collect

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded, use of fork:DeprecationWarning")
LASTING = {"buckets", "training_jobs", "training_job_stages", "log_events", "sqlite_sequence"}
"""The tables of what no cleanup deletes."""
Operation = Callable[["Program", Workspace], None]


class Program:
    """A user's program, which opens its workspace anew each time that it is run."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.script, self.data = folder / "train.py", folder / "data"
        self.script.write_text("print('score=1.0')")
        self.data.mkdir()
        (self.data / "rows.csv").write_text("1,2\n")

    def run(self, operation: Operation) -> None:
        with Workspace.embedded(engine=EmbeddedSageMaker(self.home)) as workspace:
            operation(self, workspace)

    def runner(self, workspace: Workspace) -> ExperimentRunner:
        job = JobSpec(self.script, metrics={"score": r"score=(\S+)"})
        return ExperimentRunner(workspace, "churn", job=job, tags={"team": "cv"})

    def left(self) -> dict[str, Any]:
        """Everything that is left, but for jobs that have ended and their logs, which SageMaker keeps, too."""
        engine = EmbeddedSageMaker(self.home)
        collect(engine._context)
        with engine.store.read() as connection:
            tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            found: dict[str, Any] = {
                table: [tuple(row) for row in connection.execute(f"SELECT * FROM {table}")]
                for table in tables - LASTING
            }
            jobs = {row["name"]: row["ended"] for row in connection.execute("SELECT * FROM training_jobs")}
        engine.close()
        found["tags"] = [tag for tag in found["tags"] if ":training-job/" not in tag[0]]
        found["running"] = [name for name, ended in jobs.items() if ended is None]
        found["contents"] = [path for path in (self.home / "s3").rglob("*") if path.is_file()]
        found["folders"] = [path for path in (self.home / "jobs").glob("*") if path.name not in jobs]
        found["files of jobs"] = list((self.home / "jobs").glob("*/ml"))
        return {name: rows for name, rows in found.items() if rows}


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path)


def upload(program: Program, workspace: Workspace) -> None:
    program.runner(workspace).upload_dataset(program.data)


def train(program: Program, workspace: Workspace) -> None:
    program.runner(workspace).run()


def compute(program: Program, workspace: Workspace) -> None:
    with program.runner(workspace).trial({"C": 1.0}) as trial:
        trial.log_parameter("rows", 1)
        trial.log_metric("score", 0.5)
        trial.log_artifact(program.data / "rows.csv")
        trial.log_model(program.script)


def track(program: Program, workspace: Workspace) -> None:
    runner = program.runner(workspace)
    with runner.step("Cleaning") as step:
        step.log_artifact(program.data / "rows.csv")
    with runner.trial() as trial:
        pass
    with runner.step("Evaluation", trial=trial) as step:
        step.log_metric("f1", 0.5)


def clean_up(_program: Program, workspace: Workspace) -> None:
    with contextlib.suppress(NotFoundError):
        workspace.cleanup_plan("churn").execute(max_parallel=1)


def is_interrupted(number: int, operation: Callable[[], None]) -> bool:
    """Whether Ctrl-C came after the call of that number, and so whether there were so many."""
    return len(interrupted_after(number, operation)) == number + 1


def everything(program: Program, workspace: Workspace) -> None:
    for operation in (upload, train, compute, track):
        operation(program, workspace)


@pytest.mark.parametrize("operation", [upload, train, compute, track])
def test_killed_operation_can_be_cleaned_up(program: Program, operation: Operation) -> None:
    """After each of its calls that change something: 50 in all."""
    number = 0
    while killed_after(number, lambda: program.run(operation)):
        program.run(clean_up)
        assert program.left() == {}, number
        number += 1

    assert number > 4


@pytest.mark.parametrize("operation", [upload, train, compute])
def test_interrupted_operation_can_be_repeated_and_cleaned_up(program: Program, operation: Operation) -> None:
    """After every second of its calls that change something: 14 in all."""
    number = 0
    while is_interrupted(number, lambda: program.run(operation)):
        program.run(operation)
        program.run(clean_up)
        assert program.left() == {}, number
        number += 2

    assert number > 4


def test_operations_killed_within_a_call_can_be_cleaned_up(program: Program) -> None:
    """Around transactions and changes of files."""
    number, has_more = 0, True
    while has_more:
        with stopped(lambda: program.run(everything), program.home, number, "kill") as has_more:
            pass
        program.run(clean_up)
        assert program.left() == {}, number
        number += 41

    assert number > 100


@pytest.mark.parametrize("is_stopped", [killed_after, is_interrupted])
def test_stopped_cleanup_is_finished_by_the_next(
    program: Program, tmp_path: Path, is_stopped: Callable[[int, Callable[[], None]], bool]
) -> None:
    """After every second of its 29 calls that change something."""
    program.run(everything)
    shutil.move(program.home, tmp_path / "full")
    number, has_more = 0, True
    while has_more:
        shutil.copytree(tmp_path / "full", program.home)
        has_more = is_stopped(number, lambda: program.run(clean_up))
        program.run(clean_up)
        assert program.left() == {}, number
        shutil.rmtree(program.home)
        number += 2

    assert number > 25
