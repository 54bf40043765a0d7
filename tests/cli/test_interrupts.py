import _thread
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.model import OperationModel
from click.testing import Result
from tests.support.toy_job import TOY

from mnist_tracking import ExperimentRunner, JobSpec, Workspace
from mnist_tracking._values.names import attempt_name, digest_of
from mnist_tracking.cli import interrupts
from mnist_tracking.embedded import transport
from mnist_tracking.experiments.runner import launch_of

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(autouse=True)
def _handlers_as_they_were() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", SIGNALS)
def test_an_interrupt_that_was_dropped_is_raised_at_the_next_step(number: signal.Signals) -> None:
    interrupts.listen()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(number)
    with pytest.raises(KeyboardInterrupt):
        interrupts.check()
    interrupts.check()


def test_the_echo_of_a_signal_is_none_of_its_own() -> None:
    now = [0.0]
    interrupts.listen(clock=lambda: now[0])
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        interrupts.check()
    signal.raise_signal(signal.SIGTERM)
    interrupts.check()

    now[0] = 1.0
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        interrupts.check()


def test_nothing_breaks_off_the_exit() -> None:
    interrupts.listen()
    interrupts.ignore()
    signal.raise_signal(signal.SIGINT)
    interrupts.check()

    assert [signal.getsignal(number) for number in SIGNALS] == [signal.SIG_IGN] * 3


def test_what_a_process_is_told_to_ignore_stays_ignored() -> None:
    """As ``nohup`` does."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    interrupts.listen()
    signal.raise_signal(signal.SIGHUP)
    interrupts.check()

    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL


def test_an_interrupted_sweep_names_what_other_programs_train(
    workspace: Workspace, toy_job: Callable[..., JobSpec], ask: Callable[..., Result]
) -> None:
    hanging = {"behaviour": "hang"}
    name = attempt_name("night", digest_of("lines", hanging), 1)
    others = launch_of(ExperimentRunner(workspace, "lines", job=toy_job()), hanging, name)
    assert others.claim()
    others.start()

    def interrupt(model: OperationModel, response: dict[str, Any]) -> None:
        if model.name == "DescribeTrainingJob" and response["TrainingJobName"] == others.job_name:
            transport.response_observers.remove(interrupt)
            _thread.interrupt_main()

    transport.response_observers.append(interrupt)
    script = ("train.py", "--source-dir", str(TOY), "-e", "lines", "--grid", "behaviour=hang", "--name", "night")
    result = ask("sweep", *script)

    assert result.exit_code == 130
    assert result.stderr.endswith(
        f"interrupted. Still running: {name}. The trials of lines stay. "
        "The options --name night --resume continue the sweep.\n"
    )
    assert workspace.submitted(name).status == "InProgress"
    workspace.submitted(name).stop()
