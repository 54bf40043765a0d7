"""
A part of a real account that looks like an empty one: the names of a test get a prefix, and others are not seen.

Requests are changed before they are sent, responses before they are read. So the same tests, with the same short names,
run in an account that other people use.
"""

import re
import time
from collections.abc import Mapping
from typing import Any

import attrs
from botocore.model import OperationModel

LIVE_TAG = "mnist-tracking:live"
"""The tag of everything that a live run creates; its value begins with the name of the run."""

_NAMES = frozenset(
    {
        *("ArtifactName", "EndpointConfigName", "EndpointName", "ExperimentName", "ModelName"),
        *("RunName", "TrainingJobName", "TrialComponentName", "TrialName"),
    }
)
_NAMED = "experiment|experiment-trial|experiment-trial-component|training-job|model|endpoint|endpoint-config"
_ARN = re.compile(rf"^(arn:[^:]+:sagemaker:[^:]*:\d+:(?:{_NAMED})/)")
_COLLECTIONS = re.compile(r"Search|List(?!Tags|Associations)")
_READS = ("Describe", "List", "Get", "Search", "BatchGet")
_ELSEWHERE = ("s3://", "http")


@attrs.define
class Namespace:
    """
    The names of one test.

    Attributes:
        prefix: Of all names; the value of `LIVE_TAG`.
        search_lag_s: How long a search waits after the last change: Search is eventually consistent.
    """

    prefix: str
    search_lag_s: float
    _changed: float = attrs.field(factory=time.monotonic, init=False)

    def connect(self, client: Any) -> None:
        """Change the requests and responses of a client."""
        client.meta.events.register("provide-client-params", self._on_request)
        client.meta.events.register("after-call", self._on_response)

    def _on_request(self, params: dict[str, Any], model: OperationModel, **_: object) -> dict[str, Any]:
        if model.name == "Search":
            time.sleep(max(0.0, self._changed + self.search_lag_s - time.monotonic()))
        elif not model.name.startswith(_READS):
            self._changed = time.monotonic()
        changed: dict[str, Any] = self._entered(params)
        if model.name == "Search":
            return {**changed, "SearchExpression": self._narrowed(changed.get("SearchExpression"))}
        if model.name.startswith("Create") and model.input_shape and "Tags" in model.input_shape.members:
            return {**changed, "Tags": [*params.get("Tags", []), {"Key": LIVE_TAG, "Value": self.prefix}]}
        return changed

    def _narrowed(self, expression: dict[str, Any] | None) -> dict[str, Any]:
        """Return an expression that finds only what has the tag of this namespace."""
        ours = {"Name": f"Tags.{LIVE_TAG}", "Operator": "Equals", "Value": self.prefix}
        return {"Filters": [ours], **({"SubExpressions": [expression]} if expression else {})}

    def _entered(self, value: Any, member: str = "") -> Any:
        """Return a value of a request with prefixes."""
        match value:
            case dict() if str(value.get("Name", "")).rpartition(".")[2] in _NAMES and "Value" in value:
                return {**value, "Value": self._filter_value(value)}
            case dict():
                return {name: self._entered(item, name) for name, item in value.items()}
            case list() | tuple():
                return [self._entered(item, member) for item in value]
            case str() if member in _NAMES and not value.startswith("arn:"):
                return self.prefix + value
            case str() if _ARN.match(value):
                return _ARN.sub(rf"\g<1>{self.prefix}", value)
        return value

    def _filter_value(self, condition: Mapping[str, str]) -> str:
        """Return the value of a condition on a name; a part of a name stays as it is."""
        if condition.get("Operator") == "Contains":
            return condition["Value"]
        return ",".join(self.prefix + name for name in condition["Value"].split(","))

    def _on_response(self, parsed: dict[str, Any], model: OperationModel, **_: object) -> None:
        for member, value in parsed.items():
            if isinstance(value, list) and _COLLECTIONS.match(model.name):
                parsed[member] = [item for item in value if self.prefix in repr(item)]
        parsed.update({member: self._left(value) for member, value in parsed.items()})

    def _left(self, value: Any) -> Any:
        """Return a value of a response without prefixes, and without the tag."""
        match value:
            case dict():
                return {name: self._left(item) for name, item in value.items()}
            case list():
                return [self._left(item) for item in value if not _is_tag(item)]
            case str() if not value.startswith(_ELSEWHERE):
                return value.replace(self.prefix, "")
        return value


def _is_tag(item: object) -> bool:
    return isinstance(item, dict) and item.get("Key") == LIVE_TAG
