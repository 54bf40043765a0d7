"""``mnist-tracking predict``: invoke an endpoint with the data in a file."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import attrs
import click

from mnist_tracking._values.json import to_json
from mnist_tracking.cli.options import Settings, command, options_in, pass_settings
from mnist_tracking.cli.output import Form, Page, format_option, write_bytes, write_csv, write_json
from mnist_tracking.errors import ConfigError

if TYPE_CHECKING:
    from mnist_tracking._values.formats import Deserializer, Format, Serializer

__all__ = ["FORMATS", "predict"]

FORMATS = ("numpy", "json", "csv", "bytes")  # those of mnist_tracking._values.formats
_NAMES = click.Choice(FORMATS)
_FORMATS = options_in(
    "Request and response",
    (("--serializer",), {"type": _NAMES, "help": "Format of the request.  [default: as deployed, else numpy]"}),
    (("--deserializer",), {"type": _NAMES, "help": "Format of the response.  [default: as --serializer]"}),
    (
        ("--content-type",),
        {"metavar": "TYPE", "help": "Send the file unchanged, with this content type. Replaces --serializer."},
    ),
    (
        ("--accept",),
        {
            "metavar": "TYPE",
            "help": "Request this content type, and write the response unchanged. Replaces --deserializer.",
        },
    ),
    (("--dtype",), {"help": "Convert the array to this NumPy type. The built-in CNN takes uint8."}),
    (("--probabilities",), {"is_flag": True, "help": "Print all ten probabilities of the built-in CNN."}),
)


@command(short_help="Invoke an endpoint with the data in a file.")
@click.argument("endpoint")
@click.argument("file", type=click.File("rb"), default="-")
@_FORMATS
@format_option()
@pass_settings
def predict(  # noqa: PLR0913 - one for each option
    settings: Settings,
    *,
    endpoint: str,
    file: BinaryIO,
    serializer: "Format | None",
    deserializer: "Format | None",
    content_type: str | None,
    accept: str | None,
    dtype: str | None,
    probabilities: bool,
    form: Form,
) -> None:
    """
    Send the data in a file, or on standard input, to an endpoint, and print the predictions.

    FILE contains an array: .npy, .csv (numbers separated by commas), or JSON. With --content-type or --serializer
    bytes, any file is sent unchanged; with --serializer csv, a .csv file is. A response in bytes is written unchanged.

    \b
    Examples:
      mnist-tracking predict churn rows.csv
      echo '[[0.1, 2.0]]' | mnist-tracking predict churn --format json
      mnist-tracking predict digits images.npy --probabilities --format csv
      mnist-tracking predict digits seven.png --content-type image/png
    """  # noqa: D301 - click reads the backspace: keep these lines as they are
    from mnist_tracking._values.formats import formats_in

    _reject_both("--serializer", serializer, "--content-type", content_type)
    _reject_both("--deserializer", deserializer, "--accept", accept)
    with settings.opened() as workspace:
        found = workspace.endpoint(
            endpoint,
            serializer=_Unchanged(content_type) if content_type else serializer,
            deserializer=_Raw(accept) if accept else deserializer,
        )
        sent_as = "bytes" if content_type else serializer or formats_in(found.adapter)[0]
        options = {"probabilities": True} if probabilities else {}
        predictions = found.predict(_read_payload(file, sent_as, dtype), **options)
    _write(predictions, form)


def _reject_both(one: str, given: str | None, other: str, also: str | None) -> None:
    if given and also:
        raise click.UsageError(f"{one} and {other} exclude each other.")


def _write(predictions: Any, form: Form) -> None:
    if isinstance(predictions, bytes):
        write_bytes(predictions)
        return
    predictions = to_json(predictions)
    if form == "json":
        write_json(predictions)
        return
    rows = [_row(one) for one in (predictions if isinstance(predictions, list) else [predictions])]
    if form == "csv":
        write_csv(rows)
    else:
        Page().table(rows, keep=1)


def _row(prediction: Any) -> dict[str, object]:
    """Return a prediction by heading: several values are numbered."""
    match prediction:
        case list():
            return {str(place): value for place, value in enumerate(prediction)}
        case dict():
            return prediction
    return {"prediction": prediction}


@attrs.frozen
class _Unchanged:
    """
    A serializer that sends a file unchanged.

    Attributes:
        CONTENT_TYPE: The file's content type, such as ``"image/png"``.
    """

    CONTENT_TYPE: str

    def serialize(self, data: bytes) -> bytes:
        return data


@attrs.frozen
class _Raw:
    """
    A deserializer that returns a response unchanged.

    Attributes:
        ACCEPT: The content type to request, such as ``"text/plain"``.
    """

    ACCEPT: str

    def deserialize(self, stream: Any, content_type: str) -> bytes:  # noqa: ARG002 - the protocol's
        return bytes(stream.read())


def _read_payload(file: BinaryIO, sent_as: "Format | None", dtype: str | None) -> Any:
    """
    Read the data to send.

    Args:
        file: An array as ``.npy``, numbers as ``.csv``, or anything else as JSON, going by its name.
        sent_as: The format of the request: CSV that is sent as ``"csv"`` is read as text, and what is sent as
            ``"bytes"`` is not parsed at all; None is ``"numpy"``.
        dtype: The type of an array's values.

    Raises:
        ConfigError: If the file does not contain that.
    """
    name = str(getattr(file, "name", "<stdin>"))
    kind = Path(name).suffix.lstrip(".")
    if sent_as == "bytes":
        return file.read()
    try:
        data = _read(file, "csv" if sent_as == "csv" and kind != "npy" else kind, is_text=sent_as == "csv")
        return data if dtype is None else _array(data).astype(dtype)
    except (ValueError, EOFError, TypeError) as error:
        raise ConfigError(f"{name!r} cannot be read as {kind or 'JSON'}: {error}") from error


def _read(file: BinaryIO, kind: str, *, is_text: bool) -> Any:
    import numpy as np

    match kind:
        case "npy":
            return np.load(file, allow_pickle=False)
        case "csv" if is_text:
            return file.read().decode()
        case "csv":
            return np.loadtxt(file, delimiter=",", ndmin=2)
    return json.load(file)


def _array(data: Any) -> Any:
    import numpy as np

    return np.asarray(data)


if TYPE_CHECKING:
    _serializer: Serializer = _Unchanged("")
    _deserializer: Deserializer = _Raw("")
