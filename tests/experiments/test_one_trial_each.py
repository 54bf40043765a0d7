"""What a sweep leaves: a trial for each configuration, with everything in one place."""

from mnist_tracking import ExperimentRunner, HyperparameterSweep, Workspace


def test_each_configuration_is_a_trial_whose_one_training_holds_all_of_it(
    runner: ExperimentRunner, workspace: Workspace
) -> None:
    """A range of one value is a fine space; metrics and model are not in two components; every row names its trial."""
    board = HyperparameterSweep(runner, {"slope": [1.0], "steps": [2, 3]}, max_parallel=2).run()
    frame = board.dataframe()
    trainings = [workspace.trial(name).steps for name in frame["trial"]]

    assert set(frame["trial"]) == {trial.name for trial in workspace.trials("lines")}
    assert set(frame["status"]) == {"Completed"}
    assert frame["duration_s"].notna().all()
    assert sorted(frame["param.steps"]) == [2, 3]
    for (training,) in trainings:
        assert training.display_name == "Training"
        assert training.parameters["slope"] == 1
        assert {"score", "error"} <= set(training.metrics)
        assert "SageMaker.ModelArtifact" in {artifact.name for artifact in training.outputs}
