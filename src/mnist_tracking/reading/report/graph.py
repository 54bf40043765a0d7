"""The graph of a lineage, as SVG: what everything was made from stands to the left of it."""

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from mnist_tracking._values.text import ellipsize, plural
from mnist_tracking.reading.lineage import Edge, Lineage, Node
from mnist_tracking.reading.report.markup import Markup, element

__all__ = ["graph"]

_BOX_WIDTH, _BOX_HEIGHT = 188, 44
_GAP_X, _GAP_Y, _MARGIN = 56, 16, 6
_LANE = 8  # the height of an edge that passes through a column
_MOST_LETTERS = 26

Place = str | tuple[str, str, int]
"""A node, by its id, or an edge in a column that it passes through."""


def graph(lineage: Lineage) -> Markup:
    """Draw the nodes of a lineage in columns, and an arrow for each edge."""
    depth = _depths(lineage.nodes, lineage.edges)
    paths = [_path(edge, depth) for edge in lineage.edges if {edge.source, edge.target} <= depth.keys()]
    columns = _columns(depth, paths)
    height = max((_height(column) for column in columns), default=0)
    places: dict[Place, tuple[float, float]] = {}
    for x, column in enumerate(columns):
        places |= _stacked(column, _MARGIN + x * (_BOX_WIDTH + _GAP_X), _MARGIN + (height - _height(column)) / 2)
    width = len(columns) * (_BOX_WIDTH + _GAP_X) - _GAP_X + 2 * _MARGIN
    return element(
        "svg",
        element("defs", _arrow_head()),
        *(_arrow([places[place] for place in path]) for path in paths),
        *(_box(node, *places[node.id]) for node in lineage.nodes),
        class_="chart graph",
        viewBox=f"0 0 {width} {height + 2 * _MARGIN:g}",
        width=width,
        height=f"{height + 2 * _MARGIN:g}",
        role="img",
        aria_label=f"Lineage of {lineage.trial}: {plural(len(lineage.nodes), 'node')}. The table below lists them.",
    )


def _depths(nodes: Sequence[Node], edges: Iterable[Edge]) -> dict[str, int]:
    """Return each node's column: after all its sources, and a node without sources just before what it goes into."""
    depth = {node.id: 0 for node in nodes}
    known = [edge for edge in edges if {edge.source, edge.target} <= depth.keys()]
    for _ in nodes:  # the longest path has fewer edges
        before = dict(depth)
        for edge in known:
            depth[edge.target] = max(depth[edge.target], min(depth[edge.source] + 1, len(nodes)))
        if depth == before:
            break
    targets = {edge.target for edge in known}
    for node in nodes:
        after = [depth[edge.target] for edge in known if edge.source == node.id]
        if node.id not in targets and after:
            depth[node.id] = max(min(after) - 1, 0)
    return depth


def _path(edge: Edge, depth: Mapping[str, int]) -> list[Place]:
    """Return an edge's places: its ends, and one in each column between."""
    between = range(depth[edge.source] + 1, depth[edge.target])
    return [edge.source, *((edge.source, edge.target, column) for column in between), edge.target]


def _columns(depth: Mapping[str, int], paths: Iterable[Sequence[Place]]) -> list[list[Place]]:
    """Order each column by where its sources are in the column before."""
    found: list[list[Place]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for name, number in depth.items():
        found[number].append(name)
    sources: dict[Place, list[Place]] = {}
    for path in paths:
        for place in path[1:-1]:
            if not isinstance(place, str):
                found[place[2]].append(place)
        for source, target in pairwise(path):
            sources.setdefault(target, []).append(source)
    for before, column in pairwise(found):
        rank = {place: number for number, place in enumerate(before)}
        where = {place: [rank[s] for s in sources.get(place, ()) if s in rank] for place in column}
        column.sort(key=lambda place: sum(where[place]) / len(where[place]) if where[place] else len(rank))
    return found


def _tall(place: Place) -> int:
    return _BOX_HEIGHT if isinstance(place, str) else _LANE


def _height(column: Sequence[Place]) -> float:
    return sum(map(_tall, column)) + _GAP_Y * (len(column) - 1)


def _stacked(column: Iterable[Place], x: float, y: float) -> dict[Place, tuple[float, float]]:
    """Return the left end and the middle of each place, from the top."""
    found = {}
    for place in column:
        found[place] = (x, y + _tall(place) / 2)
        y += _tall(place) + _GAP_Y
    return found


def _arrow_head() -> Markup:
    head = element("path", d="M0 0L8 4L0 8z", class_="head")
    return element(
        "marker", head, id="arrow", viewBox="0 0 8 8", refX=8, refY=4, markerWidth=7, markerHeight=7, orient="auto"
    )


def _arrow(places: Sequence[tuple[float, float]]) -> Markup:
    """Draw a line along the right end of one place to the left end of the next, and straight through those between."""
    path = f"M{places[0][0] + _BOX_WIDTH:g} {places[0][1]:g}"
    for (left, y), (right, end) in pairwise(places):
        start, bend = left + _BOX_WIDTH, _GAP_X / 2
        path += f"H{start:g}C{start + bend:g} {y:g} {right - bend:g} {end:g} {right:g} {end:g}"
    return element("path", class_="edge", d=path, marker_end="url(#arrow)")


def _box(node: Node, x: float, y: float) -> Markup:
    top = y - _BOX_HEIGHT / 2
    name = re.split("[/#]", node.label.rstrip("/"))[-1]
    return element(
        "g",
        element("title", f"{node.kind}: {node.label}"),
        element("rect", x=x, y=f"{top:g}", width=_BOX_WIDTH, height=_BOX_HEIGHT, rx=6),
        element("text", node.kind, x=x, y=f"{top:g}", dx=10, dy=18, class_="kind"),
        element("text", ellipsize(name, _MOST_LETTERS), x=x, y=f"{top:g}", dx=10, dy=34),
        class_=f"node {node.kind.replace(' ', '-')}",
    )
