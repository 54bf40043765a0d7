"""A sweep without jobs: a strategy, asked and told one trial at a time, and rebuilt as another program would."""

from collections.abc import Callable, Mapping

from mnist_tracking import choice, fixed, integers, loguniform, uniform, when
from mnist_tracking._values.records import ParameterValue
from mnist_tracking._values.specs import Objective
from mnist_tracking.experiments.sweep.space import Space
from mnist_tracking.experiments.sweep.strategies import Strategy, SweepTrial, make_strategy

OBJECTIVE = Objective("accuracy")
WIDE = Space.of(
    {
        "lr": loguniform(1e-4, 1e-1),
        "depth": integers(2, 8),
        "dropout": uniform(0, 0.5, step=0.1),
        "layers": choice([None, True, 1, [16, 32], {"kernel": 3}]),
        "optimizer": ["sgd", "adam"],
        "momentum": when("optimizer", "sgd", uniform(0.8, 0.99)),
        "epochs": fixed(3),
    }
)
"""A space with every kind of parameter."""


def strategy_of(name: object, space: Space, *, seed: int = 0, pruner: object = None) -> Strategy:
    """Return the strategy of a sweep that maximizes the accuracy."""
    return make_strategy(name, pruner, space, OBJECTIVE, seed=seed)  # type: ignore[arg-type]  # also wrong ones


def trained(number: int, point: Mapping[str, ParameterValue]) -> SweepTrial:
    """Return a trial that has ended: a function of its point; every third one was pruned."""
    value = sum(float(part) for part in point.values() if isinstance(part, int | float)) / 100
    return SweepTrial(
        number, point, "pruned" if number % 3 == 2 else "completed", value=value, values={1: value / 2, 2: value}
    )


def rebuilt(make: Callable[[], Strategy], trials: list[SweepTrial]) -> Strategy:
    """Return a new strategy that was told all trials."""
    strategy = make()
    for trial in trials:
        strategy.tell(trial)
    return strategy


def searched(make: Callable[[], Strategy], count: int, *, is_rebuilt: bool = False) -> list[SweepTrial]:
    """Return the trials of a sweep, one at a time; its strategy is rebuilt before each of them if wanted."""
    strategy, trials = make(), list[SweepTrial]()
    while len(trials) < count:
        if is_rebuilt:
            strategy = rebuilt(make, trials)
        point = strategy.ask()
        if point is None:
            break
        strategy.tell(SweepTrial(len(trials), point))
        trials.append(trained(len(trials), point))
        strategy.tell(trials[-1])
    return trials
