"""Cleaning up what the Tracker made of a step's files: the artifacts, and the associations that link them to it."""

from pathlib import Path
from typing import Any

import pytest

from mnist_tracking import AccessDeniedError, ExperimentRunner, Workspace
from mnist_tracking.embedded import EmbeddedSageMaker, Fault


@pytest.fixture
def logged(engine: EmbeddedSageMaker, tmp_path: Path) -> ExperimentRunner:
    """An experiment with a step that logged a file that it read, one that it wrote, and a table."""
    runner = ExperimentRunner(Workspace.embedded(engine=engine), "lines")
    for name in ("read.csv", "written.csv"):
        (tmp_path / name).write_text(name)
    with runner.step("Evaluation") as step:
        step.log_artifact(tmp_path / "read.csv", direction="input")
        step.log_artifact(tmp_path / "written.csv")
        step.log_table({"digit": [7]})
    return runner


@pytest.fixture
def client(logged: ExperimentRunner) -> Any:
    return logged.workspace.client("sagemaker")


def rest(engine: EmbeddedSageMaker) -> dict[str, int]:
    """The rows that there are by table; the bucket stays, whoever made it."""
    with engine.store.read() as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        rows = {name: connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in tables}
    return {name: count for name, count in rows.items() if count and name != "buckets"}


def artifacts(client: Any) -> list[str]:
    links = client.list_associations()["AssociationSummaries"]
    return [arn for link in links for arn in (link["SourceArn"], link["DestinationArn"]) if ":artifact/" in arn]


def components(client: Any) -> list[str]:
    return [found["TrialComponentArn"] for found in client.list_trial_components()["TrialComponentSummaries"]]


def component(client: Any) -> str:
    return components(client)[0]


def test_nothing_is_left_of_what_a_step_logged(engine: EmbeddedSageMaker, logged: ExperimentRunner) -> None:
    assert {"lineage_artifacts": 3, "lineage_associations": 3}.items() <= rest(engine).items()

    report = logged.cleanup()

    assert rest(engine) == {}
    assert str(report).startswith("deleted 3 artifacts, 1 trial component, 1 experiment, 3 S3 objects (")


def test_an_artifact_that_something_else_needs_stays(logged: ExperimentRunner, client: Any) -> None:
    theirs = client.create_trial_component(TrialComponentName="theirs")["TrialComponentArn"]
    shared = artifacts(client)[0]
    client.add_association(SourceArn=shared, DestinationArn=theirs, AssociationType="ContributedTo")

    report = logged.cleanup()

    assert artifacts(client) == [shared]
    assert str(report).startswith("deleted 2 artifacts,")


def test_an_artifact_of_two_steps_goes_with_both(
    engine: EmbeddedSageMaker, logged: ExperimentRunner, client: Any
) -> None:
    (shared, *_), first = artifacts(client), component(client)
    with logged.step("Notes"):
        pass
    second = next(c for c in components(client) if c != first)
    client.add_association(SourceArn=shared, DestinationArn=second, AssociationType="ContributedTo")

    logged.cleanup()

    assert rest(engine) == {}


def test_an_artifact_that_is_not_ours_stays(logged: ExperimentRunner, client: Any) -> None:
    """It loses its association with what goes."""
    arn = client.create_artifact(ArtifactType="Data", Source={"SourceUri": "s3://theirs/data"}, Tags=[])["ArtifactArn"]
    client.add_association(SourceArn=arn, DestinationArn=component(client), AssociationType="ContributedTo")

    logged.cleanup()

    assert artifacts(client) == []
    client.delete_artifact(ArtifactArn=arn)


def test_an_artifact_that_was_read_and_written_goes(
    engine: EmbeddedSageMaker, logged: ExperimentRunner, client: Any
) -> None:
    source, destination = artifacts(client)[0], component(client)
    for link in ((source, destination), (destination, source)):
        client.add_association(SourceArn=link[0], DestinationArn=link[1], AssociationType="AssociatedWith")

    logged.cleanup()

    assert rest(engine) == {}


@pytest.mark.parametrize("operation", ["ListAssociations", "DeleteAssociation", "DeleteArtifact"])
def test_artifacts_that_cannot_be_deleted_are_found_again(
    engine: EmbeddedSageMaker, logged: ExperimentRunner, operation: str
) -> None:
    """Their step stays, and so does the experiment, until they are gone."""
    with engine.inject(Fault("AccessDeniedException", operation=operation)):
        report = logged.cleanup_plan().execute()

    ((kind, _, error),) = report.failed
    assert kind == "trial component"
    assert isinstance(error, AccessDeniedError)
    assert ("experiment", "lines", "some of its contents could not be deleted; clean up again") in report.kept
    assert logged.cleanup_plan().execute().failed == ()
    assert rest(engine) == {}
