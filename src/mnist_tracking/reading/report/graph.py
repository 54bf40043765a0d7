"""The graph of a lineage, as SVG: what everything was made from stands to the left of it."""

from collections.abc import Mapping, Sequence

from mnist_tracking._values.text import ellipsize, plural
from mnist_tracking.reading.lineage import Edge, Lineage, Node
from mnist_tracking.reading.report.markup import Markup, element

__all__ = ["graph"]

_BOX_WIDTH, _BOX_HEIGHT = 188, 44
_GAP_X, _GAP_Y, _MARGIN = 56, 16, 6
_MOST_LETTERS = 27


def graph(lineage: Lineage, folder: str) -> Markup:
    """Draw the nodes of a lineage in columns, and an arrow for each edge; names leave out *folder*."""
    columns = _columns(lineage.nodes, lineage.edges)
    tallest = max(map(len, columns), default=1)
    boxes = {
        node.id: (_MARGIN + x * (_BOX_WIDTH + _GAP_X), _top(y, len(column), tallest))
        for x, column in enumerate(columns)
        for y, node in enumerate(column)
    }
    width = 2 * _MARGIN + len(columns) * (_BOX_WIDTH + _GAP_X) - _GAP_X
    height = 2 * _MARGIN + tallest * (_BOX_HEIGHT + _GAP_Y) - _GAP_Y
    return element(
        "svg",
        element("defs", _arrow_head()),
        *(_arrow(edge, boxes) for edge in lineage.edges if {edge.source, edge.target} <= boxes.keys()),
        *(_box(node, *boxes[node.id], folder) for node in lineage.nodes),
        class_="chart graph",
        viewBox=f"0 0 {width} {height}",
        width=width,
        height=height,
        role="img",
        aria_label=f"Lineage of {lineage.trial}: {plural(len(lineage.nodes), 'node')}. The table below lists them.",
    )


def _columns(nodes: Sequence[Node], edges: Sequence[Edge]) -> list[list[Node]]:
    """Place every node one column after the last of its sources; nodes come upstream first."""
    depth = {node.id: 0 for node in nodes}
    known = [edge for edge in edges if {edge.source, edge.target} <= depth.keys()]
    for _ in nodes:  # the longest path has fewer edges
        before = dict(depth)
        for edge in known:
            depth[edge.target] = max(depth[edge.target], min(depth[edge.source] + 1, len(nodes)))
        if depth == before:
            break
    found: list[list[Node]] = [[] for _ in range(max(depth.values(), default=0) + 1)]
    for node in nodes:
        found[depth[node.id]].append(node)
    return [column for column in found if column]


def _top(place: int, count: int, tallest: int) -> float:
    return _MARGIN + (place + (tallest - count) / 2) * (_BOX_HEIGHT + _GAP_Y)


def _arrow_head() -> Markup:
    return element(
        "marker",
        element("path", d="M0 0L8 4L0 8z", class_="head"),
        id="arrow",
        viewBox="0 0 8 8",
        refX=8,
        refY=4,
        markerWidth=7,
        markerHeight=7,
        orient="auto",
    )


def _arrow(edge: Edge, boxes: Mapping[str, tuple[float, float]]) -> Markup:
    (left, top), (right, bottom) = boxes[edge.source], boxes[edge.target]
    x, y, end = left + _BOX_WIDTH, top + _BOX_HEIGHT / 2, bottom + _BOX_HEIGHT / 2
    bend = max((right - x) / 2, _GAP_X / 2)
    path = f"M{x:g} {y:g}C{x + bend:g} {y:g} {right - bend:g} {end:g} {right - 1:g} {end:g}"
    return element("path", class_="edge", d=path, marker_end="url(#arrow)")


def _box(node: Node, x: float, y: float, folder: str) -> Markup:
    name = node.label.removeprefix(folder)
    return element(
        "g",
        element("title", f"{node.kind}: {node.label}"),
        element("rect", x=x, y=y, width=_BOX_WIDTH, height=_BOX_HEIGHT, rx=6),
        element("text", node.kind, x=x, y=y, dx=10, dy=18, class_="kind"),
        element("text", ellipsize(name, _MOST_LETTERS), x=x, y=y, dx=10, dy=34),
        class_=f"node {node.kind.replace(' ', '-')}",
    )
