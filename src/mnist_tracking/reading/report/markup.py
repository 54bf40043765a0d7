"""HTML and SVG, put together so that the text of others stays text."""

import html
from functools import lru_cache

from mnist_tracking._values.text import printable

__all__ = ["Markup", "element", "joined", "text"]

_CHILDLESS = {"meta", "link", "img", "input", "br", "wbr", "col"}
_SELF_CLOSING = {"path", "circle", "rect", "line", "use"}


class Markup(str):
    """A string that is HTML; any other string is text, and is escaped."""

    __slots__ = ()


def text(content: object) -> Markup:
    r"""
    Return any string as HTML that shows it, control characters included.

    Example:
        >>> text("<b>\x1b[31m & \u202e"), text(Markup("<b>"))
        ('&lt;b&gt; &amp; �', '<b>')
    """
    return content if isinstance(content, Markup) else Markup(html.escape(printable(str(content))))


def element(name: str, /, *children: object, **attributes: object) -> Markup:
    """
    Return an element; an attribute that is None or False is left out, and ``_`` in its name is a hyphen.

    Example:
        >>> element("td", "a<b", class_="number", data_i=3, hidden=True, title=None)
        '<td class="number" data-i="3" hidden>a&lt;b</td>'
    """
    written = "".join(
        f" {_attribute(key)}" if value is True else f' {_attribute(key)}="{text(value)}"'
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if name in _CHILDLESS:
        return Markup(f"<{name}{written}>")
    if name in _SELF_CLOSING and not children:
        return Markup(f"<{name}{written}/>")
    return Markup(f"<{name}{written}>{joined(children)}</{name}>")


@lru_cache
def _attribute(keyword: str) -> str:
    return keyword.rstrip("_").replace("_", "-")


def joined(children: object) -> Markup:
    """Return several pieces of text and HTML one after the other."""
    return Markup("".join(map(text, children)))  # type: ignore[call-overload]
