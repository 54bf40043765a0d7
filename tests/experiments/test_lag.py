"""The whole workflow on an account that is as late as AWS on a bad day: it ends as on one that is never late."""

import json
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.support.late import Account, command_line, late_account
from tests.support.sent import Sent, record_calls
from tests.support.toy_job import TOY

from mnist_tracking import ExperimentRunner, HyperparameterSweep, JobSpec, Leaderboard
from mnist_tracking.embedded import Lag

SPACE = {"slope": [1.0, 4.0, 2.0]}
SCORES = {4: 3.5, 2: 1.75, 1: 0.875}


@pytest.fixture(params=range(3))
def account(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Account]:
    with late_account(tmp_path / "home", Lag.like_aws(seed=request.param)) as account:
        yield account


@pytest.fixture
def sent(account: Account) -> Sent:
    return record_calls(account[1])


@pytest.fixture
def runner(account: Account, sent: Sent, toy_job: Callable[..., JobSpec], tmp_path: Path) -> ExperimentRunner:
    data = tmp_path / "data"
    data.mkdir()
    (data / "rows.csv").write_text("1,2\n")
    runner = ExperimentRunner(account[1], "lines", job=toy_job())
    runner.upload_dataset(data)
    return runner


def test_everything_ends_as_if_nothing_were_late(
    account: Account, sent: Sent, runner: ExperimentRunner, tmp_path: Path
) -> None:
    """Sweep, resume, compare, trace, download, deploy, clean up; without a warning."""
    _, workspace, clock = account
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        board = HyperparameterSweep(runner, SPACE, max_parallel=2).run()
        again = HyperparameterSweep(runner, SPACE).run(resume=True)

        assert {trial.hyperparameters["slope"]: trial.metrics["score"].last for trial in board} == SCORES
        assert [trial.hyperparameters["slope"] for trial in board] == list(SCORES)
        assert [trial.name for trial in again] == [trial.name for trial in board]
        assert [operation for operation, _ in sent].count("CreateTrainingJob") == 3
        steps = [step.display_name for step in board.best.steps]
        assert steps == ["Preprocessing", "Training"]
        assert [node.kind for node in board.best.lineage().nodes].count("training job") == 1
        download = board.best.download(tmp_path / "best")
        assert json.loads((tmp_path / "best" / "model" / "line.json").read_text()) == {"slope": 3.5}
        assert not download.missing
        with board.best.deploy(entry_point=TOY / "train.py", serializer="numpy", deserializer="numpy") as endpoint:
            assert endpoint.predict(np.array([2.0])).tolist() == [7.0]
        report = runner.cleanup()

    assert report.failed == ()
    assert {kind for kind, *_ in report.kept} == {"training job"}
    client = workspace.client("sagemaker")
    assert client.list_trial_components()["TrialComponentSummaries"] == []
    assert client.list_experiments()["ExperimentSummaries"] == []
    assert clock.seconds > 30


def test_another_program_finds_what_has_just_ended(account: Account, runner: ExperimentRunner) -> None:
    _, workspace, _ = account
    first, second = runner.submit({"slope": 1.0}, name="first"), runner.submit({"slope": 2.0}, name="second")
    results = [workspace.submitted(name).result() for name in (first.name, second.name)]
    runner.submit({"behaviour": "exit"}, name="failed").wait()
    board = Leaderboard.load(workspace, "lines")

    assert [trial.metrics["score"].last for trial in results] == [0.875, 1.75]
    assert board.best.name == "second"
    assert {trial.name: trial.status for trial in board} == {
        "first": "Completed", "second": "Completed", "failed": "Failed"
    }  # fmt: skip
    assert workspace.trial("failed").failure_reason.endswith("exit code: 1")


def test_the_command_line_shows_what_it_has_just_trained(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    engine, workspace, _ = account
    ask = command_line(monkeypatch, engine, workspace)
    script = ["train.py", "--source-dir", str(TOY), "-e", "lines", "--metric", "score=score=(.*?);"]
    trained = ask("run", *script, "--param", "slope=2.0", "--name", "only", "--format", "json")
    swept = ask("sweep", *script, "--objective", "score", "--grid", "slope=1.0,4.0", "--format", "json")
    shown = ask("show", "only", "--format", "json")
    cleaned = ask("cleanup", "lines", "--yes")

    assert json.loads(trained.stdout)["metrics"]["score"]["last"] == 1.75
    assert len(json.loads(swept.stdout)) == 3
    assert json.loads(shown.stdout)["status"] == "Completed"
    assert cleaned.exit_code == 0, cleaned.output
    assert workspace.client("sagemaker").list_trials()["TrialSummaries"] == []
