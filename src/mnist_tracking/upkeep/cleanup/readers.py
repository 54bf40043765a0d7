"""Who else uses the objects of an experiment: steps and training jobs of other experiments, and models. Only reads."""

from collections.abc import Container, Iterator
from datetime import datetime

import attrs

from mnist_tracking._aws.account import Account
from mnist_tracking._aws.convert import EXPERIMENT_TAG, code_uri
from mnist_tracking._aws.endpoints import model_locations
from mnist_tracking._aws.errors import translated
from mnist_tracking._aws.experiments import PAGES
from mnist_tracking._aws.search import components_since
from mnist_tracking._aws.storage import location_of
from mnist_tracking._values.records import Component
from mnist_tracking.upkeep.cleanup.pool import results

__all__ = ["Reader", "find_readers", "locations_of"]


@attrs.frozen
class Reader:
    """
    A step or a model that uses objects.

    Attributes:
        description: Such as ``"trial deeper of experiment churn"``.
        uris: The locations that it uses.
    """

    description: str
    uris: tuple[str, ...]


def find_readers(account: Account, prefix: str, *, since: datetime, known: Container[str]) -> Iterator[Reader]:
    """
    Yield the steps and models that use objects below *prefix*.

    Search shows steps, and training jobs with theirs, some seconds after their creation.

    Args:
        account: Where they are.
        prefix: The location of the objects.
        since: When the oldest of the objects was created; what is older cannot use them.
        known: The names of the steps and models to leave out.
    """
    for component in components_since(account, since):
        if component.name not in known and (used := _overlapping(locations_of(component), prefix)):
            yield Reader(_describe(component), used)
    for name, locations in _models(account, since, known).items():
        if used := _overlapping(locations, prefix):
            yield Reader(f"model {name}", used)


def locations_of(component: Component) -> Iterator[str]:
    """Yield the locations that a step has recorded: its artifacts, and the code that was trained."""
    yield from (artifact.uri for artifact in (*component.inputs, *component.outputs))
    if code := code_uri(component):
        yield code


def _overlapping(locations: Iterator[str] | tuple[str, ...], prefix: str) -> tuple[str, ...]:
    """Return the locations that are below *prefix*, or above it."""
    plain = dict.fromkeys(location.rstrip("/") for location in locations)
    return tuple(one for one in plain if location_of(one, {prefix}) or location_of(prefix, {one}))


def _describe(component: Component) -> str:
    if component.parents:
        trial, experiment = component.parents[0]
        return f"trial {trial} of experiment {experiment}"
    if experiment := component.tags.get(EXPERIMENT_TAG, ""):
        return f"step {component.display_name} of experiment {experiment}"
    return f"training job {component.job_name}" if component.job_name else f"step {component.name}"


def _models(account: Account, since: datetime, known: Container[str]) -> dict[str, tuple[str, ...]]:
    """Return the locations that each model uses, by the model's name."""
    with translated():
        pages = account.client("sagemaker").get_paginator("list_models")
        found = pages.paginate(CreationTimeAfter=since, PaginationConfig=PAGES)
        names = [model["ModelName"] for page in found for model in page["Models"]]
    others = [name for name in names if name not in known]
    return results(lambda name: model_locations(account, name), others)
