"""``mnist-tracking sweep``: spaces, sweep files, strategies and budgets on the command line."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from tests.cli.conftest import METRICS
from tests.support.digits import write_idx_dataset
from tests.support.toy_job import TOY

from mnist_tracking.cli.app import cli
from mnist_tracking.cli.values import RANGE
from mnist_tracking.experiments.sweep.dimensions import integers, loguniform, uniform
from mnist_tracking.experiments.sweep.strategies.make import STRATEGIES
from mnist_tracking.experiments.sweep.strategies.options import PRUNERS

Ask = Callable[..., Result]
SCRIPT = ("--source-dir", str(TOY))
JOB = ("train.py", *SCRIPT, "-e", "lines", *(f"--metric={n}={regex}" for n, regex in METRICS.items()))
RECIPES = Path(__file__).parents[2] / "training"
FILE = r"""
program: train.py
project: lines
metric: {name: score, goal: maximize, regex: 'score=(\S+?);'}
parameters:
  slope: {values: [1, 2]}
  steps: {value: 1}
"""


@pytest.fixture
def sweep_file(tmp_path: Path) -> str:
    path = tmp_path / "sweep.yaml"
    path.write_text(FILE)
    return str(path)


def test_a_sweep_file_names_the_script_the_experiment_and_the_metric(ask: Ask, sweep_file: str) -> None:
    result = ask("sweep", sweep_file, *SCRIPT, "--max-parallel", "2", "--format", "json")
    board = json.loads(result.stdout)

    assert result.exit_code == 0, result.stderr
    assert [(trial["hyperparameters"]["slope"], trial["experiment"]) for trial in board] == [(2, "lines"), (1, "lines")]
    assert board[0]["objective"] == board[0]["metrics"]["score"]["last"]


def test_options_override_the_file(ask: Ask, sweep_file: str) -> None:
    options = ("-e", "other", "--max-trials", "1", "--objective", "error", "--minimize", *JOB[5:])
    result = ask("sweep", sweep_file, *SCRIPT, *options, "--format", "json")
    board = json.loads(result.stdout)

    assert result.exit_code == 0, result.stderr
    assert [trial["experiment"] for trial in board] == ["other"]
    assert board[0]["objective"] == board[0]["metrics"]["error"]["last"]


def test_a_sweep_is_continued_by_its_name(ask: Ask, sweep_file: str) -> None:
    """Its space is recorded in the experiment."""
    first = ask("sweep", sweep_file, *SCRIPT, "--name", "night", "--max-trials", "1")
    again = ask("sweep", *JOB, "--name", "night", "--resume", "--max-trials", "2", "--format", "json")
    unknown = ask("sweep", *JOB, "--name", "nigth", "--resume")

    assert (first.exit_code, again.exit_code, unknown.exit_code) == (0, 0, 1)
    assert sorted(trial["hyperparameters"]["slope"] for trial in json.loads(again.stdout)) == [1, 2]
    assert "No sweep named 'nigth'. Existing: 'night'." in unknown.stderr


def test_a_rule_that_ends_the_sweep_is_reported(ask: Ask, sweep_file: str) -> None:
    result = ask("sweep", sweep_file, *SCRIPT, "--target", "0")

    assert result.exit_code == 0, result.stderr
    assert "The sweep ended early (target: a trial has reached" in result.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--strategy", "random"), "Would train up to 3 trials of 'lines', chosen by random."),
        (("--strategy", "tpe", "--repeats", "2", "--max-trials", "4"), "4 trials of 'lines', 2 of each configuration"),
        (("--strategy", "tpe", "--pruner", "median"), "chosen by tpe, stopped early by median. Nothing was sent."),
    ],
)
def test_a_dry_run_of_a_search_shows_its_space_and_its_budget(
    ask: Ask, tmp_path: Path, options: tuple[str, ...], said: str
) -> None:
    pytest.importorskip("optuna")
    space = ("--range", "slope=1e-3..10:log", "--range", "steps=1..5", "--objective", "score", "--max-trials", "3")
    result = ask("sweep", *JOB, *space, *options, "--dry-run")
    rows = ask("sweep", *JOB, *space, *options, "--dry-run", "--format", "csv").stdout.splitlines()

    assert said in result.stderr
    assert "slope      0.001 to 10, logarithmic" in result.stdout
    assert rows == ["parameter,values", 'slope,"0.001 to 10, logarithmic"', "steps,an integer from 1 to 5"]
    assert not (tmp_path / "home").exists()


def test_a_dry_run_of_a_grid_lists_its_points(ask: Ask) -> None:
    result = ask("sweep", *JOB, "--grid", "slope=1,2", "--range", "steps=1..3:2", "--dry-run", "--format", "json")
    points = [each["hyperparameters"] for each in json.loads(result.stdout)]

    assert points == [{"slope": slope, "steps": steps} for slope in (1, 2) for steps in (1, 3)]
    assert "Would train 4 trials of 'lines'. Nothing was sent." in result.stderr


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("points.csv", "slope,behaviour\n1,\n2.5,exit\n"),
        ("points.json", '[{"slope": 1}, {"slope": 2.5, "behaviour": "exit"}]'),
    ],
)
def test_points_are_read_from_a_file(ask: Ask, tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    result = ask("sweep", *JOB, "--points-from", str(tmp_path / name), "--dry-run", "--format", "json")

    assert [each["hyperparameters"] for each in json.loads(result.stdout)] == [
        {"slope": 1},
        {"slope": 2.5, "behaviour": "exit"},
    ]


@pytest.mark.parametrize("content", ["{}", "[", '{"slope": [1]}'])
def test_points_that_cannot_be_read_are_an_error(ask: Ask, tmp_path: Path, content: str) -> None:
    (tmp_path / "points.json").write_text(content)
    result = ask("sweep", *JOB, "--points-from", str(tmp_path / "points.json"), "--dry-run")

    assert result.exit_code == 1
    assert "points.json' cannot be read: " in result.stderr


@pytest.mark.parametrize(
    ("text", "dimension"),
    [
        ("x=1e-4..1e-1:log", loguniform(1e-4, 1e-1)),
        ("x=0..1.0", uniform(0, 1)),
        ("x=-1..1:0.5", uniform(-1, 1, step=0.5)),
        ("x=2..8", integers(2, 8)),
        ("x=-2..8:2", integers(-2, 8, step=2)),
        ("x=1..64:log", integers(1, 64, log=True)),
    ],
)
def test_ranges_are_typed(text: str, dimension: Any) -> None:
    assert RANGE.convert(text, None, None) == ("x", dimension)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x=1", "'x=1'; expected a range, such as lr=1e-4..1e-1:log"),
        ("x=1-5", "expected a range"),
        ("x=5..1", "low=5 is above high=1"),
        ("x=0..1:log", "since the range is logarithmic"),
        ("x=a..b", "low='a'; expected a finite number"),
        ("1..5", "expected a name and a value"),
    ],
)
def test_a_bad_range_is_rejected(text: str, said: str) -> None:
    with pytest.raises(click.BadParameter, match=said):
        RANGE.convert(text, None, None)


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (JOB, 2, "Pass either --grid and --range, or --points-from, or a sweep file."),
        ((*JOB, "--grid", "slope=1", "--range", "slope=1..2"), 2, "'slope' is given twice"),
        (
            (*JOB, "--range", "slope=1..2.5"),
            1,
            "Give it a step, or choose a strategy that draws, such as --strategy",
        ),
        (
            ("train.py", *SCRIPT, "-e", "lines", "--grid", "slope=1", "--target", "1"),
            1,
            "--target 1.0 compares values of the objective",
        ),
        (
            (*JOB, "--grid", "slope=1", "--strategy", "random"),
            1,
            "would never end. Pass --max-trials, or --max-time, --max-cost or --patience of StopRules.",
        ),
        ((*JOB, "--grid", "slope=1", "--max-trials", "0"), 2, "0 is not in the range x>=1"),
        ((*JOB, "--name", "night", "--resume", "--dry-run"), 2, "--dry-run needs the space of the sweep"),
        (("sweep.yaml", *SCRIPT, "--grid", "slope=1"), 2, "or a sweep file"),
        (("bare.yaml",), 2, "bare.yaml' has no program. Add one, or pass --mnist."),
        (("bare.yaml", "--mnist"), 2, "Missing option '-e' / '--experiment'"),
        (("wrong.yaml", "--mnist"), 1, "wrong.yaml:2: maxparallel: unknown key. Did you mean 'max_parallel'?"),
        (("missing.yaml",), 1, "missing.yaml' cannot be read"),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_made(
    ask: Ask, tmp_path: Path, sweep_file: str, arguments: tuple[str, ...], status: int, said: str
) -> None:
    (tmp_path / "bare.yaml").write_text("parameters: {lr: {value: 1}}")
    (tmp_path / "wrong.yaml").write_text("parameters: {lr: {value: 1}}\nmaxparallel: 2")
    first = str(tmp_path / arguments[0]) if arguments[0].endswith(".yaml") else arguments[0]
    result = ask("sweep", first, *arguments[1:])

    assert result.exit_code == status, result.stderr
    assert said in result.stderr
    assert not (tmp_path / "home").exists()


def test_what_a_search_costs_at_most_is_shown_first(tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    prices = {"region": "here", "date": "2026-11-29", "source": "test", "usd_per_hour": {"ml.m5.xlarge": 0.5}}
    (tmp_path / "prices.json").write_text(json.dumps(prices))
    aws = ["--backend", "aws", "--region", "us-east-1", "--prices", str(tmp_path / "prices.json")]
    search = ["--range", "slope=1..9.5", "--strategy", "random", "--max-trials", "50", "--max-run", "2h"]
    told = CliRunner().invoke(cli, [*aws, "sweep", *JOB, *search], input="n\n").stderr
    types = ["--grid", "slope=1,2", "--grid", "job:instance_type=ml.m5.xlarge,ml.x.unknown", "--max-run", "2h"]
    unknown = CliRunner().invoke(cli, [*aws, "sweep", *JOB, *types], input="n\n").stderr
    crossed = CliRunner().invoke(cli, [*aws, "sweep", *JOB, *search, "--max-trials", "301"], input="n\n").stderr

    assert "This trains up to 50 models on AWS (ml.m5.xlarge) for at most 2 h each, which costs money: " in told
    assert "which costs money: at most 50.00 USD at the prices of here, 2026-11-29. Continue?" in told
    assert "This trains 4 models on AWS (ml.m5.xlarge) for at most 2 h each, which costs money. Continue?" in unknown
    assert "The sweep has 301 trials; an experiment can have 300." in crossed


def test_strategies_and_pruners_are_those_of_the_library() -> None:
    options = {option.name: option.type for option in cli.commands["sweep"].params}

    assert options["strategy"].choices == (*STRATEGIES,)  # type: ignore[attr-defined]
    assert set(options["pruner"].choices) == set(PRUNERS)  # type: ignore[attr-defined]


@pytest.mark.parametrize("recipe", ["sweep-random.yaml", "sweep-asha.yaml"])
def test_the_recipes_for_the_cnn_are_searched(ask: Ask, tmp_path: Path, recipe: str) -> None:
    pytest.importorskip("optuna")
    data = write_idx_dataset(tmp_path / "data")
    sweep = ("sweep", "--mnist", "-e", "digits", str(RECIPES / recipe), "--data", str(data))
    planned = ask(*sweep, "--dry-run")
    result = ask(*sweep, "--max-trials", "1", "--format", "json")
    board = json.loads(result.stdout)

    assert planned.exit_code == 0, planned.stderr
    assert "trials of 'digits', chosen by" in planned.stderr
    assert result.exit_code == 0, result.stderr
    assert board[0]["objective"] == board[0]["metrics"]["validation:accuracy"]["max"]
