"""Search: expressions built from filters, and components and trials found by them."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, TypeVar

import attrs

from mnist_tracking._aws.account import Account
from mnist_tracking._aws.convert import component_from_aws, tags_from_aws
from mnist_tracking._aws.errors import translated
from mnist_tracking._aws.experiments import (
    component_names,
    component_statuses,
    read_whole_component,
    require_trial,
    tags_of_trial,
    trial_arns,
)
from mnist_tracking._aws.hyperparameters import exact_components
from mnist_tracking._values.records import Component, ListedTrial
from mnist_tracking._values.where import Condition, Filter, Junction, created
from mnist_tracking.errors import ConfigError

Shown = TypeVar("Shown", ListedTrial, Component)
_PAGE = 100
_MOST_ELEMENTS = 50
_MOST_TOGETHER = 20
_MOST_CONTAINS = 1
_CONTAINING = frozenset(  # the properties, or their prefixes, that Search accepts with Contains more than once
    ["DisplayName", "ExperimentName", "TrialName", "TrialComponentName", "Tags", "InputArtifacts", "OutputArtifacts"]
)


def expression_of(where: Iterable[Filter | Mapping[str, Any]]) -> dict[str, Any]:
    """
    Return the SearchExpression for filters that must all hold; raw expressions among them are used as given.

    Raises:
        ConfigError: If it has more conditions, or more uses of ``contains``, than Search allows.

    Example:
        >>> expression_of([Condition("DisplayName", "Equals", "Training")])
        {'Filters': [{'Name': 'DisplayName', 'Operator': 'Equals', 'Value': 'Training'}]}
    """
    parts = list(where)
    raw = [dict(part) for part in parts if isinstance(part, Mapping)]
    expression = _junction("And", [part for part in parts if isinstance(part, Filter)])
    if raw:
        expression["SubExpressions"] = [*expression.get("SubExpressions", []), *raw]
    _check_limits(list(_elements(expression)))
    return expression


def _elements(expression: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the filters, nested filters and subexpressions of an expression, at all levels."""
    for name in ("Filters", "NestedFilters", "SubExpressions"):
        for element in expression.get(name, ()):
            yield element
            yield from _elements(element)


def _check_limits(elements: list[Mapping[str, Any]]) -> None:
    if len(elements) > _MOST_ELEMENTS:
        raise ConfigError(
            f"This search has {len(elements)} conditions and groups; Search allows at most {_MOST_ELEMENTS}."
        )
    names = [str(element["Name"]) for element in elements if element.get("Operator") == "Contains"]
    limited = [name for name in names if name.partition(".")[0] not in _CONTAINING]
    if len(limited) > _MOST_CONTAINS:
        raise ConfigError(
            f"This search uses contains() for {', '.join(map(repr, limited))}; Search allows one contains(), not "
            "counting those for names, tags and artifacts. Use == or isin() for the others."
        )


def _flat(operator: str, parts: Iterable[Filter]) -> Iterator[Filter]:
    """Yield the parts of a group; a part that is joined in the same way has no group of its own."""
    for part in parts:
        if isinstance(part, Junction) and part.operator == operator:
            yield from _flat(operator, part.parts)
        else:
            yield part


def _junction(operator: str, parts: Iterable[Filter]) -> dict[str, Any]:
    filters: list[dict[str, str]] = []
    nested: list[dict[str, Any]] = []
    for part in dict.fromkeys(_flat(operator, parts)):
        match part:
            case Condition(name, how, None):
                filters.append({"Name": name, "Operator": how})
            case Condition(name, how, value):
                filters.append({"Name": name, "Operator": how, "Value": str(value)})
            case Junction(inner, members):
                nested.append(_junction(inner, members))
    for what, found in (("conditions", filters), ("groups", nested)):
        if len(found) > _MOST_TOGETHER:
            raise ConfigError(f"This search joins {len(found)} {what}; Search allows at most {_MOST_TOGETHER}.")
    joined = {"Filters": filters, "SubExpressions": nested, "Operator": operator if operator == "Or" else None}
    return {name: value for name, value in joined.items() if value}


def iter_search(
    client: Any,
    resource: str,
    expression: Mapping[str, Any] | None = None,
    *,
    sort_by: str = "CreationTime",
    ascending: bool = True,
) -> Iterator[dict[str, Any]]:
    """Yield the raw results of a search, fetching each page when it is needed."""
    request: dict[str, Any] = {
        "Resource": resource,
        "SortBy": sort_by,
        "SortOrder": "Ascending" if ascending else "Descending",
        "MaxResults": _PAGE,
    }
    if expression:
        request["SearchExpression"] = expression
    while True:
        with translated():
            page = client.search(**request)
        yield from page["Results"]
        if not page.get("NextToken"):
            return
        request["NextToken"] = page["NextToken"]


def iter_components(client: Any, **filters: str) -> Iterator[Component]:
    """Yield components in order of creation; the keyword ``Parents_TrialName`` filters by ``Parents.TrialName``."""
    conditions = [Condition(name.replace("_", "."), "Equals", value) for name, value in filters.items()]
    return exact_components(client, iter_search(client, "ExperimentTrialComponent", expression_of(conditions)))


def components_since(account: Account, moment: datetime) -> Iterator[Component]:
    """Yield all components that were created since a moment, page by page, in order of creation."""
    expression = expression_of([created() >= moment])
    for result in iter_search(account.client("sagemaker"), "ExperimentTrialComponent", expression):
        yield component_from_aws(result["TrialComponent"])


def components_of(account: Account, trial: str) -> tuple[Component, ...]:
    """Read a trial's components, in order of creation; those that Search is behind with are read one by one."""
    listed = component_statuses(account, trial)
    shown = {found.name: found for found in iter_components(account.client("sagemaker"), Parents_TrialName=trial)}
    return tuple(
        shown[name] if name in shown and shown[name].status == status else read_whole_component(account, name)
        for name, status in listed.items()
    )


def trials_in(account: Account, experiment: str) -> Iterator[ListedTrial]:
    """Yield the trials of an experiment, page by page, then those that Search does not show yet, one by one."""
    expression = expression_of([Condition("ExperimentName", "Equals", experiment)])

    def search() -> Iterator[ListedTrial]:
        for result in iter_search(account.client("sagemaker"), "ExperimentTrial", expression):
            found = result["Trial"]
            yield ListedTrial(
                found["TrialName"], experiment, found["CreationTime"], tags_from_aws(found.get("Tags", []))
            )

    def read(name: str) -> ListedTrial:
        return attrs.evolve(require_trial(account, name), tags=tags_of_trial(account, name))

    yield from _complete(search, trial_arns(account, experiment), read)


def components_in(account: Account, experiment: str) -> Iterator[Component]:
    """Yield the components of an experiment, page by page, then those that Search does not show yet, one by one."""

    def search() -> Iterator[Component]:
        return iter_components(account.client("sagemaker"), Parents_ExperimentName=experiment)

    names = component_names(account, ExperimentName=experiment)
    yield from _complete(search, names, lambda name: read_whole_component(account, name))


def _complete(
    search: Callable[[], Iterator[Shown]], names: Iterable[str], read: Callable[[str], Shown]
) -> Iterator[Shown]:
    """Yield what Search shows, each once, then what it does not show of *names*."""
    seen = set[str]()
    for found in search():
        if found.name not in seen:
            seen.add(found.name)
            yield found
    for name in names:
        if name not in seen:
            yield read(name)
