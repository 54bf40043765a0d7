"""The graph of a lineage: what is read and written, and by which step."""

from typing import TYPE_CHECKING, Literal

import attrs

from mnist_tracking._aws.analytics import analytics_frame
from mnist_tracking._values.html import html_table
from mnist_tracking._values.records import Component
from mnist_tracking._values.text import plural
from mnist_tracking._values.where import parent
from mnist_tracking.reading.lineage_overview import overview

if TYPE_CHECKING:
    import pandas as pd

    from mnist_tracking.workspace import Workspace

__all__ = ["Edge", "Lineage", "Node"]

Kind = Literal["data", "preprocessing", "code", "training job", "model", "deployment", "endpoint", "step", "artifact"]


@attrs.frozen
class Node:
    """
    One thing in a lineage.

    Attributes:
        id: What identifies it: an S3 location, an ARN or the name of a component.
        kind: What it is.
        label: A short name for people.
    """

    id: str
    kind: Kind
    label: str


@attrs.frozen
class Edge:
    """
    What flowed from one thing to another.

    Attributes:
        source: The id of the node upstream.
        target: The id of the node downstream.
        label: How, such as ``"reads"``.
    """

    source: str
    target: str
    label: str


@attrs.frozen(repr=False)
class Lineage:
    """
    Everything that went into the model of one trial, and what came of it. A snapshot.

    Attributes:
        trial_name: The trial.
        components: Its steps, in order of creation.
        nodes: The things, upstream first.
        edges: What flowed between them.
    """

    trial_name: str
    components: tuple[Component, ...]
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    _workspace: "Workspace" = attrs.field(eq=False, alias="workspace")

    def __repr__(self) -> str:
        counts = f"{plural(len(self.components), 'step')}, {plural(len(self.nodes), 'node')}"
        return f"<Lineage of {self.trial_name!r}: {counts}>"

    def __str__(self) -> str:
        width = max((len(node.kind) for node in self.nodes), default=0)
        lines = [f"{node.kind:<{width}}  {node.label}" for node in self.nodes]
        return "\n".join([f"lineage of {self.trial_name}", *lines])

    def _repr_html_(self) -> str:
        import pandas as pd

        folder, rows = overview(self)
        title = f"lineage of {self.trial_name}" + (f", locations below {folder}" if folder else "")
        return html_table(pd.DataFrame(rows, columns=["what", "made from", "name"]), title=title)

    def upstream(self, node_id: str) -> tuple[Node, ...]:
        """Return the nodes that flow directly into one."""
        sources = {edge.source for edge in self.edges if edge.target == node_id}
        return tuple(node for node in self.nodes if node.id in sources)

    def dataframe(self) -> "pd.DataFrame":
        """Return the reference's table: a row per step in order of creation, as ``ExperimentAnalytics`` gives it."""
        return analytics_frame(self._workspace, [parent("trial") == self.trial_name])
