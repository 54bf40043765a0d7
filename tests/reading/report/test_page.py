"""The page of a leaderboard: what it shows, that it needs nothing else, and that text of others stays text."""

import base64
import hashlib
import itertools
import json
import math
import re
import sys
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.pages import HOSTILE, Element, Page, parsed
from tests.support.sent import Sent

from mnist_tracking import ConfigError, ExperimentRunner, Leaderboard, Lineage, NotFoundError, Objective, Workspace
from mnist_tracking._values.recordable import ParameterValue
from mnist_tracking._values.text import printable
from mnist_tracking.reading.report.contents import Contents, read_contents
from mnist_tracking.reading.report.page import render
from mnist_tracking.reading.report.table import cost_text
from mnist_tracking.types import Node, Provenance

SECTIONS = ["best", "board", "parameters", "importance", "curves", "lineage", "failures", "code", "cost"]


def named(element: Element) -> str:
    return element.attributes.get("aria-label", "")


def test_every_part_is_there_and_has_a_name(page: Page) -> None:
    """A screen reader finds sections, regions, charts and tables by their names."""
    ids = [element["id"] for element in page.root.all() if "id" in element.attributes]
    sections = page.root.all("section")

    assert len(ids) == len(set(ids))
    assert page.root.one("html")["lang"] == "en"
    assert page.root.one("head").one("title").text == "churn: report"
    assert [section["id"] for section in sections] == SECTIONS
    assert all(section["aria-labelledby"] in ids for section in sections)
    assert [link["href"] for link in page.root.one("nav").all("a")] == [f"#{name}" for name in SECTIONS]
    assert all(named(svg) or svg.attributes.get("aria-hidden") == "true" for svg in page.root.all("svg"))
    assert all(named(region) for region in page.root.all(role="region"))
    assert all(region["tabindex"] == "0" for region in page.root.all(role="region"))  # scrolled with the keyboard
    assert all(table.all("caption") for table in page.root.all("table"))
    assert all(heading.attributes.get("scope") in ("row", "col") for heading in page.root.all("th"))
    assert all(label["for"] in ids for label in page.root.all("label"))


def test_nothing_is_fetched(page: Page) -> None:
    policy = page.root.one("meta", http_equiv="Content-Security-Policy")["content"]
    targets = [
        element[key]
        for element in page.root.all()
        for key in ("src", "href", "action", "data", "srcset", "poster", "formaction")
        if key in element.attributes
    ]

    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    assert "http" not in policy
    assert all(target.startswith(("#", "data:")) for target in targets)
    assert "style" not in {key for element in page.root.all() for key in element.attributes}  # the policy forbids them
    assert not re.search(r"@import|url\((?!#)", page.root.one("style").text)


def test_the_policy_names_the_style_and_the_script(page: Page) -> None:
    policy = page.root.one("meta", http_equiv="Content-Security-Policy")["content"]
    style, script = page.root.one("style").text, page.root.all("script")[-1].text

    for kind, content in (("style", style), ("script", script)):
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy


def test_text_of_others_is_text_everywhere(page: Page) -> None:
    """Two scripts are the page's own; what others wrote opens no element, and moves no cursor."""
    trials = {trial["trial"]: trial for trial in page.data["trials"]}

    assert len(page.root.all("script")) == 2
    assert not page.root.all("b")
    assert trials["good"]["parameters"]["kind"] == HOSTILE
    assert HOSTILE in trials["failed"]["reason"]
    assert printable(HOSTILE) in page.section("failures").text
    assert printable(HOSTILE) in page.section("board").text
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", page.source)


def test_the_data_is_what_was_recorded(page: Page, board: Leaderboard) -> None:
    data = page.data
    best = data["trials"][0]

    assert data["experiments"] == ["churn"]
    assert {"metric": "accuracy", "goal": "maximize", "statistic": "last"}.items() <= data["objective"].items()
    assert [trial["trial"] for trial in data["trials"]] == [trial.name for trial in board]
    assert data["best"] == best["trial"] == "best"
    assert (best["value"], best["state"], best["parameters"]["rate"]) == (0.95, "completed", 0.1)
    assert data["curves"]["best"]["accuracy"] == [[step, 0.95 * (step + 1) / 5] for step in range(5)]
    assert {node["kind"] for node in data["lineage"]["nodes"]} == {"data", "preprocessing", "step"}
    assert "python" in best["provenance"]


def test_the_table_is_the_leaderboard(page: Page) -> None:
    head, *rows = page.root.one("table", id="board-table").cells
    table = {row[1]: dict(zip(head, row, strict=True)) for row in rows}

    assert head == ["#", "trial", "status", "last accuracy", "loss", "kind", "rate", "seed", "duration", "note"]
    assert [row[1] for row in rows[:2]] == ["best", "good"]
    assert table["best"]["last accuracy"] == "0.95"
    assert table["pruned"]["status"] == "pruned"
    assert table["pruned"]["note"].endswith("pruned at step 4 by asha")
    assert (table["diverged"]["last accuracy"], table["diverged"]["note"]) == ("", "ends with nan")
    assert (table["failed"]["status"], table["failed"]["kind"]) == ("failed", "")
    assert [row.all("th")[0].text for row in page.root.all("tr", class_="best")] == ["best"]


def test_charts_mark_what_is_special(page: Page) -> None:
    places = {trial["trial"]: str(trial["rank"] - 1) for trial in page.data["trials"]}
    kind, rate, seed, parallel = page.section("parameters").all("svg")
    accuracy, loss = page.section("curves").all("svg")

    assert named(rate) == "accuracy against rate, logarithmic: 6 trials. The best has 0.95 at 0.1."
    assert [mark["data-i"] for mark in rate.all(class_="best")] == [places["best"]]
    assert [mark["data-i"] for mark in rate.all(class_="pruned")] == [places["pruned"]]
    assert {mark["data-i"] for mark in rate.all(class_="none")} == {places["failed"], places["diverged"]}
    assert len(kind.all(class_="mark")) == len(seed.all(class_="mark")) == 5  # the failed one has neither
    assert {line["data-i"] for line in parallel.all(class_="line")} == {
        places[name] for name in ("best", "good", "worst", "pruned")
    }
    assert [mark["data-i"] for mark in accuracy.all(class_="none")] == [places["pruned"]]
    assert named(loss) == "loss, logarithmic, while 5 trials trained; 1 of them pruned."
    for svg in page.root.all("svg", class_="chart"):
        assert not re.search(r"nan|inf", " ".join(path["d"] for path in svg.all("path")))


def test_reasons_code_and_time_are_shown(page: Page, board: Leaderboard) -> None:
    reasons = page.section("failures").one("table").cells[1:]
    spent = page.section("cost").one("table").cells

    assert [row[:2] for row in reasons] == [["failed", "1"], ["pruned", "1"]]
    assert str(board.best.provenance.python) in page.section("code").text
    assert [row[:2] for row in spent] == [
        ["status", "trials"],
        ["completed", "4"],
        ["pruned", "1"],
        ["failed", "1"],
        ["all", "6"],
    ]


def test_the_page_of_an_experiment_is_the_page_of_its_leaderboard(workspace: Workspace, tmp_path: Path) -> None:
    with ExperimentRunner(workspace, "churn").trial(name="only") as trial:
        trial.log_metric("loss", 0.5)
    path = workspace.report("churn", tmp_path / "page.html", objective=Objective("loss", goal="minimize"))

    assert path == tmp_path / "page.html"
    assert Page(path).data["objective"]["goal"] == "minimize"


def test_several_experiments_share_a_page(filled: Workspace, tmp_path: Path) -> None:
    page = Page(filled.report(["one", "two"], tmp_path / "page.html", objective="accuracy"))

    assert page.root.one("h1").text == "one, two"
    assert [row[2] for row in page.root.one("table", id="board-table").cells[1:]] == ["one", "two", "one"]


def test_without_an_objective_nothing_is_the_best(filled: Workspace, tmp_path: Path) -> None:
    page = Page(filled.report("one", tmp_path / "page.html"))

    assert "no objective" in page.section("best").text
    assert "Nothing to draw" in page.section("parameters").text
    assert page.data["best"] is None
    assert page.data["trials"][0]["value"] is None


def test_an_empty_experiment_has_a_page(workspace: Workspace, tmp_path: Path) -> None:
    ExperimentRunner(workspace, "empty")
    page = Page(workspace.report("empty", tmp_path / "page.html", objective="accuracy"))

    assert page.data["trials"] == []
    assert "has no trials" in page.section("best").text
    assert "No metric was logged more than once." in page.section("curves").text


@pytest.mark.parametrize(
    "number", [1e308, -1e308, 5e-324, 2**64, 0.0, -1.5, True, None, [1, 2], {"a": 1}, "", "x" * 200]
)
def test_any_hyperparameter_has_a_place(workspace: Workspace, tmp_path: Path, number: ParameterValue) -> None:
    runner = ExperimentRunner(workspace, "odd")
    for name, value in (("one", number), ("two", 1.0), ("three", 1e-3)):
        with runner.trial({"odd": value}, name=name) as trial:
            trial.log_metric("accuracy", 0.5)
    page = Page(workspace.report("odd", tmp_path / "page.html", objective="accuracy"))

    assert len(page.section("parameters").all("svg")[0].all(class_="mark")) == 3
    assert "nan" not in "".join(path["d"] for path in page.section("parameters").all("path"))


@pytest.mark.parametrize("value", [1e308, -1e308, 0.0, 5e-324])
def test_any_score_has_a_place(workspace: Workspace, tmp_path: Path, value: float) -> None:
    runner = ExperimentRunner(workspace, "odd")
    for place in range(8):
        with runner.trial({"place": place}) as trial:
            trial.log_metrics({"loss": value if place == 3 else place, "same": 1.0})
            trial.log_metrics({"loss": value if place == 3 else place, "same": 1.0})
    page = Page(workspace.report("odd", tmp_path / "page.html", objective="loss"))

    paths = " ".join(path["d"] for path in page.root.all("path"))
    assert not re.search("nan|inf", paths)
    assert math.isfinite(page.data["trials"][0]["value"])


def test_what_is_wrong_is_reported_before_anything_is_read(sent: Sent, filled: Workspace, tmp_path: Path) -> None:
    board = Leaderboard.load(filled, "one", objective="accuracy")
    assert sent
    sent.clear()
    wrong: list[tuple[Callable[[], object], str]] = [
        (lambda: filled.report("one", tmp_path / "no" / "page.html"), "the folder '.*no' does not exist"),
        (lambda: filled.report("one", tmp_path), "is a folder; expected a file such as '.*report.html'"),
        (lambda: board.report(tmp_path / "page.html", curves=-1), "curves=-1; expected an integer >= 0, or None"),
        (lambda: board.report(tmp_path / "page.html", curves=True), "curves=True; expected"),
        (lambda: filled.report(board, tmp_path / "page.html", objective="x"), "objective= goes with the name of"),
    ]
    for call, message in wrong:
        with pytest.raises(ConfigError, match=message):
            call()

    assert not sent
    assert not list(tmp_path.glob("*.html"))


def test_an_unknown_experiment_leaves_no_file(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        workspace.report("nothing", tmp_path / "page.html")

    assert not (tmp_path / "page.html").exists()


def test_a_page_replaces_one_that_is_there(filled: Workspace, tmp_path: Path) -> None:
    target = tmp_path / "page.html"
    target.write_text("before")
    filled.report("one", target)

    assert target.read_text().startswith("<!DOCTYPE html>")
    assert [path.name for path in tmp_path.glob("*page*")] == ["page.html"]


def test_a_page_that_cannot_be_written_leaves_nothing(filled: Workspace, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()

    with pytest.raises(ConfigError, match="cannot be written: File name too long"):
        filled.report("one", folder / ("x" * 300))

    assert not list(folder.iterdir())


def test_a_hundred_trials_take_less_than_a_megabyte(workspace: Workspace, tmp_path: Path) -> None:
    runner = ExperimentRunner(workspace, "many")
    for place in range(100):
        with runner.trial({"rate": 0.1 / (place + 1), "depth": place % 7, "kind": "ab"[place % 2]}) as trial:
            for step in range(4):
                trial.log_metrics(dict.fromkeys(("accuracy", "loss", "f1", "recall"), (place + step) / 100))
    path = workspace.report("many", tmp_path / "page.html", objective="accuracy")

    assert path.stat().st_size < 1_000_000
    assert len(Page(path).data["curves"]) == 100


def test_importance_is_shown_where_it_can_be_computed(workspace: Workspace, tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    runner = ExperimentRunner(workspace, "important")
    for place in range(12):
        with runner.trial({"depth": place, "order": place % 2}) as trial:
            trial.log_metric("accuracy", place / 10)
    page = Page(workspace.report("important", tmp_path / "page.html", objective="accuracy"))
    rows = page.section("importance").one("table").all("tr")

    assert [row.all("th")[0].text for row in rows] == list(page.data["importance"])
    assert sum(page.data["importance"].values()) == pytest.approx(1.0)
    assert next(iter(page.data["importance"])) == "depth"


def test_a_sentence_says_that_too_few_trials_have_no_importance(filled: Workspace, tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    page = Page(filled.report("one", tmp_path / "page.html", objective="accuracy"))

    assert "importance needs 10" in page.section("importance").text


def test_a_sentence_says_that_importance_needs_optuna(
    filled: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    page = Page(filled.report("one", tmp_path / "page.html", objective="accuracy"))

    assert "optuna is not installed" in page.section("importance").text


def test_repeats_are_shown_with_their_spread(workspace: Workspace, tmp_path: Path) -> None:
    runner = ExperimentRunner(workspace, "repeated")
    for strength, accuracy in ((0.1, 0.8), (1.0, 0.9)):
        for seed in range(3):
            with runner.trial({"C": strength, "seed": seed}) as trial:
                trial.log_metric("accuracy", accuracy + seed / 100)
    page = Page(workspace.report("repeated", tmp_path / "page.html", objective="accuracy"))
    _, repeats = page.section("board").all("table")

    assert [row[:3] for row in repeats.cells] == [["C", "n", "mean"], ["1.0", "3", "0.91"], ["0.1", "3", "0.81"]]
    assert "Welch" in page.section("board").text


def test_a_rank_by_the_test_set_has_a_note(workspace: Workspace, tmp_path: Path) -> None:
    with ExperimentRunner(workspace, "tested").trial() as trial:
        trial.log_metric("test:accuracy", 0.9)
    page = Page(workspace.report("tested", tmp_path / "page.html", objective="test:accuracy"))

    assert "a metric of the test set: the value of the best is optimistic" in page.section("board").text


def test_long_lists_are_cut_and_counted(workspace: Workspace, tmp_path: Path) -> None:
    """Of 60 trials with 14 hyperparameters, each failed for a reason of its own, in a program of its own."""
    with ExperimentRunner(workspace, "wide").trial() as recording:
        recording.log_metric("accuracy", 0.5)
    board = Leaderboard.load(workspace, "wide", objective="accuracy")
    trials = [board[0]]
    for place in range(60):
        given = {f"p{number:02}": place * number for number in range(1, 15)}
        program = Provenance(command=f"python train{place}.py")
        failed = attrs.evolve(board[0], name=f"t{place}", status="Failed", failure_reason=f"no {place}")
        trials.append(attrs.evolve(failed, hyperparameters=given, provenance=program))
    page = Page(attrs.evolve(board, trials=tuple(trials)).report(tmp_path / "page.html", curves=0))

    assert len(page.section("parameters").one("div", class_="charts").all("svg")) == 12
    assert "Not drawn: the hyperparameters p13, p14." in page.section("parameters").text
    assert len(page.section("failures").all("tr")) == 51
    assert "10 other reasons: the page's data has them." in page.section("failures").text
    assert "51 other combinations: the page's data has them." in page.section("code").text


def test_a_trial_without_a_parameter_interrupts_its_line(workspace: Workspace, tmp_path: Path) -> None:
    """Its line leaves out the axis of a conditional parameter; a running trial is a ring."""
    runner = ExperimentRunner(workspace, "conditional")
    configurations: dict[str, dict[str, ParameterValue]] = {
        "sgd": {"a": 1, "b": "sgd", "c": 0.9},
        "adam": {"a": 2, "c": 0.1},
    }
    for accuracy, (name, configuration) in enumerate(configurations.items()):
        with runner.trial(configuration, name=name) as trial:
            trial.log_metric("accuracy", -accuracy)
    board = Leaderboard.load(workspace, "conditional", objective="accuracy")
    trials = (board[0], attrs.evolve(board[1], status="InProgress", provenance=Provenance()))
    page = Page(attrs.evolve(board, trials=trials).report(tmp_path / "page.html"))
    *scatters, parallel = page.section("parameters").all("svg")

    assert {line["data-i"]: line["d"].count("M") for line in parallel.all(class_="line")} == {"0": 1, "1": 2}
    assert [len(chart.all("circle", class_="running")) for chart in scatters] == [1, 0, 1]
    assert "Nothing was recorded for 1 trial." in page.section("code").text


def test_a_score_beyond_its_axis_is_an_arrowhead(workspace: Workspace, tmp_path: Path) -> None:
    runner = ExperimentRunner(workspace, "diverged")
    for place, accuracy in enumerate((0.1, 0.95, 0.96, 0.965, 0.97, 0.98)):
        with runner.trial({"place": place}) as trial:
            trial.log_metric("accuracy", accuracy)
    page = Page(workspace.report("diverged", tmp_path / "page.html", objective="accuracy"))

    assert [mark["data-i"] for mark in page.section("parameters").all(class_="beyond")] == ["5"]


@pytest.fixture(scope="module")
def one_trial(tmp_path_factory: pytest.TempPathFactory) -> Contents:
    """What the page of one trial shows."""
    workspace = Workspace.embedded(tmp_path_factory.mktemp("one") / "home")
    with ExperimentRunner(workspace, "one").trial({"C": 1.0}, name="only") as trial:
        trial.log_metric("accuracy", 0.5)
    contents = read_contents(Leaderboard.load(workspace, "one", objective="accuracy"), 0)
    workspace.close()
    return contents


@given(
    text=st.text(max_size=20) | st.sampled_from([HOSTILE, "]]>", "<!--", "--!>", "&lt;", "\\u003c/script>", "{{x}}"])
)
def test_any_text_of_others_stays_text(one_trial: Contents, text: str) -> None:
    """As a name, a hyperparameter, a metric, a reason, a command, and the name of a node of the lineage."""
    trial = attrs.evolve(
        one_trial.rows[0].trial,
        name=text,
        experiment=text,
        status="Failed",
        failure_reason=text,
        hyperparameters={text: text, "other": [text]},
        non_finite={text: "nan"},
        provenance=Provenance(command=text, packages={text: text}),
    )
    failed = attrs.evolve(one_trial.rows[0], trial=trial, state="failed", note=text)
    contents = attrs.evolve(
        one_trial,
        rows=(failed, one_trial.rows[0]),
        best=failed,
        parameters=(text,),
        metrics=(text,),
        why_no_importance=text,
        lineage=Lineage(text, (), (Node(text, "step", text),), (), one_trial.board._account),
    )
    root = parsed(render(contents).encode().decode())
    data = json.loads(root.one("script", id="data").text)

    assert len(root.all("script")) == 2
    assert data["trials"][0]["trial"] == data["trials"][0]["reason"] == text
    assert data["trials"][0]["parameters"] == {text: text, "other": [text]}
    assert data["lineage"]["nodes"][0]["label"] == text
    assert not any(name.startswith("on") for element in root.all() for name in element.attributes)


@pytest.mark.parametrize(
    ("cost", "text"),
    [
        (None, ""),
        (0.0, "$0"),
        (6.39e-05, "< $0.0001"),
        (0.000639, "$0.000639"),
        (0.25, "$0.25"),
        (1234.5, "$1,234.50"),
    ],
)
def test_cost_is_shown_without_an_exponent(cost: float | None, text: str) -> None:
    assert cost_text(cost) == text


def test_labels_below_a_chart_do_not_overlap(workspace: Workspace, tmp_path: Path) -> None:
    runner = ExperimentRunner(workspace, "wide")
    for number in range(8):
        with runner.trial({"schedule": f"schedule-number-{number}", "rate": 0.83012345 + number / 97}) as trial:
            trial.log_metric("accuracy", number)
    page = Page(workspace.report("wide", tmp_path / "page.html", objective="accuracy"))
    *scatters, _ = page.section("parameters").all("svg")

    for chart in scatters:
        places = [(float(text["x"]), 6.5 * len(text.text)) for text in chart.all("text", class_="mid", dy="16")]
        assert len(places) >= 3
        assert all(b - a > (wide + wider) / 2 for (a, wide), (b, wider) in itertools.pairwise(places))
