"""The record of a sweep: a trial component that any program finds by the names of the sweep and its experiment."""

import json
from collections.abc import Mapping
from typing import Any

from mnist_tracking._aws.account import Account
from mnist_tracking._aws.components import create_component, encode_parameters
from mnist_tracking._aws.convert import LEAVING_TAG, SWEEP_COMPONENT
from mnist_tracking._aws.errors import if_exists, is_taken
from mnist_tracking._aws.experiments import read_component
from mnist_tracking._aws.marks import mark
from mnist_tracking._aws.search import iter_components
from mnist_tracking._values.markers import RESERVED
from mnist_tracking._values.names import sweep_record_name
from mnist_tracking.errors import ServiceError

_PART = f"{RESERVED}sweep."
_LONGEST_PART = 1000  # characters, whose quotes are escaped where they are stored


def record_sweep(
    account: Account, experiment: str, sweep: str, definition: Mapping[str, Any], tags: Mapping[str, str]
) -> bool:
    """Record the definition of a sweep, and return whether it is new; an existing record is kept."""
    tags = {**tags, LEAVING_TAG: experiment}
    try:
        create_component(
            account, sweep_record_name(experiment, sweep), SWEEP_COMPONENT, tags, parameters=_parts(definition)
        )
    except ServiceError as error:
        if not is_taken(error):
            raise
        return False
    return True


def update_sweep(account: Account, experiment: str, sweep: str, definition: Mapping[str, Any]) -> None:
    """Replace the recorded definition of a sweep."""
    name, parts = sweep_record_name(experiment, sweep), _parts(definition)
    stored = {key for key in read_component(account, name).parameters if key.startswith(_PART)}
    mark(account, name, encode_parameters(parts), stored - parts.keys())


def read_sweep(account: Account, experiment: str, sweep: str) -> dict[str, Any] | None:
    """Return the recorded definition of a sweep; None if the experiment has no sweep of that name."""
    component = if_exists(lambda: read_component(account, sweep_record_name(experiment, sweep)))
    if component is None:
        return None
    parts = {key: str(value) for key, value in component.parameters.items() if key.startswith(_PART)}
    found: dict[str, Any] = json.loads("".join(parts[key] for key in sorted(parts)))
    return found


def sweep_names(account: Account, experiment: str) -> list[str]:
    """Return the names of the recorded sweeps of an experiment, as far as Search shows them."""
    filters = {f"Tags.{LEAVING_TAG}": experiment, "DisplayName": SWEEP_COMPONENT}
    found = iter_components(account.client("sagemaker"), **filters)
    return [component.name.rpartition("-sweep-")[0] for component in found]


def _parts(definition: Mapping[str, Any]) -> dict[str, str]:
    text = json.dumps(definition)
    starts = range(0, len(text), _LONGEST_PART)
    return {f"{_PART}{start // _LONGEST_PART:03}": text[start : start + _LONGEST_PART] for start in starts}
