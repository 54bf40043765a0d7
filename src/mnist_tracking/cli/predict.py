"""``mnist-tracking predict``: ask an endpoint."""

import json
from pathlib import Path
from typing import Any, BinaryIO, Literal

import click

from mnist_tracking.cli.output import Form, format_option, plain, write_csv, write_json
from mnist_tracking.cli.settings import Settings
from mnist_tracking.errors import ConfigError

__all__ = ["predict"]

SendAs = Literal["numpy", "json", "csv"]


@click.command(short_help="Ask an endpoint.")
@click.argument("endpoint")
@click.argument("file", type=click.File("rb"), default="-")
@click.option("--dtype", help="The type of an array's values, such as uint8, which the digits' CNN takes.")
@click.option(
    "--send-as",
    type=click.Choice(["numpy", "json", "csv"]),
    help="What the data go as: an array, or the file's JSON or CSV as it is.  [default: numpy]",
)
@click.option("--probabilities", is_flag=True, help="Of the digits' CNN: all ten probabilities.")
@format_option()
@click.pass_obj
def predict(
    settings: Settings,
    *,
    endpoint: str,
    file: BinaryIO,
    dtype: str | None,
    send_as: SendAs | None,
    probabilities: bool,
    form: Form,
) -> None:
    """
    Ask an endpoint for the answers to the data in a file, or on standard input.

    FILE is an array: .npy, .csv (numbers with commas between them) or else JSON.

    \b
    Examples:
      mnist-tracking predict churn rows.csv
      echo '[[0.1, 2.0]]' | mnist-tracking predict churn --format json
      mnist-tracking predict digits images.npy --probabilities --format csv
    """  # noqa: D301 - click reads the backspace: keep these lines as they are
    data = _read(file, send_as, dtype)
    with settings.opened() as workspace:
        answers = plain(workspace.endpoint(endpoint, serializer=send_as).predict(data, probabilities=probabilities))
    if form == "json":
        write_json(answers)
        return
    rows = [_row(answer) for answer in (answers if isinstance(answers, list) else [answers])]
    if form == "csv":
        write_csv(rows)
    else:
        from mnist_tracking.cli.page import Page

        Page().table(rows, keep=1)


def _read(file: BinaryIO, send_as: SendAs | None, dtype: str | None) -> Any:
    """Read the data as they will be sent: a JSON document, CSV as text, or an array."""
    import numpy as np

    name = str(getattr(file, "name", "<stdin>"))
    kind = Path(name).suffix
    try:
        if send_as == "csv":
            return file.read().decode()
        if send_as == "json":
            return json.load(file)
        if kind == ".npy":
            array = np.load(file, allow_pickle=False)
        elif kind == ".csv":
            array = np.loadtxt(file, delimiter=",", ndmin=2)
        else:
            array = np.asarray(json.load(file))
        return array if dtype is None else array.astype(dtype)
    except (ValueError, EOFError, TypeError) as error:
        raise ConfigError(f"{name!r} cannot be read as {send_as or kind.lstrip('.') or 'JSON'}: {error}") from error


def _row(answer: Any) -> dict[str, object]:
    """Return an answer by heading: several values are numbered."""
    match answer:
        case list():
            return {str(place): value for place, value in enumerate(answer)}
        case dict():
            return answer
    return {"answer": answer}
