"""Which hyperparameters decide whether a trial is among the best."""

import math
import random
import sys
from collections.abc import Iterable, Mapping

import pytest

from mnist_tracking import ConfigError, ExperimentRunner, Leaderboard, Objective, StateError, Workspace
from mnist_tracking._values.records import Metric, ParameterValue
from mnist_tracking.errors import MissingDependencyError
from mnist_tracking.reading.importance import importance_of
from mnist_tracking.reading.trial import Trial

SCORE = Objective("score")


def trials(points: Iterable[tuple[Mapping[str, ParameterValue], float]], workspace: Workspace) -> list[Trial]:
    from datetime import UTC, datetime

    return [
        Trial(
            name=f"t{place}",
            experiment="e",
            status="Completed",
            failure_reason="",
            hyperparameters=given,
            metrics={"score": Metric("score", value, value, value, value, 0.0, 1)},
            job_name="",
            component_name=f"c{place}",
            model_uri=None,
            code_uri=None,
            created=datetime(2026, 1, 1, tzinfo=UTC),
            duration_s=None,
            account=workspace,
        )
        for place, (given, value) in enumerate(points)
    ]


def drawn(count: int, seed: int) -> list[tuple[dict[str, ParameterValue], float]]:
    """Points of a mixed, conditional space, of which the learning rate decides most."""
    draw, points = random.Random(seed), []
    for _ in range(count):
        lr, optimizer = 10 ** draw.uniform(-4, 0), draw.choice(["sgd", "adam", None])
        given: dict[str, ParameterValue] = {"lr": lr, "optimizer": optimizer, "depth": draw.randint(1, 8), "fixed": 3}
        given |= {"momentum": draw.uniform(0, 1)} if optimizer == "sgd" else {}
        layers: list[ParameterValue] = draw.choice([[1, 2], [3]])
        given["layers"] = layers
        points.append((given, -((math.log10(lr) + 2) ** 2) + 0.1 * (optimizer == "adam") + draw.gauss(0, 0.05)))
    return points


def test_shares_of_mixed_and_conditional_hyperparameters(workspace: Workspace) -> None:
    pytest.importorskip("optuna")
    found = importance_of(trials(drawn(60, seed=1), workspace), SCORE, "e")

    assert found.keys() == {"lr", "optimizer", "depth", "momentum", "layers"}
    assert sum(found.values()) == pytest.approx(1.0)
    assert list(found.values()) == sorted(found.values(), reverse=True)
    assert next(iter(found)) == "lr"
    assert found["lr"] > 0.5


def test_few_trials_are_not_decided_by_the_single_best(workspace: Workspace) -> None:
    """With the top tenth of ten trials, which is one, irrelevant hyperparameters had the largest share as often."""
    pytest.importorskip("optuna")
    found = [importance_of(trials(drawn(12, seed), workspace), SCORE, "e") for seed in range(10)]

    assert sum(next(iter(shares)) == "lr" for shares in found) >= 7


def test_a_study_leaves_no_trace(workspace: Workspace, capfd: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("optuna")
    importance_of(trials(drawn(12, seed=1), workspace), SCORE, "e")

    assert capfd.readouterr() == ("", "")


def test_the_goal_is_that_of_the_objective(workspace: Workspace) -> None:
    pytest.importorskip("optuna")
    points = [({"a": number % 2, "b": number // 2}, float(number // 2)) for number in range(20)]
    least = Objective("score", goal="minimize")

    for objective in (SCORE, least):
        assert next(iter(importance_of(trials(points, workspace), objective, "e"))) == "b"


def test_what_cannot_be_computed_is_an_error(workspace: Workspace) -> None:
    pytest.importorskip("optuna")
    points = drawn(12, seed=1)

    with pytest.raises(StateError, match="has 9 completed trials with 'score'; importance needs 10"):
        importance_of(trials(points[:9], workspace), SCORE, "e")
    with pytest.raises(StateError, match=r"has 12 trials of which 8 or more have the same, worst value of 'score'"):
        importance_of(
            trials([(given, float(place < 4)) for place, (given, _) in enumerate(points)], workspace), SCORE, "e"
        )
    with pytest.raises(StateError, match="hyperparameters do not differ"):
        importance_of(trials([({"lr": 0.1}, value) for _, value in points], workspace), SCORE, "e")


def test_a_leaderboard_needs_an_objective_and_optuna(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    with ExperimentRunner(workspace, "e").trial() as trial:
        trial.log_metric("score", 0.5)

    with pytest.raises(ConfigError, match="has no objective"):
        Leaderboard.load(workspace, "e").importance()
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingDependencyError, match="optuna is not installed"):
        Leaderboard.load(workspace, "e", objective="score").importance()
