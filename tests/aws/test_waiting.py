"""Polling: how often it looks, how long it pauses, and when it ends, on a clock that only its own pauses move."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mnist_tracking import ConfigError, Workspace
from mnist_tracking._aws.waiting import Polling
from mnist_tracking.types import Timing


class Clock:
    """A clock that a test reads and moves; sleeping moves it too, and is recorded."""

    def __init__(self) -> None:
        self.now = 100.0
        self.pauses: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def workspace(tmp_path: Path, clock: Clock) -> Iterator[Workspace]:
    workspace = Workspace.embedded(tmp_path / "home", timing=Timing(poll_s=10.0, first_poll_s=0.02, jitter=0.0))
    workspace.sleep, workspace.clock = clock.sleep, lambda: clock.now
    yield workspace
    workspace.close()


def looks(polling: Polling, most: int = 1000) -> int:
    """How often a loop looks until it ends by itself."""
    number = 0
    for _ in polling:
        number += 1
        assert number <= most
    return number


def test_pauses_start_short_and_grow_to_the_longest(workspace: Workspace, clock: Clock) -> None:
    for number, _ in enumerate(Polling(workspace)):
        if number == 40:
            break

    assert clock.pauses[:3] == pytest.approx([0.02, 0.026, 0.0338])
    assert clock.pauses[1:] == pytest.approx([min(pause * 1.3, 10.0) for pause in clock.pauses[:-1]])
    assert clock.pauses[-1] == 10.0


@pytest.mark.parametrize(("pause_s", "expected"), [(2.0, 2.0), (10.0, 10.0), (60.0, 10.0), (0.0, 0.0)])
def test_a_constant_pause_is_never_longer_than_the_longest(
    workspace: Workspace, clock: Clock, pause_s: float, expected: float
) -> None:
    for number, _ in enumerate(Polling(workspace, pause_s=pause_s)):
        if number == 5:
            break

    assert clock.pauses == [expected] * 5


def test_a_short_limit_holds_from_the_first_pause(workspace: Workspace, clock: Clock) -> None:
    workspace.timing = Timing(poll_s=0.01, jitter=0.0)
    for number, _ in enumerate(Polling(workspace)):
        if number == 3:
            break

    assert clock.pauses == [0.01] * 3


def test_without_time_it_looks_once_and_does_not_pause(workspace: Workspace, clock: Clock) -> None:
    assert looks(Polling(workspace, timeout_s=0.0)) == 1
    assert clock.pauses == []


def test_the_last_look_is_when_the_time_is_up(workspace: Workspace, clock: Clock) -> None:
    """At 0, 10, 20 and 25 s, and not at 30."""
    assert looks(Polling(workspace, timeout_s=25.0, pause_s=10.0)) == 4
    assert clock.pauses == [10.0, 10.0, 5.0]


def test_looks_that_take_long_count(workspace: Workspace, clock: Clock) -> None:
    times = []
    for _ in Polling(workspace, timeout_s=25.0, pause_s=2.0):
        times.append(clock.now - 100.0)
        clock.now += 12.0

    assert times == [0.0, 14.0]


def test_each_loop_has_its_own_time(workspace: Workspace, clock: Clock) -> None:
    """It begins with the loop, not with the object."""
    polling = Polling(workspace, timeout_s=5.0, pause_s=5.0)
    clock.now += 60.0

    assert looks(polling) == 2
    assert looks(polling) == 2


def test_pauses_on_aws_start_at_two_seconds_and_are_never_the_same(workspace: Workspace, clock: Clock) -> None:
    workspace.timing = Timing()
    for number, _ in enumerate(Polling(workspace)):
        if number == 40:
            break

    assert 1.5 <= clock.pauses[0] <= 2.5
    assert all(7.5 <= pause <= 12.5 for pause in clock.pauses[10:])
    assert len(set(clock.pauses)) == 40


@pytest.mark.parametrize(
    "wrong", [{"poll_s": -1}, {"first_poll_s": float("nan")}, {"jitter": 1.0}, {"log_quiet_s": "4"}]
)
def test_a_wrong_timing_is_rejected(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f"{next(iter(wrong))}=.*; expected"):
        Timing(**wrong)


def test_an_interrupt_in_a_pause_is_raised(workspace: Workspace) -> None:
    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    workspace.sleep = interrupt

    with pytest.raises(KeyboardInterrupt):
        looks(Polling(workspace))
