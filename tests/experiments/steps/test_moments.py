"""When a step takes values: inside its block, and at no other time."""

import inspect
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.support.sent import Sent

from mnist_tracking import ExperimentRunner, LocalTrial, StateError, Step, Workspace

ARGUMENTS: dict[str, Any] = {
    "name": "rows",
    "value": 1,
    "values": {"rows": 1},
    "uri": "s3://bucket/key",
    "path": Path(__file__),
    "table": {"x": [1]},
    "truth": [0, 1],
    "predictions": [0, 1],
    "scores": [0.1, 0.9],
}


def calls(step: Step) -> Iterator[Callable[[], Any]]:
    """Every method that records, ready to be called."""
    for method in (getattr(step, name) for name in dir(step) if name.startswith("log_")):
        needed = [p.name for p in inspect.signature(method).parameters.values() if p.default is p.empty]
        yield partial(method, **{name: ARGUMENTS[name] for name in needed})


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda runner: runner.step("Cleaning"), r"with runner\.step\('Cleaning'\) as step"),
        (lambda runner: runner.trial(name="one"), r"with runner\.trial\(name='one'\) as trial"),
    ],
)
def test_a_step_takes_values_inside_its_block_alone(
    recording: ExperimentRunner, sent: Sent, make: Callable[[ExperimentRunner], Step], said: str
) -> None:
    step = make(recording)
    before = len(sent)
    for call in calls(step):
        with pytest.raises(StateError, match=f"has not begun.*{said}"):
            call()
    assert len(sent) == before

    with step:
        step.log_parameter("rows", 1)
    after = len(sent)
    for call in calls(step):
        with pytest.raises(RuntimeError, match=rf"has ended \(Completed\).*{said}"):
            call()
    assert len(sent) == after


def test_what_a_step_is_called_can_be_read_at_any_time(recording: ExperimentRunner, workspace: Workspace) -> None:
    step, trial = recording.step("Cleaning"), recording.trial(name="one")
    names = (step.component_name, trial.component_name, trial.name)
    with trial, step:
        pass

    assert names == (step.component_name, trial.component_name, "one")
    assert isinstance(trial, LocalTrial)
    assert {names[0], names[1]} == {part.name for part in workspace.trial("one").steps} | {names[0]}


def test_a_step_that_failed_says_so(recording: ExperimentRunner) -> None:
    with pytest.raises(ZeroDivisionError), recording.step("Cleaning") as step:
        raise ZeroDivisionError

    with pytest.raises(StateError, match=r"'Cleaning' has ended \(Failed\)"):
        step.log_parameter("rows", 1)


def test_a_block_is_entered_once(recording: ExperimentRunner, sent: Sent) -> None:
    with recording.step("Cleaning") as step:
        pass
    before = len(sent)

    with pytest.raises(StateError, match="entered once"), step:
        pass
    assert len(sent) == before
