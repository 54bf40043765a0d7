"""How things are said to people: counted, and cut to what fits."""

import html
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["cut", "html_table", "named", "plural", "short_repr", "without_details"]


def named(what: str, values: Mapping[str, object]) -> list[str]:
    """
    Return names and values as one indented line, or none if there are none.

    Example:
        >>> named("metrics", {"loss": 0.25, "epochs": 2})
        ['  metrics loss = 0.25, epochs = 2']
    """
    return [f"  {what} " + ", ".join(f"{name} = {value}" for name, value in values.items())] if values else []


def plural(count: int, kind: str) -> str:
    """
    Count things.

    Example:
        >>> plural(1, "trial"), plural(3, "S3 objects")
        ('1 trial', '3 S3 objects')
    """
    return f"{count} {kind}" if count == 1 or kind.endswith("s") else f"{count} {kind}s"


def cut(text: str, most: int) -> str:
    """
    Leave out the middle of a text that is longer than *most*, so that its beginning and its end can be told apart.

    Example:
        >>> cut("digits-20261124-171043-54e4d1", 16)
        'digits-2…-54e4d1'
    """
    if len(text) <= most:
        return text
    end = (most - 1) // 2
    return f"{text[: most - 1 - end]}…{text[-end:]}"


def without_details(names: Iterable[str], keep: Collection[str] = ()) -> list[str]:
    """
    Return names in order, without those that say more of another one, unless they are to be kept.

    Example:
        >>> without_details(["loss", "accuracy", "accuracy:0", "accuracy:1"], keep=["accuracy:1"])
        ['accuracy', 'accuracy:1', 'loss']
    """
    known = set(names)
    return [n for n in sorted(known) if n in keep or not any(n.startswith(f"{other}:") for other in known)]


def short_repr(value: object) -> str:
    """Return a value as an error shows it, in at most 80 characters."""
    shown = repr(value)
    return shown if len(shown) <= 80 else f"{shown[:77]}..."


_NOTHING = ("nan", "NaT", "<NA>")  # as pandas says it


def html_table(frame: "pd.DataFrame", *, title: str = "") -> str:
    """
    Return a frame as HTML for people: empty where there is no value, times to the second, and nothing unescaped.

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


def _cell(value: object) -> str:
    match value:
        case Mapping():
            return "<br>".join(f"{_text(str(name))} = {_cell(item) or 'None'}" for name, item in value.items())
        case _ if value is None or str(value) in _NOTHING:
            return ""
        case datetime():
            return f"{value:%Y-%m-%d %H:%M:%S}"
        case float():
            return f"{value:.6g}"
    return _text(str(value))


def _text(text: str) -> str:
    """Escape a text; a long location may be broken at its slashes."""
    escaped = html.escape(text)
    return escaped.replace("/", "/<wbr>") if "://" in text else escaped
