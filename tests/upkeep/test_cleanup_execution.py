"""Executing a cleanup plan: in whatever state things are by then, nothing else is touched, and it carries on."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mnist_tracking import AccessDeniedError, BestModelDeployer, ExperimentRunner, JobTimeoutError, Workspace
from mnist_tracking.embedded import EmbeddedSageMaker, Fault

OURS = [{"Key": "mnist-tracking:created-by", "Value": "mnist-tracking"}]
Rest = Callable[[], list[str]]


@pytest.fixture
def engine_settings(naps: list[float]) -> dict[str, Any]:
    return {"sleep": naps.append}


@pytest.fixture
def tracked(workspace: Workspace, tmp_path: Path) -> ExperimentRunner:
    """An experiment with a shared step and two trials, each with a model."""
    runner = ExperimentRunner(workspace, "lines")
    (tmp_path / "model").write_text("1")
    with runner.step("Cleaning"):
        pass
    for name in ("a", "b"):
        with runner.trial({"slope": 1.0}, name=name) as trial:
            trial.log_model(tmp_path / "model")
    return runner


@pytest.fixture
def rest(workspace: Workspace, client: Any) -> Rest:
    """Returns the names of what there is: experiments, trials, display names of components, objects."""

    def names() -> list[str]:
        objects = workspace.client("s3").list_objects_v2(Bucket=workspace.bucket).get("Contents", [])
        return [
            *(found["ExperimentName"] for found in client.list_experiments()["ExperimentSummaries"]),
            *sorted(found["TrialName"] for found in client.list_trials()["TrialSummaries"]),
            *sorted(found["DisplayName"] for found in client.list_trial_components()["TrialComponentSummaries"]),
            *(found["Key"].split("/lines/")[1] for found in objects),
        ]

    return names


def component_of(client: Any, trial: str) -> str:
    """The trial's training."""
    found = client.list_trial_components(TrialName=trial)["TrialComponentSummaries"]
    return str(next(c["TrialComponentName"] for c in found if c["DisplayName"] == "Training"))


def test_a_plan_that_was_executed_finds_nothing_more(tracked: ExperimentRunner, rest: Rest) -> None:
    plan = tracked.cleanup_plan()
    first, second = plan.execute(), plan.execute()

    assert rest() == []
    assert (len(first.deleted), first.objects, first.size_bytes > 0) == (6, 2, True)
    assert (second.deleted, second.kept, second.failed, second.objects) == ((), (), (), 0)


def test_progress_is_told_up_to_the_end(tracked: ExperimentRunner) -> None:
    told: list[tuple[int, int]] = []

    plan = tracked.cleanup_plan()
    plan.execute(max_parallel=2, on_progress=lambda done, total: told.append((done, total)))

    assert told == [(done, 8) for done in range(1, 9)]


def test_what_is_gone_meanwhile_is_fine(tracked: ExperimentRunner, client: Any, rest: Rest) -> None:
    plan, component = tracked.cleanup_plan(), component_of(client, "a")
    for found in client.list_trial_components(TrialName="a")["TrialComponentSummaries"]:
        client.disassociate_trial_component(TrialName="a", TrialComponentName=found["TrialComponentName"])
    client.delete_trial_component(TrialComponentName=component)
    client.delete_trial(TrialName="a")

    report = plan.execute()

    assert (report.failed, report.kept, rest()) == ((), (), [])
    assert ("trial", "a") not in report.deleted


def test_a_step_that_another_trial_has_meanwhile_stays_with_its_data(
    tracked: ExperimentRunner, client: Any, rest: Rest
) -> None:
    plan, component = tracked.cleanup_plan(), component_of(client, "a")
    client.create_experiment(ExperimentName="other")
    client.create_trial(TrialName="theirs", ExperimentName="other")
    client.associate_trial_component(TrialName="theirs", TrialComponentName=component)

    report = plan.execute()

    assert {reason for _, _, reason in report.kept} == {
        "attached to trial theirs since the plan was made",
        f"data of {component}",
        "some of its data is in use",
    }
    assert rest() == ["other", "lines", "theirs", "Training", "jobs/a/output/model.tar.gz"]


def test_a_trial_that_was_made_meanwhile_stays(tracked: ExperimentRunner, rest: Rest, tmp_path: Path) -> None:
    plan = tracked.cleanup_plan()
    with tracked.trial(name="c") as trial:
        trial.log_model(tmp_path / "model")

    report = plan.execute()

    assert [(kind, reason) for kind, _, reason in report.kept] == [
        ("trial component", "attached to trial c since the plan was made"),
        ("experiment", "it still has the trial c"),
    ]
    assert rest() == ["lines", "c", "Cleaning", "Training", "jobs/c/output/model.tar.gz"]


def test_a_step_that_was_recorded_meanwhile_stays_in_its_trial(
    tracked: ExperimentRunner, rest: Rest, tmp_path: Path
) -> None:
    plan = tracked.cleanup_plan(trials=["a"])
    with tracked.step("Evaluation", trial="a") as step:
        step.log_artifact(tmp_path / "model")

    report = plan.execute()

    assert ("trial", "a", f"it still has the step {step.component_name}") in report.kept
    assert rest()[:5] == ["lines", "a", "b", "Cleaning", "Evaluation"]
    assert f"steps/{step.component_name}/model" in rest()


def test_objects_that_were_put_meanwhile_stay(tracked: ExperimentRunner, rest: Rest) -> None:
    plan = tracked.cleanup_plan()
    s3, bucket = tracked.workspace.client("s3"), tracked.workspace.bucket
    s3.put_object(Bucket=bucket, Key="mnist-tracking/lines/jobs/a/output/later", Body=b"")

    plan.execute()

    assert rest() == ["jobs/a/output/later"]


@pytest.mark.parametrize(
    "operation", ["ListTrials", "AddTags", "DisassociateTrialComponent", "DeleteTrialComponent", "DeleteTrial"]
)
def test_one_failure_does_not_hold_up_the_others(
    engine: EmbeddedSageMaker, tracked: ExperimentRunner, rest: Rest, operation: str
) -> None:
    """The experiment stays until the rest is gone, so that the next plan finds it."""
    plan = tracked.cleanup_plan()
    with engine.inject(Fault("AccessDeniedException", operation=operation)):
        report = plan.execute()

    ((kind, name, error),) = report.failed
    assert isinstance(error, AccessDeniedError)
    assert f"not deleted: {kind} {name}: {operation} failed (AccessDeniedException)" in str(report)
    assert ("experiment", "lines", "some of its contents could not be deleted; clean up again") in report.kept
    assert len(report.deleted) >= 2
    assert tracked.cleanup_plan().execute().failed == ()
    assert rest() == []


def test_steps_that_were_taken_out_of_their_trials_are_found_again(
    engine: EmbeddedSageMaker, tracked: ExperimentRunner, rest: Rest
) -> None:
    """Also those of a part of the trials, though these are gone."""
    plan = tracked.cleanup_plan(trials=["a"])
    with engine.inject(Fault("AccessDeniedException", operation="DeleteTrialComponent", times=None)):
        plan.execute()

    assert rest() == ["lines", "b", "Cleaning", "Training", "Training", "jobs/b/output/model.tar.gz"]
    tracked.cleanup_plan(trials=["b"]).execute()
    assert rest() == ["lines", "Cleaning"]


def test_objects_that_cannot_be_deleted_are_reported(
    engine: EmbeddedSageMaker, tracked: ExperimentRunner, client: Any, rest: Rest
) -> None:
    """What finds them again is kept: without their trial, they could be anybody's."""
    components = [component_of(client, name) for name in "ab"]
    with engine.inject(Fault("AccessDenied", operation="DeleteObjects")):
        report = tracked.cleanup_plan().execute()

    assert [kind for kind, _, _ in report.failed] == ["S3 objects"]
    assert {
        (kind, name) for kind, name, why in report.kept if why == "some of its S3 objects could not be deleted"
    } == {
        *(("trial", name) for name in "ab"),
        *(("trial component", component) for component in components),
    }
    assert (report.objects, len(rest())) == (0, 7)
    tracked.cleanup()
    assert rest() == []


def test_expired_credentials_are_one_error_and_the_next_call_carries_on(
    engine: EmbeddedSageMaker, tracked: ExperimentRunner, rest: Rest
) -> None:
    plan = tracked.cleanup_plan()
    with (
        engine.inject(Fault("ExpiredTokenException", operation="DeleteTrialComponent", times=None)),
        pytest.raises(AccessDeniedError, match="Renew the credentials and call again"),
    ):
        plan.execute()
    plan.execute()

    assert rest() == []


def test_throttling_slows_it_down_and_nothing_is_lost(
    engine: EmbeddedSageMaker, tracked: ExperimentRunner, naps: list[float], rest: Rest
) -> None:
    with engine.inject(Fault("ThrottlingException", operation="DeleteTrialComponent", times=5)):
        report = tracked.cleanup_plan().execute()

    assert (report.failed, len(naps), rest()) == ((), 5, [])


def test_an_endpoint_that_cannot_be_deleted_can_be_found_again(
    engine: EmbeddedSageMaker, tracked: ExperimentRunner, client: Any, rest: Rest, script: Path
) -> None:
    endpoint = BestModelDeployer(tracked.workspace).deploy("a", entry_point=script, delete=False)
    with engine.inject(Fault("AccessDeniedException", operation="DeleteEndpoint")):
        report = tracked.cleanup_plan().execute()

    assert endpoint.status == "InService"
    assert len(client.list_endpoint_configs()["EndpointConfigs"]) == len(client.list_models()["Models"]) == 1
    assert rest()[:3] == ["lines", "a", "Deployment"]
    assert {kind for kind, _, _ in report.kept} == {
        *("endpoint config", "model", "trial component", "S3 objects", "trial", "experiment")
    }
    tracked.cleanup_plan().execute()
    assert (client.list_endpoints()["Endpoints"], client.list_models()["Models"], rest()) == ([], [], [])


def test_the_records_of_a_job_that_cannot_be_stopped_stay(engine: EmbeddedSageMaker, runner: ExperimentRunner) -> None:
    with pytest.raises(JobTimeoutError):
        runner.run({"behaviour": "hang"}, name="hanging", timeout_s=0.0)
    with engine.inject(Fault("AccessDeniedException", operation="StopTrainingJob")):
        report = runner.cleanup_plan().execute()

    ((kind, job, _),) = report.failed
    assert kind == "training job"
    assert report.deleted == ()
    assert ("trial component", f"{job}-aws-training-job", f"its training job {job} could not be stopped") in report.kept
    runner.cleanup()


def test_many_trials_go(tracked: ExperimentRunner, client: Any, rest: Rest) -> None:
    """A page has 100, and S3 deletes 1000 objects at once."""
    shared = component_of(client, "a")
    s3, bucket = tracked.workspace.client("s3"), tracked.workspace.bucket
    for number in range(101):
        client.create_trial(TrialName=f"t{number}", ExperimentName="lines", Tags=OURS)
        client.create_trial_component(TrialComponentName=f"c{number}", Tags=OURS)
        for component in (f"c{number}", shared):
            client.associate_trial_component(TrialName=f"t{number}", TrialComponentName=component)
    for number in range(1001):
        s3.put_object(Bucket=bucket, Key=f"mnist-tracking/lines/jobs/t{number % 101}/x{number}", Body=b"1")

    report = tracked.cleanup()

    assert rest() == []
    assert str(report).startswith("deleted 104 trial components, 103 trials, 1 experiment, 1003 S3 objects (")
