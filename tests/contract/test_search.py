from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.support.rigs import Rig

pytestmark = pytest.mark.needs("search")


@pytest.fixture(autouse=True)
def two_experiments(rig: Rig) -> None:
    """Digits with the trials one and two, letters with three; `prep` belongs to one and three, `train-*` to each."""
    client = rig.sagemaker()
    for experiment in ("digits", "letters"):
        client.create_experiment(ExperimentName=experiment, Tags=[{"Key": "team", "Value": experiment}])
    client.create_trial_component(TrialComponentName="prep", DisplayName="Preprocessing")
    for number, (trial, experiment) in enumerate((("one", "digits"), ("two", "digits"), ("three", "letters"))):
        client.create_trial(TrialName=trial, ExperimentName=experiment)
        client.create_trial_component(
            TrialComponentName=f"train-{trial}",
            DisplayName="Training",
            Parameters={"channels": {"NumberValue": 2.0 + number}, "optimizer": {"StringValue": f"opt-{number}"}},
            OutputArtifacts={"model": {"Value": f"s3://models/{trial}", "MediaType": "application/gzip"}},
        )
        client.associate_trial_component(TrialName=trial, TrialComponentName=f"train-{trial}")
    for trial in ("one", "three"):
        client.associate_trial_component(TrialName=trial, TrialComponentName="prep")


def condition(name: str, value: str | None = None, operator: str | None = None) -> dict[str, str]:
    """One filter."""
    parts = {"Name": name, "Operator": operator, "Value": value}
    return {key: part for key, part in parts.items() if part is not None}


def found(rig: Rig, *filters: dict[str, str], **more: Any) -> list[str]:
    """Names of the components that a search finds, oldest first by default."""
    expression = {"Filters": list(filters), **more.pop("expression", {})}
    expression = {key: value for key, value in expression.items() if value}
    given = {"SortBy": "CreationTime", "SortOrder": "Ascending", "SearchExpression": expression, **more}
    results = rig.sagemaker().search(Resource="ExperimentTrialComponent", **given)["Results"]
    return [result["TrialComponent"]["TrialComponentName"] for result in results]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ([condition("DisplayName", "Training")], ["train-one", "train-two", "train-three"]),
        ([condition("displayname", "Training")], ["train-one", "train-two", "train-three"]),
        ([condition("Parents.TrialName", "one")], ["prep", "train-one"]),
        ([condition("Parents.TrialName", "three")], ["prep", "train-three"]),
        ([condition("Parents.ExperimentName", "digits")], ["prep", "train-one", "train-two"]),
        ([condition("Parents.TrialName", "one", "NotEquals")], ["train-two", "train-three"]),
        ([condition("Parents.TrialName", "one,two", "In")], ["prep", "train-one", "train-two"]),
        ([condition("Parents.TrialName", operator="Exists")], ["prep", "train-one", "train-two", "train-three"]),
        ([condition("Parameters.channels", "3", "GreaterThanOrEqualTo")], ["train-two", "train-three"]),
        ([condition("Parameters.channels", "3.0")], ["train-two"]),
        ([condition("Parameters.channels", operator="NotExists")], ["prep"]),
        ([condition("Parameters.Channels", operator="Exists")], []),
        ([condition("Parameters.optimizer", "opt-1")], ["train-two"]),
        ([condition("Parameters.optimizer", "OPT", "Contains")], ["train-one", "train-two", "train-three"]),
        ([condition("OutputArtifacts.model", "s3://models/two")], ["train-two"]),
        ([condition("OutputArtifacts.model.MediaType", "gzip", "Contains")], ["train-one", "train-two", "train-three"]),
        ([condition("TrialComponentName", "ONE", "Contains")], ["train-one"]),
        ([condition("CreationTime", "2999-01-01T00:00:00", "GreaterThan")], []),
        ([condition("DisplayName", "Training"), condition("Parents.ExperimentName", "letters")], ["train-three"]),
    ],
)
def test_filters_select_components(rig: Rig, filters: list[dict[str, str]], expected: list[str]) -> None:
    """Each operator, on each kind of property; several filters must all hold."""
    assert expected == found(rig, *filters)


def test_or_selects_what_any_filter_selects(rig: Rig) -> None:
    """Operator Or joins filters and sub-expressions alike."""
    below = {"Filters": [condition("DisplayName", "Preprocessing"), condition("Parents.TrialName", "one")]}
    expression = {"Operator": "Or", "SubExpressions": [below]}

    assert found(rig, condition("Parents.TrialName", "two"), expression=expression) == ["prep", "train-two"]


def test_nested_filters_hold_for_one_parent_at_a_time(rig: Rig) -> None:
    """Plain filters may be met by two parents of `prep`, nested ones by a single parent only."""
    parents = [condition("Parents.TrialName", "one"), condition("Parents.ExperimentName", "letters")]
    nested = {"NestedFilters": [{"NestedPropertyName": "Parents", "Filters": parents}]}

    assert found(rig, *parents) == ["prep"]
    assert found(rig, expression=nested) == []


def test_component_shows_every_parent(rig: Rig) -> None:
    """The results of Search hold what Describe does, and Parents and Tags."""
    expression = {"Filters": [condition("TrialComponentName", "prep")]}
    (result,) = rig.sagemaker().search(
        Resource="ExperimentTrialComponent",
        SearchExpression=expression,  # type: ignore[arg-type]
    )["Results"]

    assert result["TrialComponent"]["Parents"] == [
        {"TrialName": "one", "ExperimentName": "digits"},
        {"TrialName": "three", "ExperimentName": "letters"},
    ]
    assert result["TrialComponent"]["Tags"] == []


def test_results_are_sorted_and_missing_values_come_last(rig: Rig) -> None:
    """In both directions (a choice; AWS does not say where they go)."""
    by = {"SortBy": "parameters.channels"}

    assert found(rig, **by) == ["train-one", "train-two", "train-three", "prep"]
    assert found(rig, **by, SortOrder="Descending") == ["train-three", "train-two", "train-one", "prep"]


@pytest.mark.needs("empty account")
def test_pages_make_up_the_whole(rig: Rig) -> None:
    """The paginator follows NextToken to the end."""
    pages = list(
        rig.sagemaker()
        .get_paginator("search")
        .paginate(Resource="ExperimentTrialComponent", PaginationConfig={"PageSize": 3})
    )

    assert [len(page["Results"]) for page in pages] == [3, 1]
    names = {result["TrialComponent"]["TrialComponentName"] for page in pages for result in page["Results"]}
    assert {"prep", "train-one", "train-two", "train-three"} == names


@pytest.mark.parametrize(
    ("resource", "filters", "key", "expected"),
    [
        ("Experiment", [condition("ExperimentName", "dig", "Contains")], "Experiment", ["digits"]),
        ("Experiment", [condition("Tags.team", "letters")], "Experiment", ["letters"]),
        ("ExperimentTrial", [condition("ExperimentName", "letters")], "Trial", ["three"]),
        ("ExperimentTrial", [condition("Parents.ExperimentName", "letters")], "Trial", ["three"]),
        ("TrainingJob", [condition("HyperParameters.epochs", "2", "GreaterThan")], "TrainingJob", []),
        ("TrainingJob", [condition("HyperParameters.optimizer", "sgd", "Contains")], "TrainingJob", []),
        ("TrainingJob", [condition("Metrics.loss", "0.5", "LessThan")], "TrainingJob", []),
    ],
)
def test_other_resources_are_searched(
    rig: Rig, resource: Any, filters: list[Any], key: str, expected: list[str]
) -> None:
    """Experiments, trials and training jobs, each under its own member of a result."""
    results: Any = rig.sagemaker().search(Resource=resource, SearchExpression={"Filters": filters})["Results"]

    assert expected == [result[key][f"{key}Name"] for result in results]


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ([condition("Colour", "red")], "Unknown property name: Colour"),
        ([condition("Parameters", "red")], "Unknown property name: Parameters"),
        ([condition("DisplayName", "a", "GreaterThan")], "GreaterThan is not supported for DisplayName"),
        ([condition("CreationTime", "soon", "LessThan")], "'soon' of CreationTime is not a time"),
        ([condition("Parameters.channels", "many", "LessThan")], "'many' of Parameters.channels is not a number"),
        ([condition("DisplayName", operator="Equals")], "requires a Value"),
    ],
)
def test_invalid_filters_are_rejected(rig: Rig, filters: list[dict[str, str]], message: str) -> None:
    """A ValidationException names the property and the problem."""
    with pytest.raises(ClientError, match=message):
        found(rig, *filters)


def test_unknown_names_are_rejected_everywhere(rig: Rig) -> None:
    """In SortBy, in NestedPropertyName, within nested filters, and of resources that are not searched here."""
    nested = {"NestedFilters": [{"NestedPropertyName": "Colours", "Filters": [condition("Colours.a", "b")]}]}
    inside = {"NestedFilters": [{"NestedPropertyName": "Parents", "Filters": [condition("Parents.Colour", "b")]}]}
    with pytest.raises(ClientError, match="Unknown property name: Colour"):
        found(rig, SortBy="Colour")
    with pytest.raises(ClientError, match="Unknown nested property name: Colours"):
        found(rig, expression=nested)
    with pytest.raises(ClientError, match=r"Unknown property name: Parents\.Colour"):
        found(rig, expression=inside)
    with pytest.raises(ClientError, match="cannot search Pipeline"):
        rig.sagemaker().search(Resource="Pipeline")


def test_expression_has_at_most_50_elements(rig: Rig) -> None:
    """20 in each list and 50 in all, subexpressions and nested filters counted (botocore, SearchRequest)."""
    twenty = {"Filters": [condition("DisplayName", "Training")] * 20}
    most = {"SubExpressions": [twenty, {**twenty, "Filters": twenty["Filters"][:8]}]}
    parents = {"NestedPropertyName": "Parents", "Filters": [condition("Parents.TrialName", "one")]}

    for more in (
        {"SubExpressions": [twenty, twenty, twenty]},
        {"SubExpressions": [twenty, twenty], "Filters": twenty["Filters"][:9]},
        {"SubExpressions": [most], "Filters": twenty["Filters"][:18], "NestedFilters": [parents]},
    ):
        with pytest.raises(ClientError, match="at most 50"):
            found(rig, expression=more)


def nested(levels: int) -> dict[str, Any]:
    """A filter in an expression with so many expressions around it."""
    expression: dict[str, Any] = {"Filters": [condition("DisplayName", "Training")]}
    for _ in range(levels):
        expression = {"SubExpressions": [expression]}
    return expression


def test_levels_of_subexpressions_are_counted(rig: Rig) -> None:
    """50 around one filter are too many."""
    with pytest.raises(ClientError, match="at most 50"):
        found(rig, expression=nested(50))


@pytest.mark.needs("empty account")
def test_50_elements_are_accepted(rig: Rig) -> None:
    """Side by side, and in each other."""
    twenty = {"Filters": [condition("DisplayName", "Training")] * 20}

    assert len(found(rig, expression={"SubExpressions": [twenty, twenty], "Filters": twenty["Filters"][:8]})) == 3
    assert len(found(rig, expression=nested(49))) == 3


def test_contains_is_limited_to_once(rig: Rig) -> None:
    """At any level, but not for names, tags and artifacts of components (botocore, Filter)."""
    once = condition("Parameters.optimizer", "opt", "Contains")
    often = [
        condition(name, "a", "Contains")
        for name in ("TrialComponentName", "displayName", "Tags.team", "OutputArtifacts.model.Value")
    ]

    assert len(found(rig, once, condition("TrialComponentName", "train", "Contains"), *often[:2])) == 3
    assert found(rig, once, *often) == []
    for other in ("Parents.TrialName", "Parameters.optimizer", "Source.SourceArn"):
        with pytest.raises(ClientError, match="'CONTAINS' operator usage limit of 1 exceeded"):
            found(rig, once, expression={"SubExpressions": [{"Filters": [condition(other, "o", "Contains")]}]})
