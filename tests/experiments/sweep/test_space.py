"""The space of a sweep: what it is built from, counted, drawn from and stored as."""

import itertools
import json
import math
import random
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.spaces import spaces

from mnist_tracking import ConfigError, JobSpec, Space, choice, fixed, integers, loguniform, uniform, when
from mnist_tracking._aws.sdk import quiet
from mnist_tracking.experiments.sweep.checking import check_space
from mnist_tracking.experiments.sweep.dimensions import Dimension, Uniform

NESTED = {"optimizer": {"name": ["sgd", "adam"], "momentum": when("name", "sgd", [0.8, 0.9])}, "epochs": [1, 2]}


def drawn_by(chooser: random.Random) -> Callable[[str, Dimension], Any]:
    """Draw as a sampler does: any number of a range."""

    def suggest(name: str, dimension: Dimension) -> Any:
        del name
        if isinstance(dimension, Uniform) and dimension.step is None:
            return chooser.uniform(dimension.low, dimension.high)
        return chooser.choice(list(itertools.islice(dimension.grid(), 1000)))

    return suggest


@given(spaces(), st.randoms(use_true_random=False))
def test_every_drawn_point_is_contained(space: Space, chooser: random.Random) -> None:
    point = space.draw(drawn_by(chooser))

    assert space.contains(point)
    assert space.draw(lambda name, _: point[name]) == point
    assert not space.contains({**point, "unknown": 1})
    assert not space.contains(dict(list(point.items())[1:]))


@given(spaces(is_finite=True))
def test_a_grid_is_counted_as_it_is_listed(space: Space) -> None:
    """Distinct, contained, and as many as the length says, with conditions too."""
    points = list(itertools.islice(space.points(), 3000))

    assert len(points) == min(len(space), 3000)
    assert len({json.dumps(point) for point in points}) == len(points)
    assert all(map(space.contains, points[:100]))


@given(spaces())
def test_a_space_survives_json(space: Space) -> None:
    again = Space.from_json(json.loads(json.dumps(space.to_json())))

    assert again == space
    assert list(again.dimensions) == list(space.dimensions)
    assert [type(dimension) for dimension in again.dimensions.values()] == [
        type(dimension) for dimension in space.dimensions.values()
    ]


def test_first_points_explicit_points_and_the_rule_survive_json() -> None:
    """A rule is a function: only that there is one is stored."""
    ruled = Space.of({"lr": [0.1, 0.2]}, where=lambda point: point["lr"] > 0.1, first=[{"lr": 0.2}])
    again = Space.from_json(json.loads(json.dumps(ruled.to_json())))

    assert again.first == ({"lr": 0.2},)
    assert again.is_ruled
    with pytest.raises(ConfigError, match=r"has a rule, which cannot be stored\. Pass where= again"):
        again.allows({"lr": 0.1})
    assert not Space.from_json(ruled.to_json(), where=ruled.where).allows({"lr": 0.1})
    listed = Space.of([{"lr": 0.1, "depth": 2}, {"lr": 0.2}])
    assert Space.from_json(json.loads(json.dumps(listed.to_json()))) == listed


def test_lists_are_choices_and_one_value_is_fine() -> None:
    space = Space.of({"layers": [[64, 64], [128]], "head": [{"size": 2}], "seed": range(3), "lr": (0.1, 0.2, 0.3)})

    assert len(space) == 2 * 1 * 3 * 3
    assert next(space.points()) == {"layers": [64, 64], "head": {"size": 2}, "seed": 0, "lr": 0.1}


def test_nested_parameters_have_dotted_names_and_conditions_find_their_neighbours() -> None:
    space = Space.of(NESTED)

    assert list(space.dimensions) == ["optimizer.name", "optimizer.momentum", "epochs"]
    assert [point for point in space.points() if point["epochs"] == 1] == [
        {"optimizer.name": "sgd", "optimizer.momentum": 0.8, "epochs": 1},
        {"optimizer.name": "sgd", "optimizer.momentum": 0.9, "epochs": 1},
        {"optimizer.name": "adam", "epochs": 1},
    ]
    assert len(space) == 6


def test_a_group_of_parameters_is_conditional_in_any_order() -> None:
    """A parameter may stand before the one that it depends on; YAML files are often sorted."""
    space = Space.of({"adam": when("optimizer", "adam", {"beta": [1, 2], "eps": [3]}), "optimizer": ["sgd", "adam"]})

    assert list(space.points()) == [
        {"optimizer": "sgd"},
        {"optimizer": "adam", "adam.beta": 1, "adam.eps": 3},
        {"optimizer": "adam", "adam.beta": 2, "adam.eps": 3},
    ]


def test_a_large_conditional_grid_is_counted_at_once() -> None:
    """One switch guards 40 others, each with a parameter of its own: 3**40 points, and one more."""
    switches: dict[str, Any] = {"all": [False, True]}
    for number in range(40):
        switches[f"on{number}"] = when("all", True, [False, True])
        switches[f"value{number}"] = when(f"on{number}", True, [1, 2])

    assert Space.of(switches).count() == 3**40 + 1


def test_a_condition_compares_values_as_filters_do() -> None:
    """2 and 2.0 are the same, True and 1 are not."""
    space = Space.of({"depth": integers(1, 3), "wide": when("depth", 2.0, [True]), "x": when("wide", True, [1])})

    assert [len(point) for point in space.points()] == [1, 3, 1]
    for values in ({3, 2.0, 1}, [2, 3, 1, 1], (1, 2, 3)):  # stored in one order, whichever way they are given
        assert Space.of({"depth": integers(1, 3), "x": when("depth", values, [1])}).describe()["x"] == (
            "1, if depth is 1 or 2 or 3"
        )
    with pytest.raises(ConfigError, match="'x' depends on wide=1, which never occurs; 'wide' is true"):
        Space.of({"wide": [True], "x": when("wide", 1, [1])})


@pytest.mark.parametrize(
    ("space", "said"),
    [
        ({}, "space is empty; expected at least one parameter"),
        ([], "expected a mapping of names to lists or ranges"),
        ("lr", "expected a mapping of names to lists or ranges"),
        ({"lr": []}, "'lr' are not allowed. There are no values"),
        ({"lr": {}}, "nested space 'lr' is empty"),
        ({"lr": [1, 1]}, "A value occurs twice"),
        ({"lr": "0.1"}, r"'0.1'; expected a list of values, such as \['0.1'\], or a range"),
        ({"lr": 0.1}, r"0.1; expected a list of values, such as \[0.1\], or a range"),
        ({"lr": object()}, "expected a list of values"),
        ({"lr": [math.nan]}, "expected a finite number"),
        ({"lr": {1, 2}}, "expected a list of values"),
        ({"lr": (0.001, 0.1)}, r"Write \[0.001, 0.1\] for two values, or uniform\(0.001, 0.1\), loguniform"),
        ({"lr": itertools.count()}, "more than 10,000 values"),
        ({"": [1]}, "hyperparameter name '' is not allowed"),
        ({1: [1]}, "hyperparameter name 1 is not allowed"),
        ({"sagemaker_x": uniform(0, 1)}, "name 'sagemaker_x' is not allowed"),
        ({"a.b": [1], "a": {"b": [2]}}, "'a.b' occurs twice: once as it is, and once nested"),
        ({"m": when("optimzer", "sgd", [1]), "optimizer": ["sgd"]}, "'optimzer', .* Did you mean 'optimizer'"),
        ({"m": when("optimizer", "sdg", [1]), "optimizer": ["sgd"]}, "never occurs; .* Did you mean 'sgd'"),
        ({"m": when("optimizer", [], [1]), "optimizer": ["sgd"]}, "'m' depends on no value of 'optimizer'"),
        ({"m": when("m", 1, [1])}, "depends on 'm', which is not a parameter"),
        ({"a": when("b", 1, [1]), "b": when("a", 1, [1])}, "'a' depends on itself, by way of 'b'"),
        ({"a": [1, 2], "b": when("a", 1, when("a", 2, [1]))}, "two values of 'a' at once"),
        ({"job:instance_typ": ["ml.m5.large"]}, "Did you mean 'job:instance_type'"),
        ({"job:inputs.": ["s3://a/b"]}, "expected one of 'job:instance_type', 'job:inputs.<channel>'"),
        ([{"lr": 1}, {"lr": 1}], "point {'lr': 1} occurs twice"),
        ([{"lr": 1}, 2], r"points\[1\] is 2; expected a mapping"),
    ],
)
def test_a_bad_space_is_rejected(space: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Space.of(space)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: uniform(1, 0), "low=1.0 is above high=0.0"),
        (lambda: uniform(0, math.inf), "high=inf; expected a finite number"),
        (lambda: uniform("a", 1), "low='a'; expected a finite number"),  # type: ignore[arg-type]
        (lambda: uniform(False, True), "low=False; expected a finite number"),
        (lambda: uniform(0, 10**400), "expected a finite number"),
        (lambda: uniform(0, 1, step=0), "step=0.0; expected a number > 0"),
        (lambda: loguniform(0, 1), "low=0.0; expected a number > 0, since the range is logarithmic"),
        (lambda: integers(1, 2.5), "high=2.5; expected an integer"),  # type: ignore[arg-type]
        (lambda: integers(1, 2, step=0), "step=0; expected an integer >= 1"),
        (lambda: integers(0, 2, log=True), "low=0; expected an integer >= 1, since the range is logarithmic"),
        (
            lambda: integers(1, 9, step=2, log=True),
            "low=1; expected a multiple of step=2, since the range is logarithmic",
        ),
        (lambda: Uniform(1, 2, step=0.1, log=True), "step=0.1; a logarithmic range has no step"),
        (lambda: choice("abc"), "'abc'; expected a list of values"),
        (lambda: choice([]), "There are no values"),
    ],
)
def test_a_bad_dimension_is_rejected(make: Callable[[], object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        make()


def test_a_range_without_a_step_is_no_grid() -> None:
    space = Space.of({"lr": loguniform(1e-4, 1e-1)})

    assert space.size is None
    with pytest.raises(ConfigError, match=r"'lr' is .*, which has infinitely many values; .* strategy='random'"):
        space.points()
    with pytest.raises(ConfigError, match="infinitely many"):
        len(space)


def test_a_grid_of_decimal_steps_has_no_rounding_errors() -> None:
    assert list(uniform(0, 0.3, step=0.1).grid()) == [0.0, 0.1, 0.2, 0.3]
    assert uniform(0, 1, step=0.3).size == 4
    assert not uniform(0, 1, step=0.3).contains(0.5)


def test_points_to_try_first_must_be_in_the_space() -> None:
    space = Space.of({"lr": loguniform(1e-4, 1e-1), **NESTED})
    good: dict[str, Any] = {"lr": 0.01, "optimizer.name": "sgd", "optimizer.momentum": 0.8, "epochs": 1}

    assert Space.of(space, first=[good]).first == (good,)
    wrong: list[tuple[dict[str, Any], str]] = [
        ({**good, "lrr": 1}, "no parameter 'lrr'. Did you mean 'lr'"),
        ({**good, "lr": 1.0}, "'lr' is 1.0; expected 0.0001 to 0.1, logarithmic"),
        ({**good, "optimizer.name": "adam"}, "'optimizer.momentum' does not apply to it"),
        ({"lr": 0.01}, "'optimizer.name' is missing"),
    ]
    for point, said in wrong:
        with pytest.raises(ConfigError, match=said):
            Space.of(space, first=[point])


def test_listed_points_are_not_drawn() -> None:
    space = Space.of([{"lr": 0.1, "depth": 2}, {"lr": 0.2}])

    assert list(space.points()) == [{"lr": 0.1, "depth": 2}, {"lr": 0.2}]
    assert len(space) == 2
    assert space.contains({"lr": 0.2})
    assert not space.contains({"lr": 0.2, "depth": 2})
    with pytest.raises(ConfigError, match="listed one by one; only strategy='grid' runs them"):
        space.draw(lambda name, dimension: 1)


def test_a_rule_that_fails_names_the_point() -> None:
    space = Space.of(NESTED, where=lambda point: point["momentum"] > 0)

    with pytest.raises(KeyError) as caught:
        space.allows({"optimizer.name": "adam"})

    assert caught.value.__notes__ == ["where= was called with the point {'optimizer.name': 'adam'}."]
    with pytest.raises(ConfigError, match="where='lr > 1'; expected a function"):
        Space.of(NESTED, where="lr > 1")  # type: ignore[arg-type]


@pytest.fixture
def checked_job(toy_job: Callable[..., JobSpec]) -> JobSpec:
    def check(values: Mapping[str, Any]) -> None:
        if values["slope"] > 8:
            raise ConfigError(f"slope={values['slope']} is too steep.")

    return toy_job(check=check)


def test_a_space_is_checked_against_the_job(checked_job: JobSpec) -> None:
    """All points of a small grid, the corners of a range."""
    check_space(Space.of({"slope": integers(1, 8)}), checked_job)
    check_space(Space.of({"slope": uniform(1, 9)}, where=lambda point: point["slope"] < 8), checked_job)
    for dimension in (integers(1, 9), uniform(1, 9), integers(1, 10**9)):
        with pytest.raises(ConfigError, match=r"point slope=.* is not allowed: .* too steep"):
            check_space(Space.of({"slope": dimension}), checked_job)
    with pytest.raises(ConfigError, match="where= skips all of the 2 points"):
        check_space(Space.of({"slope": [1, 2]}, where=lambda point: False), checked_job)
    with pytest.raises(ConfigError, match=r"point job:instance_type='m5' is not allowed: instance_type='m5'"):
        check_space(Space.of({"job:instance_type": ["m5"]}), checked_job)


def test_optunas_distributions_are_accepted() -> None:
    optuna = pytest.importorskip("optuna")
    floats, ints = optuna.distributions.FloatDistribution, optuna.distributions.IntDistribution
    space = Space.of(
        {
            "a": floats(0.0, 1.0),
            "b": floats(1e-4, 1e-1, log=True),
            "c": floats(0.0, 1.0, step=0.5),
            "d": ints(1, 9, step=2),
            "e": ints(1, 64, log=True),
            "f": optuna.distributions.CategoricalDistribution(["sgd", None, 3]),
        }
    )

    assert space.dimensions == {
        "a": uniform(0, 1),
        "b": loguniform(1e-4, 1e-1),
        "c": uniform(0, 1, step=0.5),
        "d": integers(1, 9, step=2),
        "e": integers(1, 64, log=True),
        "f": choice(["sgd", None, 3]),
    }


def test_parameters_of_sagemakers_tuner_are_accepted() -> None:
    with quiet():
        from sagemaker.tuner import CategoricalParameter, ContinuousParameter, IntegerParameter

    space = Space.of(
        {
            "a": ContinuousParameter(0.0, 1.0),
            "b": ContinuousParameter(1e-4, 1e-1, "Logarithmic"),
            "c": IntegerParameter(1, 64, "Logarithmic"),
            "d": IntegerParameter(2, 8, "Linear"),
            "e": CategoricalParameter(["sgd", "adam"]),
        }
    )

    assert space.dimensions == {
        "a": uniform(0, 1),
        "b": loguniform(1e-4, 1e-1),
        "c": integers(1, 64, log=True),
        "d": integers(2, 8),
        "e": choice(["sgd", "adam"]),
    }
    with pytest.raises(ConfigError, match=r"'p' are not allowed\. scaling_type='ReverseLogarithmic' is not supported"):
        Space.of({"p": ContinuousParameter(0.9, 0.999, "ReverseLogarithmic")})


def test_a_space_is_described_in_words() -> None:
    space = Space.of(
        {
            "lr": loguniform(1e-4, 1e-1),
            "depth": integers(2, 8, step=2),
            "optimizer": ["sgd", "adam", "true", True],
            "momentum": when("optimizer", ["sgd", "adam"], uniform(0, 0.9, step=0.1)),
            "epochs": fixed(10),
            "batch": integers(1, 4096, log=True),
        }
    )

    assert space.varied == ["lr", "depth", "optimizer", "momentum", "batch"]
    assert space.describe() == {
        "lr": "0.0001 to 0.1, logarithmic",
        "depth": "an integer from 2 to 8 in steps of 2",
        "optimizer": 'sgd or adam or "true" or true',
        "momentum": "0 to 0.9 in steps of 0.1, if optimizer is sgd or adam",
        "epochs": "10",
        "batch": "an integer from 1 to 4096, logarithmic",
    }


def test_an_iterator_is_read_once() -> None:
    values: Iterator[int] = iter([1, 2])
    space = Space.of({"x": values})

    assert len(space) == len(list(space.points())) == 2
