"""The values of parameters are read back as they were given, and filters agree with what is read back."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import pytest
from tests.support.sent import count_calls

from mnist_tracking import ConfigError, ExperimentRunner, JobSpec, Leaderboard, Workspace, where
from mnist_tracking._aws.convert import component_of_job
from mnist_tracking._aws.experiments import read_component
from mnist_tracking._aws.jobs import describe_job
from mnist_tracking._aws.sdk import quiet
from mnist_tracking._values.recordable import ParameterValue, same_value
from mnist_tracking.reading.trial import trial_from_component

VALUES: tuple[ParameterValue, ...] = (
    *(2, 2.0, 0.1, 2**53, 2**53 + 1, 2**60, 2**60 + 1, 2.0**60, 10**400),
    *(True, False, None, 1, "2", "2.0", "true", "null", "None", "1e5", "007", "sgd", "sch\u00f6n", 'say "hi"', "a\nb"),
)
GIVEN: dict[str, ParameterValue] = {"empty": "", **{f"x{number}": value for number, value in enumerate(VALUES)}}


@pytest.fixture
def recorded(workspace: Workspace, toy_job: Callable[..., JobSpec]) -> Workspace:
    """Two trials with all values: one computed here, one trained by a job."""
    runner = ExperimentRunner(workspace, "values", job=toy_job(check=None))
    with runner.trial(GIVEN, name="local"):
        pass
    runner.submit(GIVEN, name="job").stop()
    return workspace


def test_they_are_read_back_by_value_and_by_type(recorded: Workspace) -> None:
    for name in ("local", "job"):
        found = recorded.trial(name).hyperparameters
        assert {name: repr(value) for name, value in found.items()} == {
            name: repr(value) for name, value in GIVEN.items()
        }


def test_a_step_takes_the_type_of_the_last_value(recorded: Workspace) -> None:
    with ExperimentRunner(recorded, "values").step("Cleaning", trial="local") as step:
        step.log_parameters({"rows": 2.0, "seed": 2**60 + 1, "name": "a"})
        step.log_parameters({"rows": 2, "seed": "x", "name": 2.0})

    parameters = recorded.trial("local").steps[-1].parameters
    assert {name: repr(value) for name, value in parameters.items() if ":" not in name} == {
        "rows": "2",
        "seed": "'x'",
        "name": "2.0",
    }


def test_filters_agree_with_what_is_read_back(recorded: Workspace) -> None:
    for name, value in GIVEN.items():
        for asked in VALUES:
            equal = len(recorded.trials("values", where=where.param(name) == asked))
            other = len(recorded.trials("values", where=where.param(name) != asked))
            assert (equal, other) == ((2, 0) if same_value(value, asked) else (0, 2)), (value, asked)


def test_an_empty_string_is_found(recorded: Workspace) -> None:
    assert len(recorded.trials("values", where=where.param("empty") == "")) == 2
    assert len(recorded.trials("values", where=where.param("x0") == "")) == 0


def test_numbers_remain_numbers_for_search(recorded: Workspace) -> None:
    """Whatever preserves them exactly stands beside them."""
    assert len(recorded.trials("values", where=(where.param("x1") > 1) & (where.param("x6") > 2**59))) == 2


def test_a_scalar_of_numpy_is_compared_as_a_number() -> None:
    import numpy

    assert repr(where.param("lr") == numpy.float64(0.5)) == repr(where.param("lr") == 0.5)
    assert repr(where.param("rows") > cast("Any", numpy.int64(3))) == repr(where.param("rows") > 3)


def test_what_preserves_values_is_in_no_record(recorded: Workspace) -> None:
    for trial in recorded.trials("values"):
        assert trial.hyperparameters.keys() == GIVEN.keys()
        assert not [name for step in trial.steps for name in step.parameters if "exact" in name or "floats" in name]


def test_the_hyperparameters_that_preserve_values_count(workspace: Workspace, toy_job: Callable[..., JobSpec]) -> None:
    """SageMaker allows 100."""
    runner = ExperimentRunner(workspace, "values", job=toy_job())
    with pytest.raises(ConfigError, match="96 hyperparameters"):
        runner.submit({f"x{number}": 2**60 + 1 for number in range(48)})


def test_frames_have_typed_columns_in_the_order_of_their_names(workspace: Workspace) -> None:
    runner = ExperimentRunner(workspace, "frames")
    given: dict[str, dict[str, ParameterValue]] = {
        "first": {"zeta": 1, "alpha": "a", "lr": 2.0, "flag": True, "patience": None},
        "second": {"beta": 0.5, "zeta": 2, "lr": 1, "flag": False, "patience": 3},
    }
    for name, values in given.items():
        with runner.trial(values, name=name) as trial:
            trial.log_metric(f"loss-{name}", 0.5)

    board, found = Leaderboard.load(workspace, "frames").dataframe(), workspace.trials("frames").dataframe()

    parameters = {
        "param.alpha": "string",
        "param.beta": "float64",
        "param.flag": "boolean",
        "param.lr": "float64",
        "param.patience": "object",
        "param.zeta": "Int64",
    }
    for frame in (board, found):
        types = frame.dtypes.astype(str)[[name for name in frame.columns if name.startswith("param.")]]
        assert list(types.items()) == list(parameters.items())
        assert "failure_reason" in frame.columns[-6:]
    assert board.dtypes["metric.loss-first.count"] == "Int64"
    assert [name for name in board.columns if name.endswith(".last")] == [f"metric.loss-{name}.last" for name in given]
    assert board["param.patience"].tolist() == [None, 3]
    assert board["param.alpha"].isna().tolist() == [False, True]
    assert str(found["created"].dtype) == "datetime64[us, UTC]"


@pytest.fixture
def of_the_sdk(workspace: Workspace, runner: ExperimentRunner, tmp_path: Path) -> dict[str, ParameterValue]:
    """What three jobs were given that the SDK has started: their components have numbers alone."""
    given: dict[str, ParameterValue] = {"epochs": 2, "lr": 2.0, "seed": 2**60 + 1, "half": 0.5, "name": "2"}
    code = tmp_path / "code"  # beside the home, which the SDK would pack while jobs run in it
    code.mkdir()
    (code / "train.py").write_text("")
    with quiet():
        from sagemaker.pytorch import PyTorch

        for number in range(3):
            workspace.client("sagemaker").create_trial(TrialName=f"trial-{number}", ExperimentName=runner.name)
            PyTorch(
                entry_point="train.py",
                source_dir=str(code),
                role=workspace.role,
                framework_version="2.6.0",
                py_version="py312",
                instance_type="ml.m5.xlarge",
                instance_count=1,
                hyperparameters=dict(given),  # which the SDK changes
                sagemaker_session=workspace.sagemaker_session,
            ).fit(job_name=f"job-{number}", experiment_config={"TrialName": f"trial-{number}"}, wait=False)
    return given


def exactly(values: Mapping[str, ParameterValue]) -> dict[str, str]:
    return {name: repr(value) for name, value in values.items()}


def test_hyperparameters_of_jobs_that_the_sdk_started_are_exact(
    workspace: Workspace, of_the_sdk: dict[str, ParameterValue]
) -> None:
    """The jobs have what was given, and one search returns them all."""
    searches = count_calls(workspace, "Search")

    board = Leaderboard.load(workspace, "lines")

    assert len(searches) == 2
    for trial in (*board, workspace.trial("trial-0")):
        assert exactly(trial.hyperparameters) == exactly(of_the_sdk)


def test_they_are_exact_also_where_search_does_not_show_their_components(
    workspace: Workspace, of_the_sdk: dict[str, ParameterValue]
) -> None:
    """One that is read by Describe, as after a change of its status; and one that SageMaker has not created yet."""
    job = describe_job(workspace, "job-0")
    for component in (read_component(workspace, "job-0-aws-training-job"), component_of_job(job)):
        found = trial_from_component(workspace, component, "trial-0", "lines")
        assert exactly(found.hyperparameters) == exactly(of_the_sdk)
