"""What data go to an endpoint as, and how its answers are read."""

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mnist_tracking import BestModelDeployer, ConfigError, ExperimentRunner, ServiceError, Workspace
from mnist_tracking._values.formats import (
    Deserializer,
    Format,
    Serializer,
    accept_header,
    deserializer_of,
    serializer_of,
)

MIRROR = """
def model_fn(model_dir): pass
def transform_fn(model, body, content_type, accept):
    text = body if isinstance(body, str) else body.decode("latin-1")
    return f"{content_type}|{accept}|{text}", "text/plain"
"""


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    with Workspace.embedded(tmp_path_factory.mktemp("formats") / "home") as workspace:
        yield workspace


@pytest.fixture(scope="module")
def mirror(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The name of an endpoint that answers with what it was sent, and as what; ``*/*`` comes to it as JSON."""
    script = tmp_path_factory.mktemp("scripts") / "mirror.py"
    script.write_text(MIRROR)
    with ExperimentRunner(workspace, "mirrors").trial() as trial:
        trial.log_model(script, entry_point=script)
    with BestModelDeployer(workspace).deploy(trial.name, name="mirror") as endpoint:
        yield endpoint.name


class Reversed:
    """A format of one's own."""

    CONTENT_TYPE, ACCEPT = "application/x-reversed", ("text/plain", "text/html")

    def serialize(self, data: str) -> str:
        return data[::-1]

    def deserialize(self, stream: Any, content_type: str) -> str:
        return f"{content_type}: {stream.read().decode()}"


FRAME = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})


@pytest.mark.parametrize(
    ("serializer", "data", "sent"),
    [
        ("json", {"a": [1, None]}, 'application/json|application/json|{"a": [1, null]}'),
        ("json", np.eye(2, dtype=np.int64), "application/json|application/json|[[1, 0], [0, 1]]"),
        (
            "json",
            {"a": np.float32(0.5), "b": pd.Series([1, 2])},
            'application/json|application/json|{"a": 0.5, "b": [1, 2]}',
        ),
        ("json", FRAME, 'application/json|application/json|[[1, "x"], [2, "y"]]'),
        ("csv", [1, "a,b"], 'text/csv|application/json|1,"a,b"\n'),
        ("csv", ["one", "two"], "text/csv|application/json|one,two\n"),
        ("csv", [[1, 2], (3, 4)], "text/csv|application/json|1,2\n3,4\n"),
        ("csv", [np.array([1, 2])], "text/csv|application/json|1,2\n"),
        ("csv", np.array([1.5, 2.0]), "text/csv|application/json|1.5,2.0\n"),
        ("csv", FRAME, "text/csv|application/json|1,x\n2,y\n"),
        ("csv", [], "text/csv|application/json|"),
        ("csv", "1,2", "text/csv|application/json|1,2"),
        ("bytes", b"\x89PNG", "application/octet-stream|application/json|\x89PNG"),
        ("bytes", "text", "application/octet-stream|application/json|text"),
        ("bytes", io.BytesIO(b"file"), "application/octet-stream|application/json|file"),
    ],
)
def test_data_go_as_the_format_says(
    workspace: Workspace, mirror: str, serializer: Format, data: object, sent: str
) -> None:
    answer = workspace.endpoint(mirror, serializer=serializer, deserializer="bytes").predict(data)

    assert answer.decode() == sent


def test_a_format_of_ones_own_is_used(workspace: Workspace, mirror: str) -> None:
    answer = workspace.endpoint(mirror, serializer=Reversed(), deserializer=Reversed()).predict("abc")

    assert answer == "text/plain: application/x-reversed|text/plain, text/html|cba"


@pytest.mark.parametrize(
    ("name", "data", "sent"),
    [
        ("JSON", {"a": np.ones(1)}, 'application/json|application/json|{"a": [1.0]}'),
        ("CSV", [[1, 2], [3, 4]], "text/csv|text/csv|1,2\n3,4"),
        ("Identity", b"raw", "application/octet-stream|application/json|raw"),
        ("Data", b"raw", "file-path/raw-bytes|application/json|raw"),
    ],
)
def test_the_formats_of_the_sdk_are_taken(
    workspace: Workspace, mirror: str, name: str, data: object, sent: str
) -> None:
    from sagemaker import deserializers, serializers

    serializer: Serializer = getattr(serializers, f"{name}Serializer")()
    deserializer: Deserializer = deserializers.StringDeserializer(accept=sent.split("|")[1])
    answer = workspace.endpoint(mirror, serializer=serializer, deserializer=deserializer).predict(data)

    assert answer == sent


@pytest.mark.parametrize(
    ("serializer", "deserializer", "content_type", "accept"),
    [
        (None, None, "application/x-npy", "application/x-npy"),
        ("json", None, "application/json", "application/json"),
        ("csv", "numpy", "text/csv", "application/x-npy"),
        (None, "json", "application/x-npy", "application/json"),
        (Reversed(), None, "application/x-reversed", "application/x-npy"),
    ],
)
def test_answers_are_asked_for_in_the_format_of_a_named_serializer(
    serializer: Serializer | Format | None, deserializer: Deserializer | Format | None, content_type: str, accept: str
) -> None:
    assert content_type == serializer_of(serializer).CONTENT_TYPE
    assert accept_header(deserializer_of(deserializer, serializer)) == accept


@pytest.mark.parametrize(
    ("deserializer", "body", "content_type", "answer"),
    [
        ("json", b'{"a": [1, "x"]}', "application/json", {"a": [1, "x"]}),
        ("csv", b'1,"a,b"\nx,\n', "text/csv; charset=utf-8", [["1", "a,b"], ["x", ""]]),
        ("bytes", b"\x00\xff", "image/png", b"\x00\xff"),
        ("numpy", b"[1, 2]", "application/json", [1, 2]),
        ("numpy", b"1,2\n3,4\n", "text/csv; charset=utf-8", [[1.0, 2.0], [3.0, 4.0]]),
    ],
)
def test_an_answer_is_read_as_the_format_says(
    deserializer: Format, body: bytes, content_type: str, answer: object
) -> None:
    read = deserializer_of(deserializer, None).deserialize(io.BytesIO(body), content_type)

    assert (read.tolist() if deserializer == "numpy" else read) == answer


@pytest.mark.parametrize(
    ("deserializer", "body", "content_type", "message"),
    [
        ("json", b"<html>", "text/html", "the response, text/html, is not JSON"),
        ("csv", b"\xff", "text/csv", "the response, text/csv, is not text"),
        ("numpy", b"1,cat\n", "text/csv", "not an array"),
        ("numpy", b"{}", "application/json", "not an array; deserializer='json' returns it as it is"),
        ("numpy", b'[[1], [2, "x"]]', "application/json", "not an array"),
        ("numpy", b"PNG", "image/png", "the model returned image/png"),
    ],
)
def test_an_answer_that_is_not_what_was_asked_for_is_a_service_error(
    deserializer: Format, body: bytes, content_type: str, message: str
) -> None:
    with pytest.raises(ServiceError, match=message):
        deserializer_of(deserializer, None).deserialize(io.BytesIO(body), content_type)


@pytest.mark.parametrize(
    ("serializer", "data", "message"),
    [
        ("json", {"a": object()}, "cannot be sent as JSON: object cannot be converted"),
        ("csv", 3, "cannot be sent as CSV: int cannot be converted"),
        ("csv", {"a": 1}, "cannot be sent as CSV: dict cannot be converted"),
        ("bytes", [1], "Got a list; serializer='bytes' sends bytes, a string or an open file"),
        ("numpy", [object()], "Python objects cannot be sent"),
    ],
)
def test_data_that_a_format_cannot_say_are_refused(serializer: Format, data: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        serializer_of(serializer).serialize(data)


def test_the_class_of_a_format_is_no_format() -> None:
    with pytest.raises(ConfigError, match=r"an object with the method serialize\(\)"):
        serializer_of(Reversed)  # type: ignore[arg-type]
