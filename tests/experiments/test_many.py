"""Ten thousand trials are read by a hundred calls."""

from collections.abc import Callable, Iterator

import pytest

from mnist_tracking import ExperimentRunner, Leaderboard, Workspace
from mnist_tracking.embedded import EmbeddedSageMaker
from mnist_tracking.types import Timing

MANY = 10_000
Count = Callable[[], int]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """An experiment of many trials, written straight into the store: by calls it would take a minute."""
    engine = EmbeddedSageMaker(tmp_path_factory.mktemp("many"))
    numbers = [(n,) for n in range(1, MANY + 1)]
    with engine.store.write() as connection:
        connection.execute("INSERT INTO experiments VALUES (1, 'many', 'arn:many', 'many', NULL, 0, 0)")
        for statement in (
            "INSERT INTO trials (id, name, arn, display_name, experiment_id, created, modified) "
            "SELECT ?1, 't-' || ?1, 'arn:t-' || ?1, 't-' || ?1, 1, ?1, ?1",
            "INSERT INTO components (id, name, arn, display_name, status, created, modified) "
            "VALUES (?1, 'c-' || ?1, 'arn:c-' || ?1, 'Training', 'Completed', ?1, ?1)",
            "INSERT INTO associations VALUES (?1, ?1, ?1)",
            "INSERT INTO metric_summaries VALUES (?1, 'score', 1, ?1, ?1, ?1, 0, ?1, ?1)",
        ):
            connection.executemany(statement, numbers)
    yield Workspace.embedded(engine=engine)
    engine.close()


@pytest.fixture
def calls(filled: Workspace) -> Iterator[Count]:
    """Counts the calls that read."""
    made: list[str] = []
    events = filled.client("sagemaker").meta.events

    def note(event_name: str, **_: object) -> None:
        made.append(event_name)

    events.register("before-parameter-build.sagemaker.*", note)
    yield lambda: len(made)
    events.unregister("before-parameter-build.sagemaker.*", note)


def test_a_leaderboard_of_many_takes_a_call_for_each_hundred(filled: Workspace, calls: Count) -> None:
    """Besides, ListTrials for the newest hundred, which Search might not show yet."""
    board = Leaderboard.load(filled, "many", objective="score")

    assert [trial.name for trial in board[:2]] == ["t-10000", "t-9999"]
    assert len(board) == MANY
    assert calls() == MANY / 100 + 1


def test_many_trials_are_read_as_they_are_looked_at(filled: Workspace, calls: Count) -> None:
    trials = iter(filled.trials("many"))

    assert next(trials).name == "t-10000"
    assert calls() == 1
    assert sum(1 for _ in trials) == MANY - 1
    assert calls() <= MANY / 100 + 1


@pytest.mark.parametrize(("settled_within_s", "lists"), [(120.0, 2), (0.0, 1)])
def test_trials_are_listed_as_far_back_as_search_may_be_behind(
    workspace: Workspace, settled_within_s: float, lists: int
) -> None:
    workspace.timing = Timing(settled_within_s=settled_within_s)
    client, made = workspace.client("sagemaker"), list[object]()
    with ExperimentRunner(workspace, "new").trial(name="t-0"):
        pass
    component = workspace.trial("t-0").component_name
    for number in range(1, 101):
        client.create_trial(TrialName=f"t-{number}", ExperimentName="new")
        client.associate_trial_component(TrialName=f"t-{number}", TrialComponentName=component)
    client.meta.events.register("before-call.sagemaker.ListTrials", lambda **call: made.append(call))

    board = Leaderboard.load(workspace, "new")

    assert (len(board), len(made)) == (101, lists)
