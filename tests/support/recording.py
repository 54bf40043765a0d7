"""
Recorded calls: what AWS answered to the calls of a test, without anything that says whose account it was.

A recording is JSON. Times of requests are written as an age, those of responses as a mark, and contents as base64.
"""

import base64
import io
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, TypedDict

import attrs
from botocore.model import OperationModel
from botocore.response import StreamingBody

Recorded = dict[str, list["Call"]]
"""The calls of the tests of a module, by the name of the test."""

RECORDINGS = "MNIST_TRACKING_RECORDINGS"
"""The variable that names the folder for the recordings of the contract tests."""

TIME = "<time>"
_LONGEST_BODY = 1 << 20


class Call(TypedDict):
    """One call. The response of a failed one has the member ``Error``."""

    service: str
    operation: str
    request: dict[str, Any]
    response: dict[str, Any]


@attrs.define
class Recorder:
    """
    Records the calls of clients.

    Attributes:
        secrets: What must not be in a recording, with what stands in its place.
        calls: The calls so far.
    """

    secrets: Mapping[str, str]
    calls: list[Call] = attrs.field(factory=list)

    def connect_first(self, client: Any) -> None:
        """Remember requests as the test makes them; connect what changes requests after this."""
        client.meta.events.register("provide-client-params", self._on_request)

    def connect_last(self, client: Any) -> None:
        """Record responses as the test reads them; connect what changes responses before this."""
        client.meta.events.register("after-call", self._on_response)

    def _on_request(self, params: dict[str, Any], context: dict[str, Any], **_: object) -> None:
        context["recorded_request"] = _plain(params, _age)

    def _on_response(self, parsed: dict[str, Any], model: OperationModel, context: dict[str, Any], **_: object) -> None:
        call: Call = {
            "service": model.service_model.service_name,
            "operation": model.name,
            "request": context["recorded_request"],
            "response": _plain(_read(parsed), lambda _: TIME),
        }
        clean: Call = json.loads(_replaced(json.dumps(call), self.secrets))
        last = self.calls[-1] if self.calls else None
        is_poll = clean["operation"].startswith("Describe") and last and last["request"] == clean["request"]
        if last and is_poll and last["operation"] == clean["operation"]:
            self.calls[-1] = clean  # the last answer alone
        else:
            self.calls.append(clean)


def _read(parsed: dict[str, Any]) -> dict[str, Any]:
    """Return a response whose body is read; the test can read it, too."""
    body = parsed.get("Body")
    if body is None:
        return parsed
    content = body.read()
    parsed["Body"] = StreamingBody(io.BytesIO(content), len(content))
    return {**parsed, "Body": content}


def _plain(value: Any, time_of: Callable[[float], Any], member: str = "") -> Any:
    """Return a value as JSON has it."""
    match value:
        case dict():
            return {name: _plain(item, time_of, name) for name, item in value.items() if name != "ResponseMetadata"}
        case list() | tuple():
            return [_plain(item, time_of, member) for item in value]
        case datetime():
            return time_of(value.timestamp())
        case int() | float() if member == "Timestamp":
            return time_of(value)
        case bytes() | bytearray():
            return {"base64": base64.b64encode(value[:_LONGEST_BODY]).decode()}
    return value


def _age(seconds: float) -> dict[str, float]:
    return {"age": time.time() - seconds}


def sent(value: Any) -> Any:
    """Return a value of a recorded request as it is sent again."""
    match value:
        case {"age": age}:
            return time.time() - age
        case {"base64": content}:
            return base64.b64decode(content)
        case dict():
            return {name: sent(item) for name, item in value.items()}
        case list():
            return [sent(item) for item in value]
    return value


_IN_ANY_ACCOUNT = (  # what may tell whose account it was, whatever its name
    (
        re.compile(r"(arn:aws[a-z-]*:iam::)\d{12}:(?!role/mnist-tracking-embedded)[^\"\\ ,']+"),
        r"\g<1>000000000000:user/user",
    ),
    (re.compile(r"arn:aws[a-z-]*:sts::\d{12}:[^\"\\ ,']+"), "arn:aws:sts::000000000000:assumed-role/role/session"),
    (re.compile(r"\b(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{8,}"), "AKEY"),
    (re.compile(r"\bip-\d+-\d+-\d+-\d+[a-z0-9.-]*"), "host"),
    (re.compile(r"X-Amz-[A-Za-z]+=[^&\"\\ ]+"), "X-Amz=none"),
    (re.compile(r"(?<!\d)(?!0{12})(?!763104351884)\d{12}(?!\d)(?=[:/.-])"), "000000000000"),
    (re.compile(r'("(?:CreatedBy|LastModifiedBy)": )\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}'), r"\g<1>{}"),
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"), "id"),
)


def _replaced(text: str, secrets: Mapping[str, str]) -> str:
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, secrets[secret])
    for pattern, substitute in _IN_ANY_ACCOUNT:
        text = pattern.sub(substitute, text)
    return text


def leaks(text: str, secrets: Sequence[str]) -> Iterator[str]:
    """Yield what a recording must not have: one of the secrets, or what has the form of one."""
    yield from (secret for secret in secrets if secret in text)
    for pattern in (r"\b(?:AKIA|ASIA)[A-Z0-9]{12,}", r"arn:aws[^\"\\ ]*?:(?!0{12})(?!763104351884)\d{12}:[^\"\\ ]*"):
        yield from re.findall(pattern, text)


def save(folder: Path, module: str, test: str, recorder: Recorder) -> None:
    """
    Add the calls of a test to the recording of its module.

    Raises:
        AssertionError: If that would publish something about the account.
    """
    path = folder / f"{module}.json"
    found: Recorded = load(path) if path.exists() else {}
    text = json.dumps({**found, test: recorder.calls}, indent=1, sort_keys=True) + "\n"
    hidden = {secret for secret, substitute in recorder.secrets.items() if secret not in substitute}
    assert not (leaked := sorted(leaks(text, sorted(hidden)))), f"not recorded, since {test} has {leaked}"
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def load(path: Path) -> Recorded:
    """Read the recording of a module."""
    recorded: Recorded = json.loads(path.read_text())
    return recorded
