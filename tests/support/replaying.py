"""Recorded calls made again: what the embedded SageMaker answers differently from what was recorded."""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import attrs
from botocore import xform_name
from botocore.exceptions import ClientError
from tests.support.recording import TIME, Call, sent
from tests.support.rigs import Rig

NOT_COMPARED = frozenset({"CreatedBy", "LastModifiedBy"})
"""Who created something: the recording leaves that out."""

_ENDED = frozenset({"Completed", "Failed", "Stopped", "InService", "OutOfService"})
_STATUSES = ("TrainingJobStatus", "EndpointStatus")
_NAMES = re.compile(r"""'[^']*'|"[^"]*"|\([^()]*\)|\b(?:arn:aws|s3:/|https?:/)[^\s'",]*|\d+""")


@attrs.define
class Replay:
    """
    Makes the calls of one test again.

    What the account chose by itself, such as tokens and the ARNs of artifacts, is taken from the new responses.
    """

    rig: Rig
    _chosen: dict[str, str] = attrs.field(factory=dict)

    def differences(self, calls: list[Call]) -> Iterator[str]:
        """Make the calls, and yield what is different."""
        for call in calls:
            found = self._answer(call)
            self._learn(call["response"], found)
            yield from (f"{call['operation']}: {one}" for one in _differences(call["response"], found))

    def _answer(self, call: Call) -> dict[str, Any]:
        """Make a call, again and again if it is a recorded wait for an end."""
        ends = any(call["response"].get(name) in _ENDED for name in _STATUSES)
        deadline = time.monotonic() + 60
        while True:
            found = self._call(call)
            if not ends or any(found.get(name) in _ENDED for name in _STATUSES) or time.monotonic() > deadline:
                return found
            time.sleep(self.rig.pause_s)

    def _call(self, call: Call) -> dict[str, Any]:
        method: Callable[..., Any] = getattr(self.rig.client(call["service"]), xform_name(call["operation"]))
        found: Mapping[str, Any]
        try:
            found = method(**self._current(sent(call["request"])))
        except ClientError as error:
            found = error.response
        return {name: value for name, value in found.items() if name != "ResponseMetadata"}

    def _current(self, value: Any) -> Any:
        match value:
            case dict():
                return {name: self._current(item) for name, item in value.items()}
            case list():
                return [self._current(item) for item in value]
            case str():
                return self._chosen.get(value, value)
        return value

    def _learn(self, recorded: Any, found: Any) -> None:
        match recorded, found:
            case dict(), dict():
                for name in recorded.keys() & found.keys():
                    self._learn(recorded[name], found[name])
            case list(), list():
                for one, other in zip(recorded, found, strict=False):
                    self._learn(one, other)
            case str(), str() if recorded not in (found, TIME):
                self._chosen[recorded] = found


def _differences(recorded: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[str]:
    error, other = recorded.get("Error"), found.get("Error")
    if error is None and other is None:
        yield from _shape(recorded, found, "")
    elif error is None or other is None or error["Code"] != other["Code"] or _words(recorded) != _words(found):
        yield f"recorded {_outcome(error)}, found {_outcome(other)}"


def _outcome(error: Mapping[str, str] | None) -> str:
    return "success" if error is None else f"{error['Code']} {error.get('Message', '')!r}"


def _words(response: Mapping[str, Any]) -> str:
    """Return an error message without its names and numbers, and without what a model itself has said."""
    message = response["Error"].get("Message", "").replace(response.get("OriginalMessage", "").strip() or "\0", "")
    return _NAMES.sub("_", message).strip(" .").lower()


def _shape(recorded: Any, found: Any, path: str) -> Iterator[str]:
    """Yield the members, lengths, types and statuses that differ."""
    match recorded, found:
        case dict(), dict():
            yield from _members(recorded, found, path)
        case list(), list():
            if len(recorded) != len(found):
                yield f"{path} has {len(found)} items, recorded were {len(recorded)}"
            for one, other in zip(recorded, found, strict=False):
                yield from _shape(one, other, f"{path}[]")
        case _ if _kind(recorded) != _kind(found):
            yield f"{path} is {_kind(found)}, recorded was {_kind(recorded)}"
        case str(), str() if path.endswith("Status") and recorded != found:
            yield f"{path} is {found!r}, recorded was {recorded!r}"


def _members(recorded: Mapping[str, Any], found: Mapping[str, Any], path: str) -> Iterator[str]:
    for name in sorted((recorded.keys() ^ found.keys()) - NOT_COMPARED):
        yield f"{path}.{name} is {'missing' if name in recorded else 'not recorded'}"
    for name in sorted((recorded.keys() & found.keys()) - NOT_COMPARED):
        yield from _shape(recorded[name], found[name], f"{path}.{name}")


def _kind(value: Any) -> str:
    match value:
        case bool():
            return "a truth value"
        case int() | float():
            return "a number"
        case str() if value != TIME:
            return "a string"
        case dict() if value.keys() == {"base64"}:
            return "a content"
        case dict():
            return "a structure"
        case list():
            return "a list"
        case None:
            return "nothing"
    return "a content" if hasattr(value, "read") else "a time"
