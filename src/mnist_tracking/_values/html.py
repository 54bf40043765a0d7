"""How a notebook shows a table."""

import html
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["html_table"]

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
