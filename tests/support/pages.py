"""HTML pages, read strictly, and driven in a real browser."""

import base64
import hashlib
import html
import json
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

BROWSER = shutil.which("chromium")
needs_browser = pytest.mark.skipif(BROWSER is None, reason="needs chromium on the PATH")

HOSTILE = "</script><script>alert('1')</script>\x1b[31m\u202e\" & <b>"
"""Text that would leave its element, its attribute, its colour or its direction."""

_CHILDLESS = {"meta", "link", "img", "input", "br", "wbr", "col"}


class Element:
    """An element with its attributes, its children, and the text in it."""

    def __init__(self, name: str, attributes: dict[str, str]) -> None:
        self.name, self.attributes = name, attributes
        self.children: list[Element | str] = []

    def __getitem__(self, attribute: str) -> str:
        return self.attributes[attribute]

    @property
    def text(self) -> str:
        return "".join(child if isinstance(child, str) else child.text for child in self.children)

    def all(self, name: str | None = None, **attributes: str) -> "list[Element]":
        """Return the elements in it, in order, of a name and with some attributes; a class is one of several."""
        found = []
        for child in self.children:
            if isinstance(child, Element):
                if (name is None or child.name == name) and child._has(attributes):
                    found.append(child)
                found += child.all(name, **attributes)
        return found

    def one(self, name: str | None = None, **attributes: str) -> "Element":
        (found,) = self.all(name, **attributes)
        return found

    def _has(self, attributes: dict[str, str]) -> bool:
        return all(
            value in self.attributes.get("class", "").split()
            if key == "class_"
            else self.attributes.get(key.replace("_", "-")) == value
            for key, value in attributes.items()
        )

    @property
    def cells(self) -> list[list[str]]:
        """The text of a table, row by row."""
        return [[cell.text for cell in row.children if isinstance(cell, Element)] for row in self.all("tr")]


class _Parser(HTMLParser):
    """Builds the tree, and fails where a browser would have to guess."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Element("", {})
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"<{tag}> has an attribute twice: {names}"
        element = Element(tag, {name: value or "" for name, value in attrs})
        self._open[-1].children.append(element)
        if tag not in _CHILDLESS:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop().name == tag, f"</{tag}> closes another element"

    def handle_data(self, data: str) -> None:
        self._open[-1].children.append(data)

    def close(self) -> None:
        super().close()
        assert self._open == [self.root], f"<{self._open[-1].name}> is never closed"


def parsed(source: str) -> Element:
    """Return the elements of a page, or of a part of one."""
    parser = _Parser()
    parser.feed(source)
    parser.close()
    return parser.root


class Page:
    """A page that was written, as a tree of elements."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.source = path.read_text("utf-8")
        self.root = parsed(self.source)

    @property
    def data(self) -> Any:
        """The JSON in it."""
        return json.loads(self.root.one("script", id="data").text)

    def section(self, name: str) -> Element:
        return self.root.one("section", id=name)

    def driven(self, script: str) -> Any:
        """
        Run a function of JavaScript in a copy of the page in a browser, and return its JSON value.

        Its policy allows this one more script, and nothing else that it did not allow before.
        """
        code = (
            'addEventListener("load", () => { const made = document.createElement("pre"); made.id = "driven";'
            f"made.textContent = JSON.stringify(({script})()); document.body.append(made); }});"
        )
        digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
        source = self.source.replace("script-src ", f"script-src 'sha256-{digest}' ", 1)
        copy = self.path.with_name(f"driven-{self.path.name}")
        copy.write_text(source.replace("</body>", f"<script>{code}</script></body>"), "utf-8")
        shown = browse(copy, "--dump-dom")
        found = shown.rpartition('<pre id="driven">')[2].partition("</pre>")[0]
        return json.loads(html.unescape(found))

    def in_frame(self, width: int, height: int = 800) -> "Page":
        """Return a page that shows this one in a frame: a browser's own window cannot be as narrow as a phone."""
        frame = f'<iframe id="frame" srcdoc="{html.escape(self.source)}" width="{width}" height="{height}"></iframe>'
        path = self.path.with_name(f"frame-{self.path.name}")
        path.write_text(f"<!DOCTYPE html><html><body>{frame}</body></html>", "utf-8")
        return Page(path)

    def picture(self, target: Path, *, width: int = 1200, height: int = 1600, dark: bool = False) -> Path:
        """Draw the page in a browser, as a PNG."""
        scheme = [f"--blink-settings=preferredColorScheme={0 if dark else 1}"]
        browse(self.path, f"--screenshot={target}", f"--window-size={width},{height}", "--hide-scrollbars", *scheme)
        return target


def browse(page: Path, *flags: str) -> str:
    """Open a page in a browser without a window and without a network, and return what it prints."""
    command = [
        *(str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"),
        *("--disable-dev-shm-usage", "--no-first-run", f"--user-data-dir={page.parent / 'profile'}"),
        *flags,
        page.absolute().as_uri(),
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=True).stdout
