"""Read components through Search: pages of 100, one pass."""

from collections.abc import Iterator
from typing import Any

from mnist_tracking._sagemaker.convert import component_from_aws
from mnist_tracking._sagemaker.errors import translated
from mnist_tracking.records import Component

_PAGE = 100


def iter_search(
    client: Any,
    resource: str,
    filters: dict[str, str],
    *,
    sort_by: str = "CreationTime",
    ascending: bool = True,
) -> Iterator[dict[str, Any]]:
    """Yield what Search finds for filters that must all hold, lazily, as raw results."""
    request: dict[str, Any] = {
        "Resource": resource,
        "SortBy": sort_by,
        "SortOrder": "Ascending" if ascending else "Descending",
        "MaxResults": _PAGE,
    }
    if filters:
        conditions = [{"Name": name, "Operator": "Equals", "Value": value} for name, value in filters.items()]
        request["SearchExpression"] = {"Filters": conditions}
    while True:
        with translated():
            page = client.search(**request)
        yield from page["Results"]
        if not page.get("NextToken"):
            return
        request["NextToken"] = page["NextToken"]


def iter_components(client: Any, **filters: str) -> Iterator[Component]:
    """Yield components in order of creation; keyword ``Parents_TrialName`` stands for ``Parents.TrialName``."""
    named = {name.replace("_", "."): value for name, value in filters.items()}
    for result in iter_search(client, "ExperimentTrialComponent", named):
        yield component_from_aws(result["TrialComponent"])
