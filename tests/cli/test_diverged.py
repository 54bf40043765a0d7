"""A trial that diverged, on the command line: its rank, its page, and what is said about its metrics."""

import json
from collections.abc import Callable

import pytest
from click.testing import Result

from mnist_tracking import ExperimentRunner, Workspace

Ask = Callable[..., Result]


@pytest.fixture(autouse=True)
def broken(lines: ExperimentRunner) -> None:
    """A third trial, whose score is the highest before it is NaN."""
    with lines.trial({"slope": 3.0}, name="broken") as trial:
        for score in (1.5, float("nan")):
            trial.log_metric("score", score)


def test_leaderboard_has_it_last_with_a_note(ask: Ask) -> None:
    table = ask("leaderboard", "lines").stdout.splitlines()
    ranked = json.loads(ask("leaderboard", "lines", "--format", "json").stdout)

    assert [line.split()[:2] for line in table[1:]] == [["1", "steep"], ["2", "flat"], ["3", "broken"]]
    assert "ends with nan" in table[3]
    assert [(one["objective"], one["objective_note"]) for one in ranked] == [
        (0.9, ""),
        (0.5, ""),
        (None, "ends with nan"),
    ]
    assert ranked[2]["non_finite"] == {"score": "nan"}


def test_best_is_another_trial(ask: Ask) -> None:
    assert json.loads(ask("show", "best", "-e", "lines", "--format", "json").stdout)["name"] == "steep"


def test_search_does_not_compare_it(ask: Ask) -> None:
    found = json.loads(ask("search", "--metric", "score>0.1", "--format", "json").stdout)

    assert [trial["name"] for trial in found] == ["steep", "flat"]
    assert "nan" in ask("search", "-e", "lines").stdout


def test_page_shows_what_it_ends_with_and_what_was_dropped(ask: Ask) -> None:
    page = ask("show", "broken").stdout

    assert "metric  last  min  max  avg  values\nscore   nan   1.5  1.5  1.5  1\n" in page
    assert "1 of 2 values of the metric 'score' was dropped: 1 not finite (nan)." in page
    assert "mnist-tracking:" not in page


def test_comparison_and_lineage_show_it(ask: Ask, workspace: Workspace) -> None:
    (metric,) = (one for one in workspace.compare("broken", "steep").differences if one.kind == "metric")

    assert metric.values == ("nan", 0.9)
    assert "mnist-tracking:" not in ask("compare", "broken", "steep").stdout
    assert "score ends with nan" in ask("lineage", "broken").stdout
