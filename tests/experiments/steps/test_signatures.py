"""The same thing has the same names, in the same order, wherever it is said."""

import inspect
from typing import Any

import pytest

from mnist_tracking import ExperimentRunner, LocalTrial, Step, job

Signature = list[tuple[str, Any, Any]]


def signature(function: Any) -> Signature:
    """Names, kinds and defaults of what a function takes."""
    parameters = inspect.signature(function).parameters.values()
    return [(p.name, p.kind, p.default) for p in parameters if p.name != "self"]


@pytest.mark.parametrize("name", [name for name in job.__all__ if name.startswith("log_")])
def test_a_script_and_a_step_record_by_the_same_calls(name: str) -> None:
    """A step may take more, by keyword alone."""
    here, there = signature(getattr(job, name)), signature(getattr(Step, name))

    assert here == there[: len(here)]
    assert {kind for _, kind, _ in there[len(here) :]} <= {inspect.Parameter.KEYWORD_ONLY}
    assert signature(getattr(LocalTrial, name)) == there


@pytest.mark.parametrize("name", ["log_artifact", "log_metric", "log_metrics", "log_parameter", "log_parameters"])
def test_a_script_has_each_of_them(name: str) -> None:
    assert name in job.__all__


def test_a_trial_is_asked_for_by_the_same_arguments_with_a_job_and_without() -> None:
    trial, submit, run = (signature(getattr(ExperimentRunner, name)) for name in ("trial", "submit", "run"))

    assert trial == submit[: len(trial)]
    assert submit == run[: len(submit)]


def test_data_are_described_by_the_same_argument() -> None:
    upload, use = signature(ExperimentRunner.upload_dataset), signature(ExperimentRunner.use_dataset)

    assert [entry for entry in upload if entry[0] == "parameters"] == [use[1]]
