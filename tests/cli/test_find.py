"""``mnist-tracking list`` and ``search``: filters, formats, and errors that name what is possible."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mnist_tracking import ExperimentRunner, Workspace
from mnist_tracking.cli.app import cli

Ask = Callable[..., Result]
EXPERIMENT = {"name", "arn", "description", "created", "tags"}
TRIAL = {
    *("name", "experiment", "status", "failure_reason", "hyperparameters", "metrics"),
    *("job_name", "component_name", "model_uri", "code_uri", "created", "duration_s"),
    *("ended", "non_finite", "dropped", "is_checked", "provenance", "stop_reason", "reported"),
    *("tails", "instance_type", "instance_count", "billable_s", "sweep"),
}
pytestmark = pytest.mark.usefixtures("lines")


def found(result: Result) -> list[str]:
    assert result.exit_code == 0, result.output
    return [trial["name"] for trial in json.loads(result.stdout)]


def test_standard_error_begins_with_where_the_calls_go_and_standard_output_is_data(ask: Ask) -> None:
    result = ask("list", "--format", "json")

    assert result.stderr.startswith("embedded SageMaker in ")
    assert "account 000000000000, region us-east-1" in result.stderr
    assert [experiment["name"] for experiment in json.loads(result.stdout)] == ["lines"]


def test_the_json_of_an_experiment_and_of_a_trial_has_a_stable_shape(ask: Ask) -> None:
    experiment = json.loads(ask("list", "--format", "json").stdout)[0]
    trial = json.loads(ask("search", "--format", "json").stdout)[0]

    assert set(experiment) == EXPERIMENT
    assert set(trial) == TRIAL
    assert set(trial["metrics"]["score"]) == {"name", "last", "min", "max", "avg", "std_dev", "count"}
    assert trial["created"].endswith("Z")
    assert trial["hyperparameters"] == {"slope": 2, "optimizer": "sgd"}


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ((), ["steep", "flat"]),
        (("--experiment", "lines", "-e", "others"), ["steep", "flat"]),
        (("--experiment", "lines", "--metric", "score>9"), []),
        (("--metric", "score>0.6"), ["steep"]),
        (("--metric", "score.min <= 0.3"), ["flat"]),
        (("--metric", "loss"), []),
        (("--param", "slope=1", "--param", "optimizer=sgd"), ["flat"]),
        (("--param", "optimizer~g"), ["steep", "flat"]),
        (("--param", "optimizer!=sgd"), []),
        (("--status", "completed", "--status", "failed"), ["steep", "flat"]),
        (("--created-after", "1h"), ["steep", "flat"]),
        (("--created-before", "2020-01-01"), []),
        (("--limit", "1"), ["steep"]),
    ],
)
def test_search_finds_by(ask: Ask, filters: tuple[str, ...], names: list[str]) -> None:
    assert names == found(ask("search", *filters, "--format", "json"))


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        (("--name", "LIN"), ["lines"]),
        (("--name", "curves"), []),
        (("--tag", "team=cv"), ["lines"]),
        (("--tag", "team=nlp"), []),
        (("--created-after", "2020-01-01T12:00Z"), ["lines"]),
    ],
)
def test_list_finds_by(ask: Ask, filters: tuple[str, ...], names: list[str]) -> None:
    result = ask("list", *filters, "--format", "json")

    assert names == [experiment["name"] for experiment in json.loads(result.stdout)]


@pytest.mark.parametrize(
    ("option", "value", "possible"),
    [
        ("--metric", "score>much", "<, <=, >, >= with a number"),
        ("--metric", ">0.5", "'test:accuracy>97'"),
        ("--param", "optimizer<sgd", "contains()"),
        ("--created-after", "yesterday", "7d"),
        ("--status", "Done", "expected one of InProgress, Completed, Failed"),
    ],
)
def test_a_condition_that_search_cannot_ask_is_wrong_usage(ask: Ask, option: str, value: str, possible: str) -> None:
    result = ask("search", option, value)

    assert result.exit_code == 2
    assert possible in " ".join(result.stderr.split())


def test_csv_has_a_column_for_each_hyperparameter_and_metric(ask: Ask) -> None:
    rows = list(csv.DictReader(io.StringIO(ask("search", "--format", "csv").stdout)))

    assert [row["trial"] for row in rows] == ["steep", "flat"]
    assert [row["param.slope"] for row in rows] == ["2.0", "1.0"]
    assert [row["metric.score.last"] for row in rows] == ["0.9", "0.5"]


def test_a_table_in_a_pipe_is_aligned_lines_of_what_differs(ask: Ask) -> None:
    heading, first, _ = ask("search").stdout.splitlines()

    assert heading.split() == ["trial", "status", "slope", "score", "took", "created"]
    assert first.startswith("steep  Completed  2.0    0.9")


def test_a_table_has_no_column_for_what_only_says_more_of_another_metric_unless_it_is_asked_for(
    ask: Ask, lines: ExperimentRunner
) -> None:
    with lines.trial(name="digits") as trial:
        for name in ("score", "score:1", "score:2", "scores"):
            trial.log_metric(name, 0.5)

    table, asked = ask("search"), ask("search", "--metric", "score:1>0.1")

    assert table.stdout.split("\n")[0].split()[-4:] == ["score", "scores", "took", "created"]
    assert table.stderr.endswith("Metrics not shown: score:1, score:2; --format csv has all.\n")
    assert asked.stdout.split("\n")[0].split()[-5:] == ["score", "score:1", "scores", "took", "created"]
    assert "score:2" in ask("search", "--format", "csv").stdout
    board = ask("leaderboard", "lines", "--objective", "score:2").stdout.split("\n")[0].split()
    assert board[:4] == ["rank", "trial", "last", "score:2"]
    assert "score:1" not in board


def test_what_is_not_there_is_an_empty_answer_and_a_note(ask: Ask) -> None:
    result = ask("search", "--metric", "loss")

    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.endswith("No trials.\n")
    assert ask("search", "--metric", "loss", "--format", "csv").stdout == ""


def test_an_experiment_that_does_not_exist_is_an_error_with_the_nearest_names(ask: Ask) -> None:
    result = ask("search", "--experiment", "lnies")

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.endswith("No experiment named 'lnies'. Existing: 'lines'.\n")


def test_looking_makes_no_folder(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["--home", str(tmp_path / "nothing"), "list"])

    assert result.exit_code == 1
    assert "There is no embedded SageMaker in" in result.stderr
    assert not (tmp_path / "nothing").exists()


def test_a_table_that_is_cut_short_says_so(ask: Ask, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mnist_tracking.cli.search._SCREENFUL", 1)
    ExperimentRunner(workspace, "others")
    result = ask("list")

    assert len(result.stdout.splitlines()) == 2
    assert "Only the newest 1 are shown; --limit shows more." in result.stderr
    assert len(json.loads(ask("list", "--format", "json").stdout)) == 2
