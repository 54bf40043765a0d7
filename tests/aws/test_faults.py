"""What the library makes of AWS's refusals, and of a Search that is behind."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mnist_tracking import (
    AccessDeniedError,
    ExperimentRunner,
    HyperparameterSweep,
    Leaderboard,
    LineageTracer,
    ServiceError,
    ThrottledError,
    Workspace,
)
from mnist_tracking.embedded import EmbeddedSageMaker, Fault, Lag


@pytest.fixture
def engine_settings(naps: list[float]) -> dict[str, Any]:
    return {"sleep": naps.append}


class Seen:
    """A `TrialObserver` that keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def started(self, _trial: str, _job: str, _hyperparameters: object) -> None:
        self.events.append("started")

    def logged(self, _trial: str, line: str) -> None:
        self.events.append(line)

    def ended(self, _trial: object) -> None:
        self.events.append("ended")


@pytest.fixture
def names(engine: EmbeddedSageMaker) -> Callable[[], list[str]]:
    """Returns the names of all trials."""
    client = engine.session().client("sagemaker")
    return lambda: [trial["TrialName"] for trial in client.list_trials()["TrialSummaries"]]


def test_throttled_calls_are_repeated(engine: EmbeddedSageMaker, runner: ExperimentRunner) -> None:
    with engine.inject(Fault("ThrottlingException", service="sagemaker", times=6)) as injection:
        trial = runner.run({"slope": 2.0})

    assert (trial.status, injection.failures) == ("Completed", 6)


@pytest.mark.parametrize("code", ["ThrottlingException", "RequestLimitExceeded"])
def test_a_service_that_stays_throttled_is_one_error(
    engine: EmbeddedSageMaker, runner: ExperimentRunner, naps: list[float], code: str
) -> None:
    with (
        engine.inject(Fault(code, operation="CreateTrial", times=None)) as injection,
        pytest.raises(ThrottledError, match=rf"CreateTrial failed \({code}\)"),
    ):
        runner.run()

    assert injection.failures == len(naps) + 1 == 11


def test_a_conflict_with_another_writer_passes(
    engine: EmbeddedSageMaker, runner: ExperimentRunner, naps: list[float]
) -> None:
    injection = engine.inject(Fault("ConflictException", operation="UpdateTrialComponent", times=3))
    with runner.step("Cleaning") as step:
        step.log_parameters({"rows": 3})

    assert injection.failures == len(naps) == 3
    assert all(0.2 < nap < 10 for nap in naps)


def test_a_conflict_that_stays_is_an_error(engine: EmbeddedSageMaker, runner: ExperimentRunner) -> None:
    trial = runner.run()
    with (
        engine.inject(Fault("ConflictException", operation="AssociateTrialComponent", times=None)) as injection,
        pytest.raises(ServiceError, match="ConflictException"),
        runner.step("Evaluation", trial=trial),
    ):
        pass

    assert injection.failures == 8


def test_a_trial_is_taken_back_though_its_links_are_seen_for_a_while(
    engine: EmbeddedSageMaker, runner: ExperimentRunner, names: Callable[[], list[str]]
) -> None:
    with runner.step("Cleaning"):
        pass
    linked = "Trial 'x' has 1 or more trial components and cannot be deleted."
    engine.inject(Fault("AccessDeniedException", operation="CreateTrainingJob"))
    with (
        engine.inject(Fault("ValidationException", operation="DeleteTrial", times=2, message=linked)) as injection,
        pytest.raises(AccessDeniedError, match="CreateTrainingJob"),
    ):
        runner.run()

    assert (injection.failures, names()) == (2, [])


def test_a_trial_that_cannot_be_taken_back_does_not_hide_why(
    engine: EmbeddedSageMaker, runner: ExperimentRunner
) -> None:
    engine.inject(Fault("ExpiredTokenException", operation="CreateTrainingJob"))
    engine.inject(Fault("ExpiredTokenException", operation="ListTrialComponents"))
    with pytest.raises(AccessDeniedError, match=r"CreateTrainingJob.*is expired\. Renew the credentials") as caught:
        runner.run()

    assert "could not be deleted again" in caught.value.__notes__[0]


@pytest.mark.parametrize("code", ["ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "RequestExpired"])
def test_expired_credentials_are_not_taken_for_a_missing_role(
    engine: EmbeddedSageMaker, workspace: Workspace, code: str
) -> None:
    """The role is looked up by GetCallerIdentity."""
    with (
        engine.inject(Fault(code, operation="GetCallerIdentity", times=None)),
        pytest.raises(AccessDeniedError, match="GetCallerIdentity"),
    ):
        _ = workspace.role

    assert ":role/" in workspace.role


@pytest.mark.parametrize("code", ["AccessDenied", "ExpiredToken"])
def test_a_failed_upload_of_code_has_the_class_of_its_reason(
    engine: EmbeddedSageMaker, runner: ExperimentRunner, names: Callable[[], list[str]], code: str
) -> None:
    """boto3 wraps the response in an error without a code."""
    with (
        engine.inject(Fault(code, operation="PutObject", times=None)),
        pytest.raises(AccessDeniedError, match="PutObject") as caught,
    ):
        runner.submit()

    assert caught.value.code == code
    assert caught.value.is_expired == (code == "ExpiredToken")
    assert names() == []


@pytest.mark.parametrize("code", ["AccessDenied", "ExpiredToken"])
def test_a_failed_upload_of_data_has_the_class_of_its_reason(
    engine: EmbeddedSageMaker, runner: ExperimentRunner, tmp_path: Path, code: str
) -> None:
    (tmp_path / "rows.csv").write_text("1,2\n")
    with (
        engine.inject(Fault(code, operation="PutObject", times=None)),
        pytest.raises(AccessDeniedError, match="PutObject") as caught,
    ):
        runner.upload_dataset(tmp_path, files=[tmp_path / "rows.csv"])

    assert caught.value.code == code


def test_a_sweep_outlives_an_outage_longer_than_the_retries(
    engine: EmbeddedSageMaker, runner: ExperimentRunner, workspace: Workspace, names: Callable[[], list[str]]
) -> None:
    """Of the network while the job is submitted and followed, and of the service at its end; nothing is told twice."""
    engine.inject(Fault("EndpointConnectionError", operation="CreateTrainingJob", times=12))
    engine.inject(Fault("ReadTimeoutError", operation="DescribeTrainingJob", after=1, times=23))
    engine.inject(Fault("ServiceUnavailable", operation="DescribeTrialComponent", after=1, times=12))
    seen = Seen()

    board = HyperparameterSweep(runner, {"slope": [1.0]}).run(observer=seen)

    assert [trial.name for trial in board] == names()
    assert board.best.status == "Completed"
    assert seen.events == ["started", *workspace.submitted(board.best.name).logs(), "ended"]


def test_a_sweep_goes_on_when_jobs_cannot_be_started_for_a_while(
    engine: EmbeddedSageMaker, runner: ExperimentRunner, names: Callable[[], list[str]]
) -> None:
    engine.inject(Fault("ResourceLimitExceeded", operation="CreateTrainingJob", times=2))
    engine.inject(Fault("ThrottlingException", operation="CreateTrainingJob", times=11))

    assert len(HyperparameterSweep(runner, {"slope": [1.0, 2.0]}).run()) == len(names()) == 2


def test_a_sweep_does_not_wait_for_a_quota_of_none(engine: EmbeddedSageMaker, runner: ExperimentRunner) -> None:
    engine.quotas["ml.m5.xlarge"] = 0

    with pytest.raises(ServiceError, match="is 0 Instances"):
        HyperparameterSweep(runner, {"slope": [1.0]}).run()


def test_expired_credentials_end_a_sweep_with_one_error_and_resuming_trains_only_the_rest(
    engine: EmbeddedSageMaker, runner: ExperimentRunner, names: Callable[[], list[str]]
) -> None:
    sweep = HyperparameterSweep(runner, {"slope": [1.0, 2.0, 3.0]})
    fault = Fault("ExpiredTokenException", operation="CreateTrainingJob", after=1, times=None)
    with engine.inject(fault), pytest.raises(AccessDeniedError, match="running jobs are not affected") as caught:
        sweep.run()
    assert "Call run() on this sweep" in caught.value.__notes__[-1]
    done = names()

    board = sweep.run(resume=True)

    assert len(done) == 1
    assert [trial.hyperparameters["slope"] for trial in board] == [3, 2, 1]
    assert done[0] in names()
    assert len(names()) == 3


def test_resuming_waits_for_a_job_that_went_on(runner: ExperimentRunner, names: Callable[[], list[str]]) -> None:
    submitted = runner.submit({"slope": 1.0})

    board = HyperparameterSweep(runner, {"slope": [1.0]}).run(resume=True)

    assert [(trial.name, trial.status) for trial in board] == [(submitted.name, "Completed")]
    assert len(names()) == 1


def test_resuming_trains_again_what_failed(runner: ExperimentRunner) -> None:
    sweep = HyperparameterSweep(runner, {"behaviour": ["raise"]})
    sweep.run()

    assert len(sweep.run(resume=True)) == 2


def test_a_trial_is_returned_and_ranked_before_search_shows_it(
    engine: EmbeddedSageMaker, runner: ExperimentRunner
) -> None:
    engine.lag = Lag(search_s=3600)

    trial = runner.run()

    assert trial.status == "Completed"
    assert [found.name for found in Leaderboard.load(runner.workspace, runner.name)] == [trial.name]


def test_data_are_recorded_though_search_does_not_show_them(
    engine: EmbeddedSageMaker, runner: ExperimentRunner, tmp_path: Path
) -> None:
    engine.lag = Lag(search_s=3600)
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "rows.csv").write_text("1,2\n")

    first = runner.upload_dataset(folder)

    assert first.display_name == "Preprocessing"
    assert runner.upload_dataset(folder) == first
    assert runner.data_uri is not None


def test_a_sweep_is_complete_though_search_is_behind(engine: EmbeddedSageMaker, runner: ExperimentRunner) -> None:
    """A lag of 75 s ended a sweep after two of its four jobs."""
    engine.lag = Lag(search_s=3600)

    board = HyperparameterSweep(runner, {"slope": [1.0, 2.0]}, max_parallel=2).run()

    assert [trial.hyperparameters["slope"] for trial in board] == [2, 1]


def test_a_trial_is_read_with_all_steps_before_search_shows_them(
    engine: EmbeddedSageMaker, workspace: Workspace, runner: ExperimentRunner
) -> None:
    engine.lag = Lag(search_s=3600)
    with runner.trial(name="here"):
        pass
    with runner.step("Evaluation", trial="here"):
        pass

    steps = workspace.trial("here").steps

    assert [step.display_name for step in steps] == ["Training", "Evaluation"]
    assert [step.parents for step in steps] == [(("here", "lines"),)] * 2
    engine.lag = Lag(search_s=0)
    assert workspace.trial("here").steps == steps
    assert LineageTracer(runner.workspace).trace("here").components == steps
