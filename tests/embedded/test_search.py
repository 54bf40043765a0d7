"""Search against a naive model in Python, over components and expressions that hypothesis makes up."""

import json
import operator
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import attrs
import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mnist_tracking.embedded.engine import EmbeddedSageMaker
from mnist_tracking.embedded.jobs.state import enter_stage
from mnist_tracking.embedded.services.sagemaker.search_expression import SEARCHABLE, compile_expression
from mnist_tracking.embedded.store.metric_summaries import record_metric

TRIALS = {"one": "digits", "two": "digits", "three": "letters"}
TEXTS = ["a", "ab", "B", "2", "a,b"]
NUMBERS = [-1.0, 0.0, 2.0, 2.5]
ORDERINGS: dict[str, Callable[[float, float], bool]] = {
    "GreaterThan": operator.gt,
    "GreaterThanOrEqualTo": operator.ge,
    "LessThan": operator.lt,
    "LessThanOrEqualTo": operator.le,
}


@attrs.frozen
class Component:
    """A component as the model describes it."""

    display: str
    parameters: dict[str, str | float]
    trials: list[str]
    tags: dict[str, str]

    def values(self, name: str) -> list[str | float]:
        """All values of a property, none if it is missing."""
        match name.split("."):
            case ["DisplayName"]:
                return [self.display]
            case ["Parents", "TrialName"]:
                return list(self.trials)
            case ["Parents", "ExperimentName"]:
                return [TRIALS[trial] for trial in self.trials]
            case ["Tags", key]:
                return [self.tags[key]] if key in self.tags else []
            case [_, key]:
                return [self.parameters[key]] if key in self.parameters else []
        raise AssertionError(name)


def holds(component: Component, condition: dict[str, Any]) -> bool:
    """Whether a component meets one filter."""
    values, wanted = component.values(condition["Name"]), condition.get("Value", "")
    match condition["Operator"]:
        case "Exists":
            return bool(values)
        case "NotExists":
            return not values
        case "Equals":
            return any(is_equal(value, wanted) for value in values)
        case "NotEquals":
            return not any(is_equal(value, wanted) for value in values)
        case "In":
            return any(is_equal(value, part.strip()) for value in values for part in wanted.split(","))
        case "Contains":
            return any(isinstance(value, str) and wanted.lower() in value.lower() for value in values)
        case name:
            return any(isinstance(value, float) and ORDERINGS[name](value, float(wanted)) for value in values)


def is_equal(value: str | float, wanted: str) -> bool:
    """Whether a value is what a filter asks for."""
    if isinstance(value, str):
        return value == wanted
    try:
        return value == float(wanted)
    except ValueError:
        return False


def matches(component: Component, expression: dict[str, Any]) -> bool:
    """Whether a component meets an expression."""
    found = [
        *(holds(component, condition) for condition in expression.get("Filters", [])),
        *(matches(component, inner) for inner in expression.get("SubExpressions", [])),
    ]
    return any(found) if expression.get("Operator") == "Or" and found else all(found)


def limited(expression: dict[str, Any]) -> int:
    """How often an expression uses Contains for a property for which that is limited."""
    own = [item["Name"] for item in expression.get("Filters", []) if item["Operator"] == "Contains"]
    return sum(str(name).startswith("Par") for name in own) + sum(map(limited, expression.get("SubExpressions", [])))


def conditions() -> st.SearchStrategy[dict[str, Any]]:
    """Valid filters."""
    text_names = st.sampled_from(
        ["DisplayName", "Parents.TrialName", "Parents.ExperimentName", "Parameters.p", "Tags.t"]
    )
    text_values = st.sampled_from([*TEXTS, *TRIALS, *TRIALS.values(), *map(str, NUMBERS)])
    text = {"Name": text_names, "Operator": st.sampled_from(["Equals", "NotEquals", "In", "Contains"])}
    number = {"Name": st.sampled_from(["Parameters.p", "Parameters.q"]), "Operator": st.sampled_from(list(ORDERINGS))}
    there = {"Name": text_names, "Operator": st.sampled_from(["Exists", "NotExists"])}
    return (
        st.fixed_dictionaries({**text, "Value": text_values})
        | st.fixed_dictionaries({**number, "Value": st.sampled_from(NUMBERS).map(str)})
        | st.fixed_dictionaries(there)
    )


def expressions() -> st.SearchStrategy[dict[str, Any]]:
    """Filters joined by And and Or, some of them nested."""
    joined = {"Operator": st.sampled_from(["And", "Or"])}
    leaf = st.fixed_dictionaries({**joined, "Filters": st.lists(conditions(), min_size=1, max_size=3)})
    inner = {**joined, "SubExpressions": st.lists(leaf, min_size=1, max_size=2)}
    return leaf | st.fixed_dictionaries(inner, optional={"Filters": st.lists(conditions(), min_size=1, max_size=2)})


components = st.lists(
    st.builds(
        Component,
        display=st.sampled_from(["a", "ab", "B", "2"]),
        parameters=st.dictionaries(st.sampled_from("pq"), st.sampled_from(TEXTS) | st.sampled_from(NUMBERS)),
        trials=st.lists(st.sampled_from(list(TRIALS)), unique=True),
        tags=st.dictionaries(st.sampled_from("tu"), st.sampled_from(["a", "ab", "B", "2"])),
    ),
    max_size=6,
)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A client of an account with three trials in two experiments."""
    engine = EmbeddedSageMaker(tmp_path_factory.mktemp("search"))
    client = engine.session().client("sagemaker")
    for experiment in set(TRIALS.values()):
        client.create_experiment(ExperimentName=experiment)
    for trial, experiment in TRIALS.items():
        client.create_trial(TrialName=trial, ExperimentName=experiment)
    yield client
    engine.close()


def fill(client: Any, made: list[Component]) -> None:
    """Replace all components by *made*, named after their numbers."""
    for old in client.list_trial_components(MaxResults=100)["TrialComponentSummaries"]:
        name = old["TrialComponentName"]
        for trial in client.list_trials(TrialComponentName=name)["TrialSummaries"]:
            client.disassociate_trial_component(TrialName=trial["TrialName"], TrialComponentName=name)
        client.delete_trial_component(TrialComponentName=name)
    for number, component in enumerate(made):
        parameters = {
            key: {"StringValue" if isinstance(value, str) else "NumberValue": value}
            for key, value in component.parameters.items()
        }
        client.create_trial_component(
            TrialComponentName=f"c{number}",
            DisplayName=component.display,
            Parameters=parameters,
            Tags=[{"Key": key, "Value": value} for key, value in component.tags.items()],
        )
        for trial in component.trials:
            client.associate_trial_component(TrialName=trial, TrialComponentName=f"c{number}")


def search(client: Any, page_size: int = 100, **request: Any) -> list[int]:
    """Numbers of the components that a search finds, over all its pages."""
    pages = client.get_paginator("search").paginate(
        Resource="ExperimentTrialComponent", PaginationConfig={"PageSize": page_size}, **request
    )
    return [int(result["TrialComponent"]["TrialComponentName"][1:]) for page in pages for result in page["Results"]]


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(made=components, expression=expressions())
def test_search_finds_the_same_as_the_model(client: Any, made: list[Component], expression: dict[str, Any]) -> None:
    """Every operator, alone and combined, on strings, numbers, missing values and several parents."""
    if limited(expression) > 1:
        with pytest.raises(ClientError, match="'CONTAINS' operator usage limit of 1 exceeded"):
            search(client, SearchExpression=expression)
        return
    fill(client, made)
    expected = [number for number, component in enumerate(made) if matches(component, expression)]

    assert sorted(search(client, SearchExpression=expression)) == expected


@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow])
@given(made=components, page_size=st.integers(1, 4), is_descending=st.booleans())
def test_pages_are_in_order_and_complete(
    client: Any, made: list[Component], page_size: int, is_descending: bool
) -> None:
    """Sorted by a parameter: the numbers first, in order; every component once, however the pages are cut."""
    fill(client, made)
    order = "Descending" if is_descending else "Ascending"
    found = search(client, page_size, SortBy="Parameters.p", SortOrder=order)

    assert sorted(found) == list(range(len(made)))
    values = [made[number].parameters.get("p") for number in found]
    numbers = [value for value in values if isinstance(value, float)]
    assert numbers == sorted(numbers, reverse=is_descending)
    assert values[: len(numbers)] == numbers
    assert values[len(values) - values.count(None) :] == [None] * values.count(None)


def test_long_lists_of_values_are_compared_quickly(client: Any) -> None:
    """As many values as fit into the filters of an expression: joined by OR, they took forever."""
    values = {"Name": "Parameters.p", "Operator": "In", "Value": ",".join(["ab"] * 340)}
    below = [{"Operator": "Or", "Filters": [values] * 15} for _ in range(3)]

    assert search(client, SearchExpression={"SubExpressions": below}) is not None


def test_only_numbers_compare_as_numbers(engine: EmbeddedSageMaker) -> None:
    """Hyperparameters are strings; a date or a range is not the number that it begins with."""
    for name, value in {"number": "1e-05", "range": "1-2", "date": "2020-01-01", "quoted": '"7"'}.items():
        with engine.store.write() as connection:
            connection.execute(
                "INSERT INTO training_jobs (name, arn, request, python, status, secondary_status, created, modified) "
                "VALUES (?, ?, ?, 'python', 'Completed', 'Completed', 0, 0)",
                (name, name, json.dumps({"HyperParameters": {"p": value}})),
            )
    compiled, arguments = compile_expression(
        SEARCHABLE["TrainingJob"], {"Filters": [{"Name": "HyperParameters.p", "Operator": "GreaterThan", "Value": "0"}]}
    )

    with engine.store.read() as connection:
        rows = connection.execute(f"SELECT name FROM training_jobs t WHERE {compiled}", arguments).fetchall()
    assert [row["name"] for row in rows] == ["number"]


def add_resources(engine: EmbeddedSageMaker, number: int) -> None:
    """Add an experiment, its trial, a component with everything that it can have, and a training job."""
    client: Any = engine.session().client("sagemaker")
    tags = [{"Key": key, "Value": str(number)} for key in "ab"]
    client.create_experiment(ExperimentName=f"e{number}", Tags=tags)
    client.create_trial(TrialName=f"t{number}", ExperimentName=f"e{number}", Tags=tags)
    client.create_trial_component(
        TrialComponentName=f"c{number}",
        Parameters={"p": {"NumberValue": number}, "q": {"StringValue": "x"}},
        InputArtifacts={"i": {"Value": "s3://a/b"}},
        OutputArtifacts={"o": {"Value": "s3://a/c"}},
        Tags=tags,
    )
    client.associate_trial_component(TrialName=f"t{number}", TrialComponentName=f"c{number}")
    request = {"HyperParameters": {}, "OutputDataConfig": {"S3OutputPath": "s3://a/d"}, "TrainingJobName": f"j{number}"}
    with engine.store.write() as connection:
        (component,) = connection.execute("SELECT id FROM components WHERE name = ?", (f"c{number}",)).fetchone()
        for step in range(2):
            record_metric(connection, component, "loss", number + step / 2, 0.0, step)
        cursor = connection.execute(
            "INSERT INTO training_jobs (name, arn, request, python, component_id, status, secondary_status, created, "
            "modified) VALUES (?, ?, ?, 'python', ?, 'Completed', 'Completed', ?, 0)",
            (f"j{number}", f"j{number}", json.dumps(request), component, number),
        )
        for status in ("Starting", "Completed"):
            enter_stage(connection, cursor.lastrowid or 0, status, status, 0.0)


@pytest.mark.parametrize("resource", SEARCHABLE)
def test_a_page_takes_as_many_statements_as_one_resource(engine: EmbeddedSageMaker, resource: str) -> None:
    """Parameters, artifacts, metrics, stages, parents and tags are read once for all resources of a page."""
    for number in range(4):
        add_resources(engine, number)
    client: Any = engine.session().client("sagemaker")

    def count(size: int) -> tuple[int, list[Any]]:
        statements: list[str] = []
        with engine.store.read() as connection:
            connection.set_trace_callback(statements.append)
            results = client.search(Resource=resource, SortOrder="Ascending", MaxResults=size)["Results"]
            connection.set_trace_callback(None)
        return sum(statement.startswith("SELECT") for statement in statements), results

    with ThreadPoolExecutor(1) as pool:  # the calls of the main thread run in another one
        (of_one, first), (of_all, results) = pool.map(count, (1, 100))
    assert (len(first), len(results)) == (1, 4)
    assert results[0] == first[0]
    assert of_one == of_all <= 7


@pytest.mark.parametrize("by", ["CreationTime", "LastModifiedTime"])
def test_what_is_deleted_between_two_pages_does_not_shift_the_next(engine: EmbeddedSageMaker, by: str) -> None:
    client: Any = engine.session().client("sagemaker")
    for number in range(4):
        client.create_experiment(ExperimentName=f"e{number}")
    request = {"Resource": "Experiment", "SortBy": by, "SortOrder": "Ascending", "MaxResults": 2}

    first = client.search(**request)
    client.delete_experiment(ExperimentName="e0")
    second = client.search(**request, NextToken=first["NextToken"])

    found = [item["Experiment"]["ExperimentName"] for page in (first, second) for item in page["Results"]]
    assert found == ["e0", "e1", "e2", "e3"]
    assert "NextToken" not in second
