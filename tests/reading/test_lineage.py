"""Lineages of trials that others made, or that nobody has finished."""

import re
from typing import Any

import pytest

from mnist_tracking import ExperimentRunner, LineageTracer, Workspace


@pytest.fixture
def client(workspace: Workspace) -> Any:
    return workspace.client("sagemaker")


def kinds(workspace: Workspace, trial: str) -> list[str]:
    return [node.kind for node in LineageTracer(workspace).trace(trial).nodes]


def test_a_trial_without_steps_has_an_empty_lineage(runner: ExperimentRunner, client: Any) -> None:
    client.create_trial(TrialName="bare", ExperimentName=runner.name)

    lineage = LineageTracer(runner.workspace).trace("bare")

    assert (lineage.components, lineage.nodes, lineage.edges) == ((), (), ())
    assert len(lineage.dataframe()) == 0
    assert str(lineage) == "lineage of bare"


def test_a_trial_that_is_not_deployed_ends_at_its_model(runner: ExperimentRunner) -> None:
    trial = runner.run({"steps": 1})

    lineage = LineageTracer(runner.workspace).trace(trial)

    assert [node.kind for node in lineage.nodes] == ["code", "training job", "model"]
    assert [edge.label for edge in lineage.edges] == ["runs as", "makes"]
    cells = re.findall("<td>(.*)</td>", lineage._repr_html_())  # in rows of three: what, made from, name
    assert [cells[row : row + 2] for row in (0, 3, 6)] == [
        ["code", ""],
        ["training job", "code"],
        ["model", "training job"],
    ]


def test_steps_of_others_are_connected_by_what_they_share(
    workspace: Workspace, runner: ExperimentRunner, client: Any
) -> None:
    """A processing job's component, and a step that reads what it wrote; made with raw calls, in no order of names."""
    client.create_trial(TrialName="theirs", ExperimentName=runner.name)
    features = {"features": {"Value": "s3://b/features", "MediaType": "text/csv"}}
    client.create_trial_component(
        TrialComponentName="z-cleaning",
        DisplayName="Preprocessing",
        InputArtifacts={"raw": {"Value": "s3://b/raw"}},
        OutputArtifacts=features,
    )
    client.create_trial_component(TrialComponentName="a-check", InputArtifacts=features)
    for step in ("a-check", "z-cleaning"):
        client.associate_trial_component(TrialName="theirs", TrialComponentName=step)

    lineage = LineageTracer(runner.workspace).trace("theirs")

    assert [component.name for component in lineage.components] == ["z-cleaning", "a-check"]
    assert kinds(workspace, "theirs") == ["data", "preprocessing", "artifact", "step"]
    assert [node.id for node in lineage.upstream("a-check")] == ["s3://b/features"]
    assert list(lineage.dataframe()["TrialComponentName"]) == ["z-cleaning", "a-check"]


def test_a_step_of_several_trials_is_in_the_lineage_of_each(runner: ExperimentRunner) -> None:
    with runner.step("Cleaning") as step:
        step.log_parameters({"rows": 1})
    trials = [runner.run({"steps": 1}) for _ in range(2)]

    for trial in trials:
        names = [component.name for component in LineageTracer(runner.workspace).trace(trial).components]
        assert names == [step.component_name, trial.component_name]
