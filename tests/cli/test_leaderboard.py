"""The command ``leaderboard``: notes, costs and configurations."""

import csv
import json
from collections.abc import Callable

import pytest
from click.testing import Result

from mnist_tracking import ExperimentRunner, Workspace

Ask = Callable[..., Result]


def record(workspace: Workspace, values: list[float], metric: str = "score", depth: int = 1) -> None:
    runner = ExperimentRunner(workspace, "ranks")
    for seed, value in enumerate(values):
        with runner.trial({"depth": depth, "seed": seed}) as trial:
            trial.log_metric(metric, value)


def test_ties_the_test_set_and_costs_are_reported(ask: Ask, workspace: Workspace) -> None:
    record(workspace, [0.5, 0.5], "test:f1")
    found = ask("leaderboard", "ranks", "--objective", "test:f1", "--costs")
    ranked = json.loads(ask("leaderboard", "ranks", "--objective", "test:f1", "--format", "json").stdout)

    assert "Ranked by 'test:f1', a metric of the test set" in found.stderr
    assert "Costs of jobs on AWS, at prices of us-east-1, " in found.stderr
    assert found.stdout.count("tied with 1 other") == 2
    assert [(trial["rank"], trial["tied"], trial["cost_usd"]) for trial in ranked] == [(1, 1, None), (2, 1, None)]


def test_configurations_in_each_format(ask: Ask, workspace: Workspace) -> None:
    record(workspace, [0.5, 0.7])
    record(workspace, [0.9, 0.9], depth=2)
    grouped = ("leaderboard", "ranks", "--objective", "score", "--group-by", "configuration")

    table = ask(*grouped)
    assert table.stdout.splitlines()[0].split() == ["depth", "n", "mean", "std_dev", "95", "%", "interval", "tied"]
    assert "Welch's t-test" in table.stderr
    rows = list(csv.DictReader(ask(*grouped, "--format", "csv").stdout.splitlines()))
    assert [(row["param.depth"], row["n"], row["tied_with_best"]) for row in rows] == [
        ("2", "2", "true"),
        ("1", "2", "true"),
    ]
    first, second = json.loads(ask(*grouped, "--format", "json").stdout)
    assert (first["mean"], first["std_dev"], second["n"], len(second["trials"])) == (0.9, 0.0, 2, 2)
    assert [
        len(json.loads(ask(*grouped, "--over", name, "--format", "json").stdout)) for name in ("seed", "depth")
    ] == [
        2,
        2,
    ]


def test_repeats_that_do_not_exist_are_an_error(ask: Ask, workspace: Workspace) -> None:
    record(workspace, [0.5])

    assert ask("leaderboard", "ranks", "--over", "seed").exit_code == 2
    wrong = ask("leaderboard", "ranks", "--objective", "score", "--group-by", "configuration", "--over", "sed")
    assert wrong.exit_code == 1
    assert "Did you mean 'seed'?" in wrong.stderr


def test_importance_in_each_format(ask: Ask, workspace: Workspace) -> None:
    pytest.importorskip("optuna")
    for depth in (1, 2, 3):
        record(workspace, [depth + seed / 100 for seed in range(4)], depth=depth)
    command = ("leaderboard", "ranks", "--objective", "score", "--importance", "--format")

    shares = json.loads(ask(*command, "json").stdout)
    assert list(shares) == ["depth", "seed"]
    assert ask(*command, "csv").stdout.splitlines()[0] == "hyperparameter,share"
    assert ask(*command, "table").stdout.splitlines()[1].split()[0] == "depth"
    assert ask(*command, "json", "--group-by", "configuration").exit_code == 2
    few = ask(*command, "json", "--param", "depth=1")
    assert (few.exit_code, "importance needs 10" in few.stderr) == (1, True)


def test_a_statistic_of_last_values_is_an_option(ask: Ask, workspace: Workspace) -> None:
    with ExperimentRunner(workspace, "ranks").trial() as trial:
        for value in (0.0, 1.0, 2.0):
            trial.log_metric("score", value)

    options = ("leaderboard", "ranks", "--objective", "score", "--format", "json", "--statistic")
    assert json.loads(ask(*options, "last-2-mean").stdout)[0]["objective"] == 1.5
    wrong = ask(*options, "mean")
    assert wrong.exit_code != 0
    assert "expected one of 'last', 'max', 'min', 'avg', or 'last-5-mean'" in wrong.stderr
