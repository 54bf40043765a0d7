"""
Text for people: counts, numbers, shortened names, and tables in notebooks.

What only a few functions need is imported there: supervisors import this module and must start quickly.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "did_you_mean",
    "ellipsize",
    "html_table",
    "last_redraw",
    "main_metrics",
    "markdown_table",
    "named",
    "nearest",
    "number",
    "plural",
    "printable",
    "redraws",
    "short_repr",
    "value_text",
]


_SEQUENCES = re.compile(  # of ECMA-48: CSI, then OSC and other strings, then short ones
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[ -/]*[0-~]"
)
CONTROLS = [*range(9), 11, 12, *range(14, 32), *range(0x7F, 0xA0), 0x61C, 0x200E, 0x200F, 0x2028, 0x2029]
CONTROLS += [*range(0x202A, 0x202F), *range(0x2066, 0x206A), *range(0xD800, 0xE000)]  # bidirectional, surrogates
"""The code points of characters that a terminal may obey, or cannot show; without tabs and the ends of lines."""
_VISIBLE = dict.fromkeys(CONTROLS, "\N{REPLACEMENT CHARACTER}")


def printable(text: str) -> str:
    r"""
    Return text of others as a terminal may show it: it moves no cursor, sets no title, and hides and reorders nothing.

    Escape sequences are removed, colours too. Other control characters become visible, except tabs and newlines; a
    carriage return becomes a newline.

    Example:
        >>> print(printable("\x1b[31mred\x1b[0m, \x1b]0;title\x07no title, \u202egnp.exe"))
        red, no title, �gnp.exe
    """
    plain = _SEQUENCES.sub("", text).replace("\r\n", "\n").replace("\r", "\n")
    return plain.translate(_VISIBLE)


def named(what: str, values: Mapping[str, object]) -> list[str]:
    """
    Return names and values as one indented line; no line if there are no values.

    Example:
        >>> named("metrics", {"loss": 0.25, "epochs": 2})
        ['  metrics loss = 0.25, epochs = 2']
    """
    return [f"  {what} " + ", ".join(f"{name} = {value}" for name, value in values.items())] if values else []


def plural(count: int, kind: str) -> str:
    """
    Return a count with its noun, in the plural where needed.

    Example:
        >>> plural(1, "trial"), plural(3, "S3 objects")
        ('1 trial', '3 S3 objects')
    """
    return f"{count} {kind}" if count == 1 or kind.endswith("s") else f"{count} {kind}s"


_REDRAWN = re.compile(r"\r|#015")  # SageMaker's logs have the second in place of the first: awslabs/gluonts#810


def redraws(line: str) -> list[str]:
    r"""
    Return the states of a progress bar, which is drawn again after each ``\r``; of another line, the line itself.

    Example:
        >>> redraws("10%\r50%\r100%"), redraws("#015 10%#015 50%"), redraws("done"), redraws("")
        (['10%', '50%', '100%'], [' 10%', ' 50%'], ['done'], [])
    """
    return [part for part in _REDRAWN.split(line) if part]


def last_redraw(line: str) -> str:
    r"""
    Return what a terminal shows of a line: the last state of a progress bar.

    Example:
        >>> last_redraw("10%\r50%\r100%")
        '100%'
    """
    return "".join(redraws(line)[-1:])


def ellipsize(text: str, width: int) -> str:
    """
    Replace the middle of a string that is longer than *width* by an ellipsis.

    Example:
        >>> ellipsize("digits-20261124-171043-54e4d1", 16)
        'digits-2…-54e4d1'
    """
    if len(text) <= width:
        return text
    end = (width - 1) // 2
    return f"{text[: width - 1 - end]}…{text[-end:]}"


def main_metrics(names: Iterable[str], keep: Collection[str] = ()) -> list[str]:
    """
    Return the names of metrics in order, without those that refine another one, except the ones in *keep*.

    Example:
        >>> main_metrics(["loss", "accuracy", "accuracy:0", "accuracy:1"], keep=["accuracy:1"])
        ['accuracy', 'accuracy:1', 'loss']
    """
    known = set(names)
    return [n for n in sorted(known) if n in keep or not any(n.startswith(f"{other}:") for other in known)]


def number(value: float) -> str:
    """
    Return a number for people, with up to six significant digits.

    Example:
        >>> number(97.34567891), number(2.0), number(1e-05)
        ('97.3457', '2', '1e-05')
    """
    return f"{value:.6g}"


def value_text(value: object) -> str:
    """
    Return the value of a parameter for people: a number as `number` does.

    Example:
        >>> value_text(0.1 + 0.2), value_text("sgd"), value_text(True)
        ('0.3', 'sgd', 'True')
    """
    return number(value) if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


def duration(seconds: int) -> str:
    """
    Return whole seconds in hours, minutes and seconds.

    Example:
        >>> duration(86_400), duration(5_445), duration(90)
        ('24 h', '1 h 30 min 45 s', '1 min 30 s')
    """
    minutes, rest = divmod(seconds, 60)
    counts = {"h": minutes // 60, "min": minutes % 60, "s": rest}
    return " ".join(f"{count} {unit}" for unit, count in counts.items() if count) or "0 s"


def short_repr(value: object) -> str:
    """Return a value's repr for an error message, in at most 80 characters."""
    shown = repr(value)
    return shown if len(shown) <= 80 else f"{shown[:77]}..."


def nearest(name: str, known: Iterable[str], most: int = 5) -> list[str]:
    """
    Return the known names most like *name*, the most similar first, and then others, *most* at most.

    Example:
        >>> nearest("chrun", ["lines", "churn", "digits"], most=2)
        ['churn', 'lines']
    """
    import difflib

    names = list(known)
    close = difflib.get_close_matches(name, names, n=most, cutoff=0.4)
    return [*close, *(other for other in names if other not in close)][:most]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """
    Return a question that suggests similar names, to append to an error message; empty if none is similar.

    Example:
        >>> did_you_mean("epoch", ["epochs", "lr"]), did_you_mean("momentum", ["epochs", "lr"])
        (" Did you mean 'epochs'?", '')
    """
    import difflib

    close = difflib.get_close_matches(name, list(known), n=3)
    return f" Did you mean {' or '.join(map(repr, close))}?" if close else ""


_MISSING = ("nan", "NaT", "<NA>")  # as pandas prints them


def html_table(frame: "pd.DataFrame", *, title: str = "") -> str:
    """
    Return a frame as HTML: missing values are empty, times are to the second, and everything is escaped.

    Example:
        >>> import pandas as pd
        >>> page = html_table(pd.DataFrame({"name": ["a<b"], "parameters": [{"C": 1.0, "rows": 3}], "none": [None]}))
        >>> [line.strip() for line in page.splitlines() if "<td>" in line]
        ['<td>a&lt;b</td>', '<td>C = 1<br>rows = 3</td>', '<td></td>']
    """
    shown = frame.astype(object).map(_cell)
    shown.columns = [_text(str(name)) for name in frame.columns]
    head = f"<p>{_text(title)}</p>" if title else ""
    return head + str(shown.to_html(index=False, escape=False))


def markdown_table(frame: "pd.DataFrame") -> str:
    r"""
    Return a frame as a table in Markdown, with the cells of `html_table`; as `printable`, it may be printed.

    Example:
        >>> import pandas as pd
        >>> print(markdown_table(pd.DataFrame({"name": ["a|b", "<b>"], "loss": [0.123456789, None]})))
        | name | loss |
        | --- | --- |
        | a\|b | 0.123457 |
        | &lt;b&gt; |  |
    """
    rows = [[_text(str(name)) for name in frame.columns], ["---"] * len(frame.columns)]
    rows += [[_cell(value) for value in row] for row in frame.astype(object).itertuples(index=False, name=None)]
    escaped = (["<br>".join(cell.replace("|", "\\|").splitlines()) for cell in row] for row in rows)
    return printable("\n".join(f"| {' | '.join(row)} |" for row in escaped))


def _cell(value: object) -> str:
    match value:
        case Mapping():
            return "<br>".join(f"{_text(str(name))} = {_cell(item) or 'None'}" for name, item in value.items())
        case _ if value is None or str(value) in _MISSING:
            return ""
        case datetime():
            return f"{value:%Y-%m-%d %H:%M:%S}"
        case float():
            return number(value)
    return _text(str(value))


def _text(text: str) -> str:
    """Escape a string; a long URI may be broken at its slashes."""
    import html

    escaped = html.escape(text)
    return escaped.replace("/", "/<wbr>") if "://" in text else escaped
