"""The trial that is meant, and the global options, wherever they stand."""

import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from mnist_tracking.cli.app import cli
from mnist_tracking.cli.output import Page
from mnist_tracking.cli.trials import write_trials

Ask = Callable[..., Result]
pytestmark = pytest.mark.usefixtures("lines")


@pytest.mark.parametrize(
    "words",
    [
        *(("show", "{}"), ("show", "{}", "--history"), ("lineage", "{}"), ("compare", "{}", "flat")),
        ("download", "{}", "--to", "here"),
    ],
)
@pytest.mark.parametrize("typed", ["steep", "st", "eep", "latest", "best"])
def test_a_trial_is_found_by_a_part_of_its_name_or_its_rank(
    ask: Ask, words: tuple[str, ...], typed: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    whole, short = (ask(*(word.format(name) for word in words)) for name in ("steep", typed))

    assert whole.exit_code == short.exit_code == 0, short.output
    assert whole.stdout == short.stdout or "download" in words
    assert ("Trial steep\n" in short.stderr) == (typed != "steep")


def test_the_options_say_which_is_best(ask: Ask) -> None:
    least = ask("show", "best", "-e", "lines", "--objective", "score", "--minimize", "--format", "json")
    wrong = ask("show", "best", "--objective", "scores")
    nowhere = ask("show", "steep", "-e", "curves")

    assert json.loads(least.stdout)["name"] == "flat"
    assert "No trial has the metric 'scores'. Available: 'score'." in wrong.stderr
    assert "No experiment named 'curves'" in nowhere.stderr


def test_logs_deploy_export_and_cleanup_take_it_too(ask: Ask) -> None:
    assert "The trial 'steep' has no training job" in ask("logs", "latest").stderr
    assert "The trial 'steep' has no model" in ask("deploy", "best", "--dry-run").stderr
    assert "The trial 'steep' has no model" in ask("export", "st", "--to", "x.onnx").stderr
    plan = ask("cleanup", "lines", "--trial", "best", "--dry-run", "--format", "csv").stdout
    assert "trial,steep,steep,,,true," in plan
    assert "trial,flat" not in plan


@pytest.mark.parametrize("words", [("list",), ("search",), ("leaderboard", "lines"), ("show", "steep"), ("doctor",)])
def test_global_options_may_follow_the_command(tmp_path: Path, words: tuple[str, ...]) -> None:
    home = ("--home", str(tmp_path / "home"))
    before = CliRunner().invoke(cli, [*home, *words, "--format", "json"])
    after = CliRunner().invoke(cli, [*words, "--format", "json", *home, "--backend", "embedded"])
    both = CliRunner().invoke(cli, [*home, *words, *home, "--format", "json"])

    assert before.exit_code == after.exit_code == both.exit_code, after.output
    assert before.stdout == after.stdout == both.stdout
    assert before.stderr == after.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("--home", "a", "list", "--home", "b"),
        ("list", "--home", "a", "--home", "b"),
        ("--home", "a", "--home", "b", "list"),
        ("--network-isolation", "show", "x", "--no-network-isolation"),
        ("--backend", "aws", "search", "--backend", "embedded"),
    ],
)
def test_two_different_values_are_wrong_usage(words: tuple[str, ...]) -> None:
    result = CliRunner().invoke(cli, words)

    assert result.exit_code == 2
    assert "is given twice, with different values." in result.stderr


def test_values_for_the_other_backend_are_wrong_usage_after_the_command_too() -> None:
    result = CliRunner().invoke(cli, ["list", "--region", "eu-west-1"])

    assert result.exit_code == 2
    assert "--region goes with --backend aws" in result.stderr


def test_repeatable_options_add_up(tmp_path: Path) -> None:
    subnets = ("--subnet", "subnet-0a", "show", "steep", "--subnet", "subnet-0b", "--debug")
    result = CliRunner().invoke(cli, ["--home", str(tmp_path / "home"), *subnets])

    assert "--security-group is missing" in result.stderr
    assert "Traceback" in result.stderr


def test_a_terminal_omits_what_all_names_begin_with(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"trial": f"digits-261124-17104{place}-abcd{place}", "score": place} for place in (1, 2)]
    shown = {}
    for terminal in (True, False):
        told = StringIO()
        page = Page(Console(file=told, force_terminal=terminal, width=80, color_system=None))
        write_trials(rows, page=page)
        shown[terminal] = told.getvalue()

    assert "digits-" not in shown[True]
    assert "171041-abcd1" in shown[True]
    assert "digits-261124-171041-abcd1" in shown[False]
    assert capsys.readouterr().err == (
        "All names of trials begin with digits-261124-; commands accept them without it.\n"
    )
