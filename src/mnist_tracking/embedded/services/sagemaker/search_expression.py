"""
Compile a SearchExpression into a SQL condition over one table, here always called ``t``.

Choices where AWS's documentation is silent: names of properties compare without case, names of parameters, metrics and
tags with it; a bare ``Metrics.<name>`` is the last value; a missing property sorts last.

The caller defines what is in ``HORIZON``, or replaces it.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import attrs

from mnist_tracking.embedded.faults import ValidationFault
from mnist_tracking.embedded.times import read_iso

HORIZON = "horizon(t.name)"
"""SQL for the time up to which Search is up to date about a resource."""

_STATISTICS = {"max": "maximum", "min": "minimum", "avg": "mean", "last": "last", "count": "count"}
_DEVIATION = "CASE WHEN count > 1 THEN sqrt(max(squares, 0) / (count - 1)) ELSE 0.0 END"
_PARENTS = (  # CROSS JOIN keeps the order: SQLite would read all trials of an experiment for each of its components
    "FROM associations a CROSS JOIN trials pt ON pt.id = a.trial_id "
    "CROSS JOIN experiments pe ON pe.id = pt.experiment_id "
    f"WHERE a.component_id = t.id AND a.created <= {HORIZON}"
)
_CHANNELS = "FROM json_each(t.request, '$.InputDataConfig') c WHERE 1"
Sql = tuple[str, list[Any]]
_MOST_ELEMENTS = 50
_MOST_CONTAINS = 1
_ORDERING = {
    "GreaterThan": ">",
    "GreaterThanOrEqualTo": ">=",
    "LessThan": "<",
    "LessThanOrEqualTo": "<=",
}


@attrs.frozen
class Property:
    """
    One searchable property.

    Attributes:
        text: SQL for its value as a string, if it can be one.
        number: SQL for its value as a number, or as a time in seconds, if it can be one.
        is_time: Whether the number is a time.
        args: Values for the placeholders of either.
        each: For a property with many values: their FROM clause, with its own WHERE.
        column: Its column, if every row has a value.
    """

    text: str | None = None
    number: str | None = None
    is_time: bool = False
    args: tuple[str, ...] = ()
    each: str | None = None
    column: str | None = None


@attrs.frozen
class Searchable:
    """
    One kind of resource that Search finds.

    Attributes:
        table: Its table.
        plain: Properties by lower-case name.
        keyed: Functions that build properties such as ``Parameters.<name>``, by lower-case prefix.
        nested: For NestedFilters: the elements of lists, by the lists' lower-case names.
        containing: The properties, or their prefixes, that an expression may use with Contains more than once.
    """

    table: str
    plain: Mapping[str, Property]
    keyed: Mapping[str, Callable[[str], Property]]
    nested: Mapping[str, "Nested"] = attrs.field(factory=dict)
    containing: frozenset[str] = frozenset()

    def find(self, name: str) -> Property:
        """Return the property of that name, or raise AWS's error for an unknown one."""
        if found := self.plain.get(name.lower()):
            return found
        prefix, _, rest = name.partition(".")
        maker = self.keyed.get(prefix.lower())
        if maker is None or not rest:
            raise ValidationFault(f"Unknown property name: {name}")
        return maker(rest)


@attrs.frozen
class Nested:
    """The elements of a list: their FROM clause, and the properties of each."""

    each: str
    plain: Mapping[str, Property]


def _parameter(name: str) -> Property:
    row = "FROM component_parameters p WHERE p.component_id = t.id AND p.name = ?"
    return Property(text=f"(SELECT string {row})", number=f"(SELECT number {row})", args=(name,))


def _metric(name: str) -> Property:
    base, _, statistic = name.rpartition(".")
    column = _DEVIATION if statistic.lower() == "stddev" else _STATISTICS.get(statistic.lower())
    if not base or column is None:
        base, column = name, "last"
    row = "FROM metric_summaries m WHERE m.component_id = t.id AND m.name = ?"
    return Property(number=f"(SELECT {column} {row})", args=(base,))


def _artifact(direction: str) -> Callable[[str], Property]:
    def make(name: str) -> Property:
        base, _, member = name.rpartition(".")
        column = {"value": "value", "mediatype": "media_type"}.get(member.lower())
        if not base or column is None:
            base, column = name, "value"
        row = f"FROM component_artifacts a WHERE a.component_id = t.id AND a.direction = '{direction}' AND a.name = ?"
        return Property(text=f"(SELECT {column} {row})", args=(base,))

    return make


def _tag(key: str) -> Property:
    return Property(text="(SELECT value FROM tags g WHERE g.arn = t.arn AND g.key = ?)", args=(key,))


def _hyperparameter(name: str) -> Property:
    row = "FROM json_each(t.request, '$.HyperParameters') WHERE key = ?"
    is_number = "json_valid(value) AND json_type(value) IN ('integer', 'real')"  # the SDK writes values as JSON
    number = f"(SELECT CASE WHEN {is_number} THEN CAST(value AS REAL) END {row})"
    return Property(text=f"(SELECT value {row})", number=number, args=(name,))


def _job_metric(name: str) -> Property:
    row = "FROM metric_summaries m WHERE m.component_id = t.component_id AND m.name = ?"
    return Property(number=f"(SELECT last {row})", args=(name,))


def _text(column: str) -> Property:
    return Property(text=f"t.{column}")


def _time(column: str) -> Property:
    return Property(number=f"t.{column}", is_time=True)


_TIMES = {
    name: attrs.evolve(_time(column), column=column)
    for name, column in (("creationtime", "created"), ("lastmodifiedtime", "modified"))
}
_PARENT = {
    "parents.trialname": Property(text="pt.name", each=_PARENTS),
    "parents.experimentname": Property(text="pe.name", each=_PARENTS),
}
_EXPERIMENT_NAME = Property(text="(SELECT e.name FROM experiments e WHERE e.id = t.experiment_id)")
SEARCHABLE = {
    "Experiment": Searchable(
        "experiments",
        {
            "experimentname": _text("name"),
            "experimentarn": _text("arn"),
            "displayname": _text("display_name"),
            "description": _text("description"),
            **_TIMES,
        },
        {"tags": _tag},
        containing=frozenset({"displayname", "experimentname", "tags"}),
    ),
    "ExperimentTrial": Searchable(
        "trials",
        {
            "trialname": _text("name"),
            "trialarn": _text("arn"),
            "displayname": _text("display_name"),
            "experimentname": _EXPERIMENT_NAME,
            "parents.experimentname": _EXPERIMENT_NAME,
            **_TIMES,
        },
        {"tags": _tag},
        containing=frozenset({"displayname", "trialname", "tags"}),
    ),
    "ExperimentTrialComponent": Searchable(
        "components",
        {
            "trialcomponentname": _text("name"),
            "trialcomponentarn": _text("arn"),
            "displayname": _text("display_name"),
            "source.sourcearn": _text("source_arn"),
            "source.sourcetype": _text("source_type"),
            "sourcearn": _text("source_arn"),
            "status.primarystatus": _text("status"),
            "status.message": _text("message"),
            "starttime": _time("started"),
            "endtime": _time("ended"),
            **_PARENT,
            **_TIMES,
        },
        {
            "parameters": _parameter,
            "metrics": _metric,
            "inputartifacts": _artifact("Input"),
            "outputartifacts": _artifact("Output"),
            "tags": _tag,
        },
        {"parents": Nested(_PARENTS, {name: Property(text=p.text) for name, p in _PARENT.items()})},
        frozenset({"displayname", "trialcomponentname", "tags", "inputartifacts", "outputartifacts"}),
    ),
    "TrainingJob": Searchable(
        "training_jobs",
        {
            "trainingjobname": _text("name"),
            "trainingjobarn": _text("arn"),
            "trainingjobstatus": _text("status"),
            "secondarystatus": _text("secondary_status"),
            "failurereason": _text("failure_reason"),
            "trainingstarttime": _time("started"),
            "trainingendtime": _time("ended"),
            "experimentconfig.experimentname": Property(
                text="json_extract(t.request, '$.ExperimentConfig.ExperimentName')"
            ),
            "experimentconfig.trialname": Property(text="json_extract(t.request, '$.ExperimentConfig.TrialName')"),
            **_TIMES,
        },
        {"hyperparameters": _hyperparameter, "metrics": _job_metric, "tags": _tag},
        {
            "inputdataconfig": Nested(
                _CHANNELS,
                {
                    "inputdataconfig.channelname": Property(text="json_extract(c.value, '$.ChannelName')"),
                    "inputdataconfig.datasource.s3datasource.s3uri": Property(
                        text="json_extract(c.value, '$.DataSource.S3DataSource.S3Uri')"
                    ),
                },
            )
        },
    ),
}


def compile_expression(resource: Searchable, expression: dict[str, Any]) -> Sql:
    """
    Compile an expression.

    Raises:
        ValidationFault: If it is larger than Search allows, or has an unknown property, or an operator that its
            property does not support.
    """
    elements = list(_elements(expression))
    if len(elements) > _MOST_ELEMENTS:
        raise ValidationFault(
            f"A SearchExpression can have at most {_MOST_ELEMENTS} Filters, NestedFilters and SubExpressions, at all "
            f"levels; this one has {len(elements)}."
        )
    names = [element["Name"].lower() for element in elements if element.get("Operator") == "Contains"]
    if sum(name.partition(".")[0] not in resource.containing for name in names) > _MOST_CONTAINS:
        raise ValidationFault(f"'CONTAINS' operator usage limit of {_MOST_CONTAINS} exceeded.")
    return _expression(resource, expression)


def _elements(expression: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the filters, nested filters and subexpressions of an expression, at all levels."""
    for name in ("Filters", "NestedFilters", "SubExpressions"):
        for element in expression.get(name, ()):
            yield element
            yield from _elements(element)


def _expression(resource: Searchable, expression: dict[str, Any]) -> Sql:
    parts = [
        *(_filter(resource.find(item["Name"]), item) for item in expression.get("Filters", ())),
        *(_nested(resource, item) for item in expression.get("NestedFilters", ())),
        *(_expression(resource, item) for item in expression.get("SubExpressions", ())),
    ]
    return _join(parts, "OR" if expression.get("Operator") == "Or" else "AND")


def _join(parts: Iterable[Sql], word: str) -> Sql:
    parts = list(parts)
    if not parts:
        return "1", []
    return "(" + f" {word} ".join(sql for sql, _ in parts) + ")", [arg for _, args in parts for arg in args]


def _nested(resource: Searchable, item: dict[str, Any]) -> Sql:
    name = item["NestedPropertyName"]
    nested = resource.nested.get(name.lower())
    if nested is None:
        raise ValidationFault(f"Unknown nested property name: {name}")
    parts = []
    for condition in item["Filters"]:
        found = nested.plain.get(condition["Name"].lower())
        if found is None:
            raise ValidationFault(f"Unknown property name: {condition['Name']}")
        parts.append(_filter(found, condition))
    sql, args = _join(parts, "AND")
    return f"EXISTS (SELECT 1 {nested.each} AND {sql})", args


def _filter(found: Property, item: dict[str, Any]) -> Sql:
    operator, value = item.get("Operator", "Equals" if "Value" in item else "Exists"), item.get("Value")
    if operator in ("NotEquals", "NotExists"):
        sql, args = _test(found, operator.removeprefix("Not"), value, item["Name"])
        return f"NOT coalesce({sql}, 0)", args
    return _test(found, operator, value, item["Name"])


def _test(found: Property, operator: str, value: str | None, name: str) -> Sql:
    if operator != "Exists" and value is None:
        raise ValidationFault(f"The filter of {name} with the operator {operator} requires a Value.")
    sql, args = _OPERATORS[operator](found, operator, value or "", name)
    return (f"EXISTS (SELECT 1 {found.each} AND {sql})" if found.each else sql), args


def _exists(found: Property, _operator: str, _value: str, _name: str) -> Sql:
    sides = [side for side in (found.text, found.number) if side]
    return _join([(f"{side} IS NOT NULL", list(found.args)) for side in sides], "OR")


def _equals(found: Property, _operator: str, value: str, name: str) -> Sql:
    return _one_of(found, [value], name)


def _is_in(found: Property, _operator: str, value: str, name: str) -> Sql:
    return _one_of(found, [part.strip() for part in value.split(",")], name)


def _one_of(found: Property, values: list[str], name: str) -> Sql:
    """Compare with each value, by IN: SQLite's planner is very slow for many values joined by OR."""
    parts: list[Sql] = []
    if found.text:
        parts.append(_membership(found, found.text, values))
    numbers = [number for value in values if (number := _as_number(found, value)) is not None]
    if found.number and numbers:
        parts.append(_membership(found, found.number, numbers))
    if not found.text and len(numbers) < len(values):
        raise ValidationFault(f"The value '{','.join(values)}' of {name} is not a {_kind(found)}.")
    return _join(parts, "OR")


def _membership(found: Property, side: str, values: Sequence[str | float]) -> Sql:
    return f"{side} IN ({', '.join('?' * len(values))})", [*found.args, *values]


def _contains(found: Property, operator: str, value: str, name: str) -> Sql:
    if not found.text:
        raise ValidationFault(f"The operator {operator} is not supported for {name}, which is not a string.")
    return f"instr(lower({found.text}), lower(?)) > 0", [*found.args, value]


def _ordering(found: Property, operator: str, value: str, name: str) -> Sql:
    number = _as_number(found, value)
    if not found.number:
        raise ValidationFault(f"The operator {operator} is not supported for {name}, which is a string.")
    if number is None:
        raise ValidationFault(f"The value '{value}' of {name} is not a {_kind(found)}.")
    return f"{found.number} {_ORDERING[operator]} ?", [*found.args, number]


def _kind(found: Property) -> str:
    return "time" if found.is_time else "number"


def _as_number(found: Property, value: str) -> float | None:
    try:
        number = read_iso(value) if found.is_time else float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and "_" not in value else None


_OPERATORS: dict[str, Callable[[Property, str, str, str], Sql]] = {
    "Exists": _exists,
    "Equals": _equals,
    "In": _is_in,
    "Contains": _contains,
    **dict.fromkeys(_ORDERING, _ordering),
}
