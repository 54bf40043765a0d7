"""``mnist-tracking predict``: ask an endpoint."""

from typing import TYPE_CHECKING, Any, BinaryIO

import click

from mnist_tracking.cli.output import Form, format_option, to_json, write_csv, write_json
from mnist_tracking.cli.payload import FORMATS, AsItComes, AsItIs, read_payload
from mnist_tracking.cli.sections import SectionedCommand, options_in
from mnist_tracking.cli.settings import Settings

if TYPE_CHECKING:
    from mnist_tracking._values.formats import Format

__all__ = ["predict"]

_NAMES = click.Choice(FORMATS)
_FORMATS = options_in(
    "What goes and what comes",
    (("--serializer",), {"type": _NAMES, "help": "What the data go as.  [default: as deployed, else numpy]"}),
    (("--deserializer",), {"type": _NAMES, "help": "How answers are read.  [default: as --serializer]"}),
    (
        ("--content-type",),
        {"metavar": "TYPE", "help": "Send the file as it is, as this: image/png. In place of --serializer."},
    ),
    (
        ("--accept",),
        {"metavar": "TYPE", "help": "Ask for this, and write it as it comes. In place of --deserializer."},
    ),
    (("--dtype",), {"help": "Of an array's values, such as uint8, which the digits' CNN takes."}),
    (("--probabilities",), {"is_flag": True, "help": "Of the digits' CNN: all ten probabilities."}),
)


@click.command(cls=SectionedCommand, short_help="Ask an endpoint.")
@click.argument("endpoint")
@click.argument("file", type=click.File("rb"), default="-")
@_FORMATS
@format_option()
@click.pass_obj
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
    Ask an endpoint for the answers to the data in a file, or on standard input.

    FILE is an array: .npy, .csv (numbers with commas between them) or else JSON. It goes as it is with --serializer
    bytes or --content-type, and CSV does with --serializer csv. An answer that is bytes is written as it comes.

    \b
    Examples:
      mnist-tracking predict churn rows.csv
      echo '[[0.1, 2.0]]' | mnist-tracking predict churn --format json
      mnist-tracking predict digits images.npy --probabilities --format csv
      mnist-tracking predict digits seven.png --content-type image/png
    """  # noqa: D301 - click reads the backspace: keep these lines as they are
    from mnist_tracking._values.formats import formats_in

    _refuse_both("--serializer", serializer, "--content-type", content_type)
    _refuse_both("--deserializer", deserializer, "--accept", accept)
    with settings.opened() as workspace:
        found = workspace.endpoint(
            endpoint,
            serializer=AsItIs(content_type) if content_type else serializer,
            deserializer=AsItComes(accept) if accept else deserializer,
        )
        sent_as = "bytes" if content_type else serializer or formats_in(found.adapter)[0]
        options = {"probabilities": True} if probabilities else {}
        answers = found.predict(read_payload(file, sent_as, dtype), **options)
    _write(answers, form)


def _refuse_both(one: str, given: str | None, other: str, also: str | None) -> None:
    if given and also:
        raise click.UsageError(f"{one} and {other} say the same; give one of them.")


def _write(answers: Any, form: Form) -> None:
    if isinstance(answers, bytes):
        click.echo(answers, nl=False)
        return
    answers = to_json(answers)
    if form == "json":
        write_json(answers)
        return
    rows = [_row(answer) for answer in (answers if isinstance(answers, list) else [answers])]
    if form == "csv":
        write_csv(rows)
    else:
        from mnist_tracking.cli.page import Page

        Page().table(rows, keep=1)


def _row(answer: Any) -> dict[str, object]:
    """Return an answer by heading: several values are numbered."""
    match answer:
        case list():
            return {str(place): value for place, value in enumerate(answer)}
        case dict():
            return answer
    return {"answer": answer}
