"""``mnist-tracking show``, ``compare``, ``lineage`` and ``leaderboard``: what was recorded."""

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mnist_tracking import ExperimentRunner, Workspace
from mnist_tracking.cli.app import cli

Ask = Callable[..., Result]
COMPONENT = {
    *("name", "arn", "display_name", "status", "message", "source_arn", "created", "started", "ended"),
    *("parameters", "inputs", "outputs", "metrics", "parents", "tags", "provenance"),
}
TRIAL = {
    *("name", "experiment", "status", "failure_reason", "hyperparameters", "metrics", "job_name", "component_name"),
    *("model_uri", "code_uri", "created", "duration_s", "steps"),
    *("ended", "non_finite", "dropped", "is_checked", "provenance", "stop_reason", "reported"),
    *("tails", "instance_type", "instance_count", "billable_s", "sweep"),
}
pytestmark = pytest.mark.usefixtures("lines")


def rows(result: Result) -> list[dict[str, str]]:
    assert result.exit_code == 0, result.output
    return list(csv.DictReader(io.StringIO(result.stdout)))


def test_show_tells_the_outcome_and_every_step(ask: Ask) -> None:
    page = ask("show", "steep").stdout

    assert "trial       steep\nexperiment  lines\nstatus      Completed\n" in page
    assert "Step Cleaning\nstatus  Completed\n" in page
    assert "rows    100" in page
    assert "Step Training" not in page  # all that there is of it stands above
    assert "metric  last  min   max  avg    values\nscore   0.9   0.45  0.9  0.675  2\n" in page


def test_the_json_of_show_has_a_stable_shape(ask: Ask) -> None:
    trial = json.loads(ask("show", "steep", "--format", "json").stdout)

    assert set(trial) == TRIAL
    assert [component["display_name"] for component in trial["steps"]] == ["Cleaning", "Training"]
    assert all(set(component) == COMPONENT for component in trial["steps"])
    assert trial["name"] == "steep"


def test_show_as_csv_has_a_row_for_each_parameter_and_metric(ask: Ask) -> None:
    told = {
        (row["step"], row["kind"], row["name"]): row["value"] for row in rows(ask("show", "steep", "--format", "csv"))
    }

    assert told["Training", "parameter", "slope"] == "2.0"
    assert told["Training", "metric", "score"] == "0.9"
    assert told["Cleaning", "parameter", "rows"] == "100"


def test_history_is_every_value(ask: Ask) -> None:
    told = rows(ask("show", "steep", "--history", "--format", "csv"))
    series = json.loads(ask("show", "steep", "--history", "--format", "json").stdout)

    assert [(row["metric"], row["value"]) for row in told] == [("score", "0.45"), ("score", "0.9")]
    assert [point["value"] for point in series["score"]] == [0.45, 0.9]
    assert re.search(r"^score .*0\.9$", ask("show", "steep", "--history").stdout, re.M)


def test_history_ends_with_the_curve_of_each_metric(ask: Ask, lines: ExperimentRunner) -> None:
    with lines.trial({"slope": 3.0}, name="broken") as trial:
        for loss in (0.5, 0.25, 0.125, 1.0, float("nan")):
            trial.log_metric("loss", loss)
        trial.log_metric("score", 0.7)

    with pytest.warns(UserWarning, match="not finite"):
        page = ask("show", "broken", "--history").stdout

    assert page.endswith(
        "\n\nmetric  curve  first  last  min    max  values\n"
        "loss    ▄▂▁█   0.5    nan   0.125  1    4\n"
        "score   ▄      0.7    0.7   0.7    0.7  1\n"
    )


def test_a_stream_that_has_no_bars_gets_other_characters(tmp_path: Path) -> None:
    arguments = ["--home", str(tmp_path / "home"), "show", "steep", "--history"]

    assert "score   .@     0.45   0.9" in CliRunner(charset="ascii").invoke(cli, arguments).stdout


def test_a_name_that_is_not_there_is_one_line_and_status_1(ask: Ask) -> None:
    result = ask("show", "stepe")

    assert result.exit_code == 1
    assert result.stderr.splitlines()[1].startswith("mnist-tracking: No trial named 'stepe'. Existing: 'steep'")


def test_compare_tells_what_differs(ask: Ask) -> None:
    told = json.loads(ask("compare", "flat", "steep", "--format", "json").stdout)
    lines = ask("compare", "flat", "steep").stdout.splitlines()

    assert set(told) == {"trials", "differences"}
    assert {
        "step": "Training",
        "kind": "metric",
        "name": "score",
        "values": [0.5, 0.9],
        "recorded": [True, True],
    } in told["differences"]
    assert lines[0].split() == ["step", "kind", "name", "flat", "steep"]
    assert ask("compare", "flat").exit_code == 2


def test_lineage_tells_what_was_made_from_what(ask: Ask) -> None:
    told = json.loads(ask("lineage", "steep", "--format", "json").stdout)

    assert set(told) == {"trial", "components", "nodes", "edges"}
    assert all(set(node) == {"id", "kind", "label"} for node in told["nodes"])
    assert rows(ask("lineage", "steep", "--format", "csv"))
    assert "Cleaning" in ask("lineage", "steep").stdout


def test_a_leaderboard_is_ranked_by_the_objective(ask: Ask) -> None:
    told = json.loads(ask("leaderboard", "lines", "--objective", "score", "--format", "json").stdout)
    least = json.loads(ask("leaderboard", "lines", "--objective", "score", "--minimize", "--format", "json").stdout)
    lines = ask("leaderboard", "lines", "--objective", "score").stdout.splitlines()

    assert [(t["name"], t["rank"], t["objective"]) for t in told] == [("steep", 1, 0.9), ("flat", 2, 0.5)]
    assert [trial["name"] for trial in least] == ["flat", "steep"]
    assert lines[1].startswith("1     steep  0.9         2")


def test_a_leaderboard_takes_several_experiments_and_conditions(ask: Ask, workspace: Workspace) -> None:
    with ExperimentRunner(workspace, "curves").trial({"slope": 3.0}, name="round") as trial:
        trial.log_metric("score", 0.7)
    both = ("leaderboard", "lines", "curves", "--objective", "score")
    told = json.loads(ask(*both, "--metric", "score>0.6", "--format", "json").stdout)

    assert [trial["name"] for trial in told] == ["steep", "round"]
    assert ask(*both).stdout.splitlines()[0].split()[:3] == ["rank", "trial", "experiment"]


def test_a_leaderboard_without_an_objective_uses_that_of_the_jobs(ask: Ask, workspace: Workspace) -> None:
    told = json.loads(ask("leaderboard", "lines", "--format", "json").stdout)

    assert [(trial["name"], trial["rank"]) for trial in told] == [("steep", 1), ("flat", 2)]


def test_without_any_objective_there_is_no_rank(ask: Ask, workspace: Workspace) -> None:
    for name in ("round", "square"):
        with ExperimentRunner(workspace, "curves").trial(name=name) as trial:
            trial.log_metric("score", 0.7)
    result = ask("leaderboard", "curves")

    assert "In order of creation. Pass --objective to rank them; available: score." in result.stderr
    assert result.stdout.split()[0] == "trial"
    assert "rank" not in json.loads(ask("leaderboard", "curves", "--format", "json").stdout)[0]


def test_a_misspelt_objective_is_an_error(ask: Ask) -> None:
    result = ask("leaderboard", "lines", "--objective", "scores")

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.endswith("mnist-tracking: No trial has the metric 'scores'. Available: 'score'.\n")
    assert ask("leaderboard", "lines", "--minimize").exit_code == 2
