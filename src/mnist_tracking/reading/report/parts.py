"""The parts that sections are made of: sentences, tables, and regions that scroll."""

from collections.abc import Iterable, Mapping

from mnist_tracking.reading.report.markup import Markup, element

__all__ = ["data_table", "details", "facts_table", "scrolling", "sentence", "total"]


def sentence(content: str) -> Markup:
    """Return a paragraph of text."""
    return element("p", content, class_="lead")


def scrolling(label: str, content: Markup) -> Markup:
    """Return what may be wider than the page in a region that scrolls, with the keyboard too."""
    return element("div", content, class_="scroll", tabindex=0, role="region", aria_label=label)


def details(summary: str, *children: object) -> Markup:
    """Return what is shown when a reader opens it."""
    return element("details", element("summary", summary), *children)


def facts_table(title: str, values: Mapping[str, str]) -> Markup:
    """Return names and values below each other; nothing for an empty mapping."""
    rows = (element("tr", element("th", name, scope="row"), element("td", value)) for name, value in values.items())
    return element("table", element("caption", title), element("tbody", *rows), class_="facts") if values else Markup()


def data_table(caption: str, headings: Iterable[str], rows: Iterable[Iterable[object]]) -> Markup:
    """Return a table whose first column names the rows."""
    head = element("tr", *(element("th", heading, scope="col") for heading in headings))
    body = (
        element("tr", element("th", first, scope="row"), *(element("td", cell) for cell in cells))
        for first, *cells in rows
    )
    return element("table", element("caption", caption), element("thead", head), element("tbody", *body))


def total(values: Iterable[float | None]) -> float | None:
    """Return the sum of the values that are known; None if none is."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None
