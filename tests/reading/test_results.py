"""What a search finds: read page by page, once, and to its end or not at all; shown as tables."""

import pytest
from tests.support.sent import count_calls

from mnist_tracking import ExperimentRunner, StateError, Workspace, where
from mnist_tracking.types import Results


def test_results_are_read_page_by_page_and_once(workspace: Workspace) -> None:
    runner = ExperimentRunner(workspace, "many")
    client, calls = workspace.client("sagemaker"), count_calls(workspace, "Search")
    for number in range(250):
        if number % 50 == 0:  # the most that a trial takes
            client.create_trial(TrialName=f"parent-{number}", ExperimentName=runner.name)
        client.create_trial_component(TrialComponentName=f"c-{number}", DisplayName="Training")
        client.associate_trial_component(TrialComponentName=f"c-{number}", TrialName=f"parent-{number // 50 * 50}")
    calls.clear()

    found = workspace.trials("many")
    assert (calls, repr(found)) == ([], "<Results: trials, 0 read so far>")
    assert found[0].component_name == "c-249"
    assert len(calls) == 1
    assert len(found) == len(list(found)) == len(found.dataframe()) == 250
    assert len(calls) == 3
    assert [found[-1].component_name, found[1:3][0].component_name] == ["c-0", "c-248"]
    assert bool(found)


def test_results_print_as_tables(filled: Workspace) -> None:
    found = filled.trials("one")

    assert "high" in str(found)
    assert "<table" in found._repr_html_()
    assert str(filled.trials("two", where=where.metric("accuracy") > 1)) == "no trials"
    assert {"trial", "param.optimizer", "metric.accuracy.last"} <= set(found.dataframe().columns)


def test_a_trial_and_its_series_show_themselves_in_a_notebook(filled: Workspace) -> None:
    shown = filled.trials("one")[0]._repr_html_()
    series = filled.trial("high").series()["accuracy"]

    assert "<td>param.optimizer</td>" in shown
    assert "<td>adam</td>" in shown
    assert filled.trial("high")._repr_html_().startswith("<table")
    assert "<td>0.9</td>" in series._repr_html_()


def test_a_trial_and_a_series_print_what_people_ask_for(filled: Workspace) -> None:
    (high, _) = filled.trials("one")

    assert str(high).splitlines() == [
        "trial high of experiment one: Completed",
        "  hyperparameters fast = True, optimizer = adam, rate = 0.09",
        "  metrics accuracy = 0.9",
    ]
    assert (
        repr(filled.trial("middle").series())
        == "{'accuracy': <MetricSeries 'accuracy': 2 values, the last [0.1, 0.7]>}"
    )


def test_frames_without_rows_have_their_columns(filled: Workspace) -> None:
    filled.client("sagemaker").create_trial(TrialName="bare", ExperimentName="one")
    none = where.metric("accuracy") > 1

    for found in (filled.trials("one"), filled.components("one"), filled.experiments()):
        types = found.dataframe().dtypes
        always = types[[name for name in types.index if not name.startswith(("param.", "metric.", "tag."))]]
        nothing = Results(found._kind, iter(()), found._make_table)
        assert nothing.dataframe().dtypes.to_dict() == always.to_dict()
    assert list(filled.trials(where=none).dataframe()["status"]) == []
    assert list(filled.trial("bare").dataframe()["status"]) == []
    assert list(filled.trial("bare").lineage().dataframe()["DisplayName"]) == []


def test_long_reads_tell_how_far_they_are(workspace: Workspace) -> None:
    for number in range(210):
        workspace.client("sagemaker").create_experiment(ExperimentName=f"e-{number}")
    told: list[int] = []

    found = workspace.experiments(on_progress=told.append)

    assert told == []
    assert len(found) == 210
    assert told == [100, 200]


def test_what_was_broken_off_is_never_taken_for_the_whole(workspace: Workspace) -> None:
    """A key is pressed in a notebook while the third page is on its way; the cell is run again."""
    for number in range(210):
        workspace.client("sagemaker").create_experiment(ExperimentName=f"e-{number}")
    found, asked = workspace.experiments(), count_calls(workspace, "Search")

    def interrupt(**_: object) -> None:
        if len(asked) == 3:
            raise KeyboardInterrupt

    workspace.client("sagemaker").meta.events.register("after-call.sagemaker.Search", interrupt)
    with pytest.raises(KeyboardInterrupt):
        len(found)

    assert found[199].name == "e-10"
    with pytest.raises(
        StateError, match="The search for 'experiments' was interrupted and is incomplete; search again"
    ):
        len(found)
