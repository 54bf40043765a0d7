"""The graph of a lineage: columns, and arrows that pass between boxes."""

import re
from typing import cast

from tests.support.pages import parsed

from mnist_tracking import Lineage, Workspace
from mnist_tracking.reading.lineage import Edge, Node
from mnist_tracking.reading.report.graph import graph

BOX_WIDTH = 188


def drawn(edges: list[tuple[str, str]]) -> tuple[dict[str, tuple[float, float]], list[list[float]]]:
    """Return where the boxes of a graph are, and the numbers in each arrow's path."""
    names = dict.fromkeys(name for edge in edges for name in edge)
    nodes = tuple(Node(name, "step", f"s3://bucket/{name}") for name in names)
    lineage = Lineage("trial", (), nodes, tuple(Edge(*edge, "makes") for edge in edges), cast("Workspace", None))
    svg = parsed(graph(lineage))
    boxes = {
        box.all("text")[1].text: (float(box.one("rect")["x"]), float(box.one("rect")["y"]))
        for box in svg.all(class_="node")
    }
    return boxes, [[float(n) for n in re.findall(r"-?[\d.]+", path["d"])] for path in svg.all(class_="edge")]


def test_everything_is_to_the_right_of_what_it_was_made_from() -> None:
    edges = [
        ("data", "cleaning"),
        ("cleaning", "rows"),
        ("rows", "job"),
        ("code", "job"),
        ("data", "job"),
        ("job", "model"),
    ]
    boxes, arrows = drawn(edges)

    assert all(boxes[source][0] + BOX_WIDTH < boxes[target][0] for source, target in edges)
    assert boxes["code"][0] == boxes["rows"][0]  # just before what it goes into
    for (source, target), path in zip(edges, arrows, strict=True):
        assert path[:2] == [boxes[source][0] + BOX_WIDTH, boxes[source][1] + 22]
        assert path[-2:] == [boxes[target][0], boxes[target][1] + 22]


def test_boxes_of_a_column_do_not_overlap_and_an_arrow_passes_beside_them() -> None:
    boxes, arrows = drawn([("data", "cleaning"), ("cleaning", "job"), ("data", "job"), ("other", "job")])
    between = [y for x, y in boxes.values() if x == boxes["cleaning"][0]]
    lane = arrows[2][7]  # where the arrow from the data ends its first bend

    assert len(between) == 2
    assert abs(between[0] - between[1]) > 44
    assert all(lane < top or lane > top + 44 for top in between)


def test_a_circle_and_a_missing_node_end() -> None:
    boxes, arrows = drawn([("a", "b"), ("b", "a")])
    alone = Lineage("trial", (), (Node("a", "step", "a"),), (Edge("a", "gone", "makes"),), cast("Workspace", None))

    assert len(boxes) == len(arrows) == 2
    assert not parsed(graph(alone)).all(class_="edge")
