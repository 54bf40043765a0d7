"""Compile a SearchExpression into a SQL condition and its arguments."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from mnist_tracking.embedded.faults import ValidationFault
from mnist_tracking.embedded.services.sagemaker.search_properties import Property, Searchable
from mnist_tracking.embedded.times import read_iso

Sql = tuple[str, list[Any]]
_MOST_CONDITIONS = 50
_ORDERING = {
    "GreaterThan": ">",
    "GreaterThanOrEqualTo": ">=",
    "LessThan": "<",
    "LessThanOrEqualTo": "<=",
}


def compile_expression(resource: Searchable, expression: dict[str, Any]) -> Sql:
    """
    Compile an expression.

    Raises:
        ValidationFault: If it names an unknown property, or an operator that its property cannot have.
    """
    if _size(expression) > _MOST_CONDITIONS:
        raise ValidationFault(f"A SearchExpression may have at most {_MOST_CONDITIONS} conditions.")
    return _expression(resource, expression)


def _size(expression: dict[str, Any]) -> int:
    nested = sum(len(item["Filters"]) for item in expression.get("NestedFilters", ()))
    return len(expression.get("Filters", ())) + nested + sum(map(_size, expression.get("SubExpressions", ())))


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
        raise ValidationFault(f"A filter with the operator {operator} needs a Value; {name} has none.")
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
    """Compare with each value; by IN, since SQLite's planner takes for ever over many a value joined by OR."""
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
        raise ValidationFault(f"The operator {operator} is not possible for {name}, which is no text.")
    return f"instr(lower({found.text}), lower(?)) > 0", [*found.args, value]


def _ordering(found: Property, operator: str, value: str, name: str) -> Sql:
    number = _as_number(found, value)
    if not found.number:
        raise ValidationFault(f"The operator {operator} is not possible for {name}, which is a text.")
    if number is None:
        raise ValidationFault(f"The value '{value}' of {name} is not a {_kind(found)}.")
    return f"{found.number} {_ORDERING[operator]} ?", [*found.args, number]


def _kind(found: Property) -> str:
    return "time" if found.is_time else "number"


def _as_number(found: Property, value: str) -> float | None:
    try:
        return read_iso(value) if found.is_time else float(value)
    except ValueError:
        return None


_OPERATORS: dict[str, Callable[[Property, str, str, str], Sql]] = {
    "Exists": _exists,
    "Equals": _equals,
    "In": _is_in,
    "Contains": _contains,
    **dict.fromkeys(_ORDERING, _ordering),
}
