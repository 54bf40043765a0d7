"""Looking at what is there, whoever made it; over raw calls of others and over our own classes."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from tests.support.sent import count_calls

from mnist_tracking import ConfigError, ExperimentRunner, NotFoundError, StateError, Workspace, where
from mnist_tracking._values.where import Filter

ANY = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("where", "names"),
    [
        ((), ["middle", "high", "low"]),
        (where.metric("accuracy") > 0.6, ["middle", "high"]),
        (where.metric("accuracy") <= 0.5, ["low"]),
        (where.metric("accuracy", "min") == 0.1, ["middle", "high", "low"]),
        (where.metric("loss").exists(), []),
        (where.metric("loss").exists(False), ["middle", "high", "low"]),
        (where.param("optimizer") == "sgd", ["middle", "low"]),
        (where.param("optimizer") != "sgd", ["high"]),
        (where.param("optimizer").isin(["adam", "lion"]), ["high"]),
        (where.param("optimizer").contains("dam"), ["high"]),
        (where.param("fast") == True, ["middle", "high", "low"]),  # noqa: E712 - builds a filter
        (where.param("rate") >= 0.06, ["middle", "high"]),
        (where.tag("team") == "nlp", ["middle"]),
        (where.status() == "Completed", ["middle", "high", "low"]),
        (where.status() != "Completed", []),
        (where.created() > ANY, ["middle", "high", "low"]),
        (where.created() < ANY, []),
        (where.parent("trial") == "low", ["low"]),
        ([where.param("optimizer") == "sgd", where.metric("accuracy") > 0.6], ["middle"]),
        ((where.param("optimizer") == "adam") | (where.metric("accuracy") < 0.6), ["high", "low"]),
        (
            (where.param("optimizer") == "sgd") & ((where.tag("team") == "cv") | (where.metric("accuracy") > 0.8)),
            ["low"],
        ),
        ({"Filters": [{"Name": "Parameters.optimizer", "Operator": "Equals", "Value": "adam"}]}, ["high"]),
    ],
)
def test_trials_are_found_by_filters(filled: Workspace, where: Any, names: list[str]) -> None:
    assert [trial.name for trial in filled.trials(where=where)] == names


def test_trials_of_some_experiments(filled: Workspace) -> None:
    assert [trial.name for trial in filled.trials("one")] == ["high", "low"]
    assert [trial.experiment for trial in filled.trials(["one", "two"])] == ["two", "one", "one"]
    assert list(filled.trials("one", where=where.metric("accuracy") > 1)) == []


def test_an_experiment_that_does_not_exist_is_named_when_nothing_was_found(filled: Workspace) -> None:
    described = count_calls(filled, "DescribeExperiment")

    assert len(filled.trials("one")) == len(filled.components("one")) == 2
    assert len(filled.trials(["one", "oen"])) == 2
    assert described == []
    for find in (filled.trials, filled.components):
        with pytest.raises(NotFoundError, match=r"No experiment named 'oen'\. Existing: 'one', 'two'"):
            list(find("oen"))


def test_hyperparameters_of_jobs_are_found_as_they_were_put_in(workspace: Workspace, runner: ExperimentRunner) -> None:
    """The SDK JSON-quotes them; nobody should have to know."""
    runner.run({"behaviour": "silent"}, name="quoted")

    found = workspace.trials("lines", where=where.param("behaviour") == "silent")
    assert [trial.name for trial in found] == ["quoted"]


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (
            lambda: where.metric("accuracy") == "high",
            r"metric\('accuracy'\) cannot be compared with 'high'. Available: ==",
        ),
        (lambda: where.metric("accuracy", "median") > 1, "statistic='median'; expected one of 'last', 'max'"),
        (lambda: where.metric("accuracy").contains("9"), "contains.. is for strings"),
        (
            lambda: where.param("optimizer") > cast("Any", "sgd"),
            "Search cannot compare these. Available: ==, !=, contains",
        ),
        (lambda: where.tag("team") < 3, "Search cannot compare these"),
        (lambda: where.status() == "Done", "never 'Done'; expected one of 'InProgress'"),
        (lambda: where.created() == "today", "Available: <, <=, >, >= with a datetime"),
        (lambda: where.parent(cast("Any", "model")), "expected 'experiment' or 'trial'"),
        (lambda: ~(where.tag("team") == "cv"), "Use != instead"),
        (lambda: bool(where.tag("team") == "cv"), "Join filters with & and |"),
        (lambda: (where.tag("team") == "cv") & cast("Any", True), "Put each comparison in parentheses"),
        (lambda: where.param("a").isin([]), "got no values"),
        (lambda: where.param("a").isin("sgd"), "got the string 'sgd'"),
        (lambda: where.tag("team") == "", "Search allows 1 to 1024"),
        (lambda: where.tag("team").contains(cast("Any", 3)), "compared with 3, not a string"),
        (lambda: where.metric(""), "'' is not the name of a metric"),
        (lambda: where.param(cast("Any", 3)), "3 is not the name of a parameter"),
        (lambda: where.tag(""), "'' is not the name of a tag"),
        (
            lambda: where.created() > datetime(2026, 11, 24),
            r"\(\) > .* has no time zone. Write datetime\(.*, tzinfo=UTC\)",
        ),
    ],
)
def test_what_search_cannot_ask_is_refused_with_what_it_can(ask: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        ask()


def test_too_many_conditions_are_refused_before_they_are_sent(workspace: Workspace) -> None:
    many = [where.param(f"p{number}") > number for number in range(21)]

    with pytest.raises(ConfigError, match="joins 22 conditions; Search allows at most 20"):
        workspace.trials("one", where=many)
    with pytest.raises(ConfigError, match="is not a filter"):
        workspace.trials(where=["accuracy > 3"])  # type: ignore[list-item]
    with pytest.raises(ConfigError, match="'accuracy > 3' is not a filter"):
        workspace.trials(where="accuracy > 3")  # type: ignore[arg-type]


def test_groups_count_as_conditions(workspace: Workspace) -> None:
    """As Search counts them; the filter for trainings is one group of three, and that of a metric has two parts."""
    eight = [(where.param("p") == f"v{number}") for number in range(15)]  # groups of two: as it is, and JSON-quoted

    with pytest.raises(ConfigError, match="has 54 conditions and groups; Search allows at most 50"):
        workspace.trials(
            "one", where=[*eight, where.param("a") > 1, where.metric("b") > 1, where.parent("trial") == "c"]
        )


def test_only_one_contains_is_sent(filled: Workspace) -> None:
    """Search accepts no second one, but for names, tags and artifacts; the library's own searches need none."""
    optimizer, trial = where.param("optimizer").contains("s"), where.parent("trial").contains("lo")
    both = r"uses contains\(\) for 'Parameters.optimizer', 'Parents.TrialName'; Search allows one"

    assert [found.name for found in filled.trials(where=[optimizer])] == ["middle", "low"]
    assert [found.name for found in filled.trials(where=[optimizer, where.tag("team").contains("x")])] == []
    searches = count_calls(filled, "Search")
    with pytest.raises(ConfigError, match=both):
        filled.trials(where=optimizer & trial)
    with pytest.raises(ConfigError, match=both):
        filled.trials(
            where=[optimizer, {"Filters": [{"Name": "Parents.TrialName", "Operator": "Contains", "Value": "lo"}]}]
        )
    assert not searches


def test_trials_of_other_tools_are_found(workspace: Workspace) -> None:
    client = workspace.client("sagemaker")
    client.create_experiment(ExperimentName="theirs")
    client.create_trial(TrialName="their-trial", ExperimentName="theirs")
    tags = [{"Key": "sagemaker:trial-component-source", "Value": "run"}]
    for name, given in (("their-run", {"Tags": tags}), ("their-notes", {})):
        client.create_trial_component(TrialComponentName=name, **given)
        client.associate_trial_component(TrialComponentName=name, TrialName="their-trial")

    assert [trial.component_name for trial in workspace.trials("theirs")] == ["their-run"]
    read = workspace.trial("their-trial")
    assert [step.name for step in read.steps] == ["their-run", "their-notes"]
    assert read is not None
    assert read.component_name == "their-run"


def test_components_of_every_kind_are_found_those_of_no_trial_too(filled: Workspace) -> None:
    filled.client("sagemaker").create_trial_component(TrialComponentName="alone", DisplayName="Notes")
    with ExperimentRunner(filled, "one").step("Evaluation", trial="low"):
        pass

    kinds = [step.display_name for step in filled.components()]
    assert kinds == ["Evaluation", "Notes", "Training", "Training", "Training"]
    assert [step.display_name for step in filled.components("one")] == ["Evaluation", "Training", "Training"]
    assert [step.name for step in filled.components(where=where.param("optimizer") == "adam")] == [
        filled.trials("one")[0].component_name
    ]
    assert {"step", "status", "metrics"} <= set(filled.components("two").dataframe().columns)


def test_experiments_are_found_the_newest_first(filled: Workspace) -> None:
    now = datetime.now(UTC)

    assert [found.name for found in filled.experiments()] == ["two", "one"]
    assert [found.name for found in filled.experiments(name_contains="ON")] == ["one"]
    assert [found.tags["team"] for found in filled.experiments(tags={"team": "nlp"})] == ["nlp"]
    assert list(filled.experiments(created_after=now + timedelta(hours=1))) == []
    assert len(filled.experiments(created_before=now + timedelta(hours=1), created_after=ANY)) == 2


def test_a_trial_that_does_not_exist_names_those_that_do(filled: Workspace) -> None:
    with pytest.raises(NotFoundError, match=r"No trial named 'hihg'\. Existing: 'high'"):
        filled.trial("hihg")


def test_a_comparison_says_what_differs_and_nothing_else(filled: Workspace) -> None:
    with ExperimentRunner(filled, "one").step("Evaluation", trial="high") as step:
        step.log_metric("f1", 0.5)

    found = filled.compare("low", filled.trials("one")[0])

    assert [(row.step, row.kind, row.name, row.values) for row in found.differences] == [
        ("Training", "parameter", "optimizer", ("sgd", "adam")),
        ("Training", "parameter", "rate", (0.05, 0.09)),
        ("Training", "metric", "accuracy", (0.5, 0.9)),
        ("Evaluation", "step", "recorded", (None, True)),
        ("Evaluation", "status", "status", (None, "Completed")),
        ("Evaluation", "metric", "f1", (None, 0.5)),
    ]
    assert list(found.dataframe().columns) == ["step", "kind", "name", "low", "high"]
    assert "optimizer" in str(found)
    assert "<p>comparison of low, high: 6 differences</p><table" in found._repr_html_().replace("\n", "")
    for wrong in ((), ("low",), ("low", "low")):
        with pytest.raises(ConfigError, match="two or more different trials"):
            filled.compare(*wrong)


def test_a_comparison_fits_a_screen_and_its_frame_keeps_all(workspace: Workspace) -> None:
    runner = ExperimentRunner(workspace, "long")
    names = [f"a-trial-with-a-long-name-20261124-{number}-54e4d1" for number in (1, 2)]
    for name in names:
        with runner.trial({"seed": name[-8], "one": 1}, name=name):
            pass
        with runner.step("Evaluation", trial=name) as step:
            step.log_input(
                "model", f"s3://a-bucket-of-some-company/mnist-tracking/long/jobs/{name}/output/model.tar.gz"
            )
    with runner.step("Report", trial=names[0]) as step:
        step.log_input("figures", f"s3://a-bucket-of-some-company/mnist-tracking/{'long/' * 20}figures.zip")

    found = workspace.compare(*names)

    lines = str(found).splitlines()
    model = next(line for line in lines if " model " in line)
    assert max(map(len, lines)) <= 100
    assert model.split()[-2:] == [f"…/a-trial-with-a-…61124-{number}-54e4d1/…" for number in (1, 2)]
    assert names[0] in "".join(found.dataframe()[names[0]].astype(str))
    assert "figures.zip" in str(found)


def test_one_difference_is_one(filled: Workspace) -> None:
    runner = ExperimentRunner(filled, "alike")
    for seed in (1, 2):
        with runner.trial({"seed": seed}, name=f"seed-{seed}"):
            pass

    assert repr(filled.compare("seed-1", "seed-2")) == "<Comparison of seed-1, seed-2: 1 difference>"


@pytest.fixture
def slow(workspace: Workspace, runner: ExperimentRunner) -> Iterator[ExperimentRunner]:
    """A runner whose hanging jobs are stopped after the test."""
    yield runner
    for trial in workspace.trials(runner.name, where=where.status() == "InProgress"):
        workspace.submitted(trial.name).stop()


def test_a_submitted_trial_is_taken_up_by_its_name_alone(workspace: Workspace, slow: ExperimentRunner) -> None:
    slow.submit({"behaviour": "hang"}, name="hanging")

    again = Workspace.embedded(workspace._engine.home).submitted("hanging")  # type: ignore[union-attr]
    lines = again.logs(follow=True)
    assert next(lines) == "hanging"
    statuses = [again.status]
    again.stop()
    assert list(lines) == []
    assert [*statuses, again.status, again.result().status] == ["InProgress", "Stopped", "Stopped"]


def test_metrics_and_logs_of_a_job_are_read_back_whole(workspace: Workspace, runner: ExperimentRunner) -> None:
    submitted = runner.submit({"steps": 5, "slope": 2.0})
    trial = submitted.result(timeout_s=60)

    assert trial.metrics["score"].last == 1.9375
    assert submitted.series()["score"].values == (1.0, 1.5, 1.75, 1.875, 1.9375)
    assert workspace.trial(trial.name).series()["error"].values == (1.0, 0.5, 0.25, 0.125, 0.0625)
    assert len([line for line in submitted.logs() if line.startswith("step")]) == 5


def test_what_was_never_submitted_cannot_be_taken_up(filled: Workspace) -> None:
    with pytest.raises(StateError, match="has no training job"):
        filled.submitted("low")
    with pytest.raises(NotFoundError, match="Existing"):
        filled.submitted("lwo")


def test_reading_never_writes(filled: Workspace) -> None:
    written: list[str] = []
    filled.client("sagemaker").meta.events.register_first("before-call", lambda model, **_: written.append(model.name))

    list(filled.trials(where=where.metric("accuracy") > 0.1))
    list(filled.experiments())
    filled.trial("low").series()
    filled.trial("low").lineage()
    filled.compare("low", "high")

    assert {name for name in written if not name.startswith(("Describe", "List", "Search"))} == set()


def test_a_filter_is_a_plain_record() -> None:
    both: Filter = (where.metric("a") > 1) & (where.param("b") == "c")

    assert both == (where.metric("a") > 1) & (where.param("b") == "c")
    assert hash(both) == hash((where.metric("a") > 1) & (where.param("b") == "c"))
