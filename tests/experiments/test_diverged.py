"""A training that diverged never wins: whoever records it, and whoever ranks it."""

import math
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.late import late_account
from tests.support.sent import count_calls

from mnist_tracking import (
    BestModelDeployer,
    ExperimentRunner,
    HyperparameterSweep,
    JobSpec,
    Leaderboard,
    Objective,
    Trial,
    Workspace,
    where,
)
from mnist_tracking._aws.search import expression_of
from mnist_tracking._values.json import to_json
from mnist_tracking.embedded import EmbeddedSageMaker, Fault, Lag
from mnist_tracking.errors import ConfigError, StateError

LOSS = Objective("loss", goal="minimize")
PRINTED = "loss=(.*?);"
LOSSES = {"diverged": (0.4, math.nan, math.nan), "healthy": (0.7,), "recovered": (math.inf, 0.9)}
PRINTS = "import sys\nfor loss in sys.argv[-1].split(): print(f'loss={loss};')"
LOGS = """
import sys
from mnist_tracking.job import log_metric
for step, loss in enumerate(sys.argv[-1].split()): log_metric("loss", float(loss), step=step)
"""


@pytest.fixture(params=["printed", "logged"])
def runner(request: pytest.FixtureRequest, workspace: Workspace, tmp_path: Path) -> ExperimentRunner:
    """An experiment whose script prints the losses that it is given, or logs them."""
    script, metrics = (PRINTS, {"loss": PRINTED}) if request.param == "printed" else (LOGS, ["loss"])
    (tmp_path / "train.py").write_text(script)
    job = JobSpec(tmp_path / "train.py", metrics=metrics, objective=LOSS)
    return ExperimentRunner(workspace, "losses", job=job)


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """The warnings of values that were dropped have a test of their own."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".* of the metric 'loss' w", UserWarning)
        yield


def is_logged(runner: ExperimentRunner) -> bool:
    """Whether the script logs its metrics; then the job itself knows that it diverged."""
    assert runner.job is not None
    return runner.job.metrics[0].regex != PRINTED


def losses(name: str) -> dict[str, str]:
    return {"losses": " ".join(map(str, LOSSES[name]))}


def test_the_best_trial_of_jobs_ends_with_a_finite_loss(runner: ExperimentRunner, workspace: Workspace) -> None:
    trials = {name: runner.run(losses(name), name=name) for name in LOSSES}
    board = Leaderboard.load(workspace, "losses")

    assert [trial.name for trial in board] == ["healthy", "recovered", "diverged"]
    assert board.best.name == "healthy"
    assert {name: dict(trial.non_finite) for name, trial in trials.items()} == {
        "diverged": {"loss": "nan"},
        "healthy": {},
        "recovered": {},
    }
    assert list(board) == [trials[trial.name] for trial in board]
    assert all(trial.is_checked for trial in board)


def test_sweep_never_returns_a_diverged_trial_as_the_best(runner: ExperimentRunner) -> None:
    board = HyperparameterSweep(runner, {"losses": [losses("diverged")["losses"], losses("healthy")["losses"]]}).run()

    assert board.best.hyperparameters["losses"] == "0.7"
    assert [dict(trial.non_finite) for trial in board] == [{}, {"loss": "nan"}]


def local(workspace: Workspace, name: str) -> Trial:
    """A trial that logs losses in this process."""
    with ExperimentRunner(workspace, "losses").trial(name=name) as recording:
        for loss in LOSSES[name]:
            recording.log_metric("loss", loss)
    return workspace.trial(name)


def test_local_trial_records_that_it_diverged_and_goes_on(workspace: Workspace) -> None:
    trial = local(workspace, "diverged")

    assert (trial.status, trial.metrics["loss"].count) == ("Completed", 1)
    assert (trial.non_finite, trial.is_checked) == ({"loss": "nan"}, True)
    assert trial.dropped == {"loss": "2 of 3 values of the metric 'loss' were dropped: 2 not finite (nan)."}
    assert trial.hyperparameters == {}


def test_local_trial_that_recovers_is_finite(workspace: Workspace) -> None:
    trial = local(workspace, "recovered")

    assert (trial.non_finite, trial.metrics["loss"].last) == ({}, 0.9)
    assert [point.step for point in trial.series()["loss"]] == [1]


@pytest.mark.parametrize("statistic", ["last", "min", "max", "avg"])
@pytest.mark.parametrize("goal", ["minimize", "maximize"])
def test_diverged_trials_rank_before_those_without_the_metric_and_after_all_others(
    workspace: Workspace, goal: str, statistic: str
) -> None:
    with ExperimentRunner(workspace, "losses").trial(name="silent"):
        pass
    for name in LOSSES:
        local(workspace, name)
    objective = Objective("loss", goal=goal, statistic=statistic)  # type: ignore[arg-type]
    board = Leaderboard.load(workspace, "losses", objective=objective)

    assert [trial.name for trial in board][2:] == ["diverged", "silent"]
    assert list(board.dataframe()["objective_note"]) == ["", "", "ends with nan", ""]
    assert board.dataframe()["objective"].isna().tolist() == [False, False, True, True]


def test_board_of_diverged_trials_has_no_best(workspace: Workspace) -> None:
    local(workspace, "diverged")

    with pytest.raises(StateError, match=r"diverged is Completed, and 'loss' ends with nan"):
        _ = Leaderboard.load(workspace, "losses", objective=LOSS).best


def test_trial_without_a_single_finite_value_is_known_by_its_metric(workspace: Workspace) -> None:
    with ExperimentRunner(workspace, "losses").trial(name="hopeless") as recording:
        recording.log_metric("loss", math.nan)
    board = Leaderboard.load(workspace, "losses", objective=LOSS)

    assert board.unranked == ""
    assert "nan" in str(board)
    assert "loss = nan" in str(board[0])
    assert board.dataframe()["metric.loss.last"].isna().all()
    assert workspace.trials("losses").dataframe()["metric.loss.last"].isna().all()


@pytest.mark.parametrize("last", [math.nan, math.inf, -math.inf])
def test_last_value_is_missing_in_every_table_if_it_is_not_finite(workspace: Workspace, last: float) -> None:
    with ExperimentRunner(workspace, "losses").trial(name="diverged") as recording:
        for loss in (0.4, last):
            recording.log_metric("loss", loss)
    board = Leaderboard.load(workspace, "losses", objective=LOSS)
    [row] = board.dataframe().to_dict("records")

    assert math.isnan(row["metric.loss.last"])
    assert (row["metric.loss.min"], row["metric.loss.max"], row["metric.loss.count"]) == (0.4, 0.4, 1)
    assert math.isnan(workspace.trials("losses").dataframe()["metric.loss.last"][0])
    assert to_json(board[0])["metrics"]["loss"] == {**to_json(board[0].metrics["loss"]), "last": None}
    assert to_json(board[0].steps[0])["metrics"]["loss"]["last"] is None
    assert board[0].metrics["loss"].last == 0.4  # SageMaker's own


@pytest.mark.parametrize("name", ["mnist-tracking:checked", "mnist-tracking:non-finite.loss"])
def test_parameter_cannot_pretend_to_be_a_finding(workspace: Workspace, name: str) -> None:
    with ExperimentRunner(workspace, "losses").trial(name="healthy") as recording:
        recording.log_metric("loss", 0.7)
        with pytest.raises(ConfigError, match="without the prefix 'mnist-tracking:'"):
            recording.log_parameter(name, "nan")

    assert not workspace.trial("healthy").non_finite


@pytest.fixture
def three(workspace: Workspace) -> Workspace:
    """An account with one trial of each kind."""
    for name in LOSSES:
        local(workspace, name)
    return workspace


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        (where.metric("loss") < 0.8, ["healthy"]),
        (where.metric("loss") >= 0.0, ["healthy", "recovered"]),
        (where.metric("loss", "min") <= 0.9, ["healthy", "recovered"]),
        (where.metric("loss") == 0.4, []),
        (where.metric("loss").isin([0.4, 0.7]), ["healthy"]),
        ((where.metric("loss") < 0.5) | (where.metric("loss") > 0.8), ["recovered"]),
        ((where.metric("loss") > 0.1) & (where.metric("loss") < 0.8) & (where.status() == "Completed"), ["healthy"]),
        ([where.metric("loss") > 0.1, where.metric("loss") < 0.8], ["healthy"]),
        (where.metric("loss", "count") == 1, ["diverged", "healthy", "recovered"]),
        (where.metric("loss") != 0.7, ["diverged", "recovered"]),
        (where.metric("loss").exists(), ["diverged", "healthy", "recovered"]),
    ],
)
def test_filter_does_not_compare_a_metric_that_ends_with_nan(three: Workspace, filters: Any, found: list[str]) -> None:
    assert sorted(trial.name for trial in three.trials("losses", where=filters)) == found


def test_condition_that_comparisons_share_is_sent_once() -> None:
    """A search has room for 20 conditions in a group."""
    between = expression_of([where.metric("loss") > 0.1, where.metric("loss") < 0.8, where.param("lr") > 0.1])

    assert [(item["Name"], item["Operator"]) for item in between["Filters"]] == [
        ("Metrics.loss.last", "GreaterThan"),
        ("Parameters.mnist-tracking:non-finite.loss", "NotExists"),
        ("Metrics.loss.last", "LessThan"),
        ("Parameters.lr", "GreaterThan"),
    ]
    assert list(between) == ["Filters"]


def test_trial_of_another_program_is_not_checked_until_its_log_is_read(
    runner: ExperimentRunner, workspace: Workspace
) -> None:
    """A job that ended while nobody waited; reading its log writes nothing."""
    for name in ("diverged", "healthy"):
        submitted = runner.submit(losses(name), name=name)
        list(submitted.logs(follow=True))
    board = Leaderboard.load(workspace, "losses")
    notes = {trial.name: note for trial, note in zip(board, board.dataframe()["objective_note"], strict=True)}
    checked = board.check_logs()

    assert notes == {"diverged": "ends with nan" if is_logged(runner) else "not checked", "healthy": "not checked"}
    assert "not checked" in str(board)
    assert [trial.name for trial in checked] == ["healthy", "diverged"]
    assert checked.dataframe()["objective_note"].tolist() == ["", "ends with nan"]
    assert list(Leaderboard.load(workspace, "losses")) == list(board)


def test_waiting_again_records_nothing_again(runner: ExperimentRunner, workspace: Workspace) -> None:
    """And at most one call for each job that is waited for."""
    calls = count_calls(workspace, "UpdateTrialComponent")
    runner.run(losses("diverged"), name="diverged")
    first = len(calls)
    workspace.submitted("diverged").wait()

    assert (first, len(calls)) == (1, 1)


def test_what_was_dropped_is_said_once_for_each_metric(runner: ExperimentRunner) -> None:
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        trial = runner.run(losses("diverged"), name="diverged")

    said = "2 of 3 values of the metric 'loss' were dropped: 2 not finite (nan)."
    assert [str(one.message) for one in found] == [f"Trial 'diverged': {said}"]
    assert trial.dropped == {"loss": said}
    assert found[0].filename == __file__


def test_progress_shows_that_a_trial_diverged(runner: ExperimentRunner, capsys: pytest.CaptureFixture[str]) -> None:
    runner.run(losses("diverged"), name="diverged", progress=True)

    assert "loss ends with nan" in capsys.readouterr().err


def test_deployer_takes_another_trial_for_the_best_and_warns_of_one_by_name(
    workspace: Workspace, tmp_path: Path
) -> None:
    (tmp_path / "model.txt").write_text("3")
    (tmp_path / "answer.py").write_text("def model_fn(folder): return 3\n")
    for name in ("diverged", "healthy"):
        with ExperimentRunner(workspace, "losses").trial(name=name) as recording:
            recording.log_model(tmp_path / "model.txt", entry_point=tmp_path / "answer.py")
            for loss in LOSSES[name]:
                recording.log_metric("loss", loss)
    deployer = BestModelDeployer(workspace)

    assert deployer.plan("losses", objective=LOSS).trial.name == "healthy"
    assert deployer.plan(Leaderboard.load(workspace, "losses", objective=LOSS)).trial.name == "healthy"
    with pytest.warns(UserWarning, match="'diverged' diverged, and its model is deployed: 'loss' ends with nan"):
        deployer.plan("diverged")


def test_curves_name_what_a_trial_ends_with(three: Workspace) -> None:
    pytest.importorskip("matplotlib")
    from mnist_tracking.reading.plots import metric_curves

    figure = metric_curves(three.trials("losses"), metrics=["loss"])
    labels = [text.get_text() for legend in figure.legends for text in legend.get_texts()]

    assert sorted(labels) == ["diverged (ends with nan)", "healthy", "recovered"]


def test_user_who_may_not_read_logs_gets_an_unchecked_trial(
    engine: EmbeddedSageMaker, runner: ExperimentRunner
) -> None:
    refused = Fault("AccessDeniedException", operation="DescribeLogStreams", times=None)
    with engine.inject(refused), pytest.warns(UserWarning, match="logs of training jobs cannot be read"):
        trial = runner.run(losses("healthy"))
    board = Leaderboard.load(runner.workspace, "losses")

    assert (trial.status, trial.is_checked, trial.metrics["loss"].last) == ("Completed", False, 0.7)
    assert board.best == trial
    with engine.inject(refused):
        assert list(board.check_logs()) == [trial]


def test_user_who_may_not_update_components_is_warned(engine: EmbeddedSageMaker, runner: ExperimentRunner) -> None:
    """The returned trial has what the log shows all the same."""
    refused = Fault("AccessDeniedException", operation="UpdateTrialComponent", times=None)
    with (
        engine.inject(refused),
        pytest.warns(UserWarning, match="Findings about metrics, stop reasons and billable seconds cannot be recorded"),
    ):
        trial = runner.run(losses("healthy"))

    assert trial.is_checked
    assert not Leaderboard.load(runner.workspace, "losses")[0].is_checked


@pytest.mark.parametrize("seed", range(3))
def test_diverged_trial_is_not_the_best_on_an_account_that_is_late(tmp_path: Path, seed: int) -> None:
    """Search shows how a trial ended before it shows what was found in its log."""
    (tmp_path / "train.py").write_text(PRINTS)
    job = JobSpec(tmp_path / "train.py", metrics={"loss": PRINTED}, objective=LOSS)
    with late_account(tmp_path / "home", Lag.like_aws(seed=seed)) as (_, late, _):
        runner = ExperimentRunner(late, "losses", job=job)
        for name in ("healthy", "diverged"):
            runner.submit(losses(name), name=name).wait()
        board = Leaderboard.load(late, "losses")

        assert board.best.name == "healthy"
        assert [trial.name for trial in board.check_logs()] == ["healthy", "diverged"]


def test_trial_that_is_out_of_date_is_read_again(workspace: Workspace, runner: ExperimentRunner) -> None:
    for name in ("healthy", "diverged"):
        list(runner.submit(losses(name), name=name).logs(follow=True))
    board = Leaderboard.load(workspace, "losses")
    for name in ("healthy", "diverged"):
        workspace.submitted(name).wait()

    assert not any(trial.is_checked for trial in board)
    assert board.best.name == "healthy"
