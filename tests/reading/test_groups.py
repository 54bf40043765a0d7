"""Configurations: what belongs to one, what is computed of its repeats, and which are tied with the best."""

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from mnist_tracking import (
    ConfigError,
    ExperimentRunner,
    HyperparameterSweep,
    JobSpec,
    Leaderboard,
    Objective,
    Workspace,
)
from mnist_tracking.reading.groups import Groups


def filled(workspace: Workspace, configurations: dict[Any, list[float | None]], **more: Any) -> Leaderboard:
    """A leaderboard of trials with the values of configurations; None for a trial that fails."""
    runner = ExperimentRunner(workspace, "repeats")
    for configuration, values in configurations.items():
        for seed, value in enumerate(values):
            try:
                with runner.trial({"depth": configuration, "seed": seed, **more}) as trial:
                    if value is None:
                        raise ArithmeticError
                    trial.log_metric("score", value)
            except ArithmeticError:
                pass
    return Leaderboard.load(workspace, "repeats", objective="score")


def means(groups: Groups) -> dict[object, float | None]:
    return {group.hyperparameters["depth"]: group.mean for group in groups}


def test_repeats_differ_in_their_seed_alone(workspace: Workspace) -> None:
    groups = filled(workspace, {2: [0.25, 0.75], "2": [0.5], 3: [None, 1.0], 4: [None]}).groups()

    assert means(groups) == {3: 1.0, 2: 0.5, "2": 0.5, 4: None}
    assert [(group.n, len(group.trials)) for group in groups] == [(1, 2), (2, 2), (1, 1), (0, 1)]
    assert [group.is_tied for group in groups] == [True, None, None, None]
    assert groups.over == ("seed",)


def test_a_configuration_that_is_worse_is_not_tied(workspace: Workspace) -> None:
    values: dict[Any, list[float | None]] = {
        "best": [0.9, 0.91, 0.92],
        "near": [0.89, 0.9, 0.92],
        "worse": [0.5, 0.51, 0.52],
    }
    groups = filled(workspace, values).groups()

    assert [(group.hyperparameters["depth"], group.is_tied) for group in groups] == [
        ("best", True),
        ("near", True),
        ("worse", False),
    ]
    assert groups[0].p_value is None
    scipy = pytest.importorskip("scipy.stats")
    alone = scipy.ttest_ind(values["best"], values["worse"], equal_var=False).pvalue
    assert groups[2].p_value == pytest.approx(2 * alone, rel=1e-9)


def test_the_least_mean_is_the_best_of_what_is_minimized(workspace: Workspace) -> None:
    filled(workspace, {1: [0.5, 0.5], 2: [0.25, 0.25]})
    board = Leaderboard.load(workspace, "repeats", objective=Objective("score", goal="minimize"))

    groups = board.groups()
    assert means(groups) == {2: 0.25, 1: 0.5}
    assert [group.is_tied for group in groups] == [True, False]


def test_the_frame_has_typed_columns(workspace: Workspace) -> None:
    frame = filled(workspace, {1: [0.5, 0.7], 2: [0.1]}).dataframe(group_by="configuration")

    assert list(frame.columns) == [
        *("experiment", "n", "trials", "mean", "std_dev", "ci_low", "ci_high", "p_value", "tied_with_best"),
        "param.depth",
    ]
    assert frame["tied_with_best"].tolist() == [True, pd.NA]
    assert frame.loc[0, "ci_low"] == pytest.approx(0.6 - 12.7062047361747 * 0.1, rel=1e-9)
    assert frame["std_dev"].isna().tolist() == [False, True]
    pd.testing.assert_frame_equal(frame, filled(workspace, {}).groups("seed").dataframe())


def test_what_is_shown_says_what_was_compared(workspace: Workspace) -> None:
    groups = filled(workspace, {1: [0.5, 0.7], "<b>": [0.1, None]}).groups()
    what, how, head, *rows = str(groups).splitlines()

    assert what == "The mean over seed of 'score' (last)."
    assert how == "95 % intervals of Student's t; tied with the best by Welch's t-test, with Holm's method."
    assert head.split() == ["depth", "n", "mean", "std_dev", "95", "%", "interval", "tied"]
    assert rows[0].split() == ["1", "2", "0.6", "0.141421", "-0.67062", "to", "1.87062", "yes"]
    assert "1 of 2" in rows[1]
    assert "unknown" in rows[1]
    assert "&lt;b&gt;" in groups._repr_html_()
    assert groups.to_markdown().splitlines()[0] == "| depth | n | mean | std_dev | 95 % interval | tied |"


def test_without_repeats_there_is_nothing_to_compare(workspace: Workspace) -> None:
    groups = filled(workspace, {1: [0.5], 2: [0.4]}).groups()

    assert "without repeats, there is no spread to compare" in groups.note


def test_other_hyperparameters_can_be_repeated(workspace: Workspace) -> None:
    board = filled(workspace, {1: [0.5, 0.7], 2: [0.1, 0.3]}, fold=3)

    assert [group.n for group in board.groups(over=["seed", "depth"])] == [4]
    assert [group.n for group in board.groups(over="depth")] == [2, 2]
    with pytest.raises(ConfigError, match=r"over='sed' is not a hyperparameter of any trial; .* Did you mean 'seed'\?"):
        board.groups(over="sed")
    assert [group.n for group in board.groups(over=[])] == [1, 1, 1, 1]


@pytest.mark.parametrize("wrong", [{}, 3, [""], [3], ""])
def test_what_is_repeated_is_named(workspace: Workspace, wrong: Any) -> None:
    board = filled(workspace, {1: [0.5]})

    with pytest.raises(ConfigError, match="expected a name, or a list of names"):
        board.groups(over=wrong)


def test_a_leaderboard_without_objective_has_no_groups(workspace: Workspace) -> None:
    ExperimentRunner(workspace, "repeats")
    board = Leaderboard.load(workspace, "repeats")

    with pytest.raises(ConfigError, match="objective"):
        board.groups()
    with pytest.raises(ConfigError, match="expected group_by='configuration'"):
        board.dataframe(group_by="trial")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="expected group_by='configuration'"):
        board.dataframe("analytics", group_by="configuration")


def test_a_sweep_says_what_it_repeats_and_what_it_varies_of_the_job(
    workspace: Workspace, toy_job: Callable[..., JobSpec]
) -> None:
    runner = ExperimentRunner(workspace, "swept", job=toy_job(hyperparameters={"steps": 2}))
    space: dict[str, Any] = {"slope": [1.0], "job:instance_type": ["ml.m5.xlarge", "ml.c5.xlarge"]}
    board = HyperparameterSweep(runner, space, repeats=2, repeat_by="steps", max_parallel=2).run(progress=False)
    groups = board.groups()

    assert groups.over == ("steps",)
    assert [group.n for group in groups] == [2, 2]
    assert {group.hyperparameters["job:instance_type"] for group in groups} == {"ml.m5.xlarge", "ml.c5.xlarge"}
    assert set(board.dataframe()["param.job:instance_type"]) == {"ml.m5.xlarge", "ml.c5.xlarge"}
    assert "job:instance_type" in str(board)
