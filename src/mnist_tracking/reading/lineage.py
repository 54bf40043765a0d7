"""LineageTracer: everything that went into one model, and what was made from it."""

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

import attrs

from mnist_tracking._aws.account import Account, check_account
from mnist_tracking._aws.analytics import analytics_frame
from mnist_tracking._aws.experiments import require_trial
from mnist_tracking._aws.search import components_of
from mnist_tracking._values.records import Component, NamedTrial, trial_name_of
from mnist_tracking._values.text import html_table, plural, printable
from mnist_tracking._values.where import parent

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Edge", "Lineage", "LineageTracer", "Node"]

NodeKind = Literal[
    "data", "preprocessing", "code", "training job", "model", "deployment", "endpoint", "step", "artifact"
]


@attrs.frozen
class Node:
    """
    A node of a lineage graph.

    Attributes:
        id: Its S3 location, ARN, or component name.
        kind: What it is.
        label: Its name for people.
    """

    id: str
    kind: NodeKind
    label: str


@attrs.frozen
class Edge:
    """
    A directed edge of a lineage graph.

    Attributes:
        source: The id of the node upstream.
        target: The id of the node downstream.
        label: The relation, such as ``"is read by"``.
    """

    source: str
    target: str
    label: str


@attrs.frozen(repr=False)
class Lineage:
    """
    Everything that went into the model of one trial, and what was made from it. A snapshot.

    Attributes:
        trial: The name of the trial.
        components: Its steps, in order of creation.
        nodes: Data, steps, code, jobs, models and endpoints, upstream first.
        edges: How they are connected.
    """

    trial: str
    components: tuple[Component, ...]
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    _account: Account = attrs.field(eq=False, alias="account")

    def __repr__(self) -> str:
        counts = f"{plural(len(self.components), 'step')}, {plural(len(self.nodes), 'node')}"
        return f"<Lineage of {self.trial!r}: {counts}>"

    def __str__(self) -> str:
        width = max((len(node.kind) for node in self.nodes), default=0)
        lines = [f"{node.kind:<{width}}  {node.label}" for node in self.nodes]
        return printable("\n".join([f"lineage of {self.trial}", *lines]))

    def _repr_html_(self) -> str:
        import pandas as pd

        folder, rows = overview(self)
        title = f"lineage of {self.trial}" + (f", locations below {folder}" if folder else "")
        return html_table(pd.DataFrame(rows, columns=["what", "made from", "name"]), title=title)

    def upstream(self, node_id: str) -> tuple[Node, ...]:
        """Return the nodes directly upstream of a node."""
        sources = {edge.source for edge in self.edges if edge.target == node_id}
        return tuple(node for node in self.nodes if node.id in sources)

    def dataframe(self) -> "pd.DataFrame":
        """Return a row per step in order of creation, with the columns of the SDK's ``ExperimentAnalytics``."""
        parents = {component.name: component.parents for component in self.components}
        return analytics_frame(self._account, parents, [parent("trial") == self.trial])


def overview(lineage: "Lineage") -> tuple[str, list[dict[str, object]]]:
    """
    Return the S3 folder that all its locations share, and a row per node, upstream first.

    The folder ends with a slash, or is empty; the names in the rows leave it out.
    """
    folder = _common_folder(node.label for node in lineage.nodes)
    rows: list[dict[str, object]] = []
    for node in lineage.nodes:
        sources = dict.fromkeys(source.kind for source in lineage.upstream(node.id))
        rows.append({"what": node.kind, "made from": ", ".join(sources), "name": node.label.removeprefix(folder)})
    return folder, rows


def _common_folder(labels: Iterable[str]) -> str:
    """Return the S3 folder that all S3 locations share, with a trailing slash; empty if they share none."""
    common = os.path.commonprefix([label for label in labels if label.startswith("s3://")])  # noqa: RUF071 - cut at a slash below
    folder = common[: common.rfind("/") + 1]
    return folder if folder != "s3://" else ""


_STEP_KINDS: dict[str, NodeKind] = {"Preprocessing": "preprocessing", "Deployment": "deployment"}


class LineageTracer:
    """
    Traces what went into a model. Reads only, and works on any trial of the account.

    Args:
        workspace: Where to read.

    Example:
        >>> with Workspace.embedded() as workspace:
        ...     runner = ExperimentRunner(workspace, "churn")
        ...     _ = runner.use_dataset("s3://my-bucket/rows")
        ...     with runner.trial(name="baseline"):
        ...         pass
        ...     lineage = LineageTracer(workspace).trace("baseline")
        >>> [node.kind for node in lineage.nodes]
        ['data', 'preprocessing', 'step']
    """

    def __init__(self, workspace: Account) -> None:
        check_account(workspace)
        self._account = workspace

    def trace(self, trial: NamedTrial | str) -> Lineage:
        """
        Trace one trial: data, preprocessing, code, training job, model and endpoint.

        Args:
            trial: The trial, or its name.

        Raises:
            NotFoundError: If the trial does not exist; the error lists the nearest names.
        """
        name = require_trial(self._account, trial_name_of(trial)).name
        components = components_of(self._account, name)
        nodes, edges = build_graph(components)
        return Lineage(name, components, nodes, edges, self._account)


def build_graph(components: Iterable[Component]) -> tuple[tuple[Node, ...], tuple[Edge, ...]]:
    """Connect steps, in order of creation, by the locations that they share."""
    nodes: dict[str, Node] = {}
    edges: list[Edge] = []
    for component in components:
        step = _step(component)
        for artifact in component.inputs:
            _add(nodes, Node(artifact.uri, _input_kind(component), artifact.uri))
        code = component.parameters.get("sagemaker_submit_directory")
        if isinstance(code, str):
            _add(nodes, Node(code, "code", code))
            edges.append(Edge(code, step.id, "runs as"))
        _add(nodes, step)
        edges += [Edge(artifact.uri, step.id, "is read by") for artifact in component.inputs]
        edges += [Edge(before.id, step.id, "prepares") for before in _preparing(nodes, edges, component)]
        for artifact in component.outputs:
            _add(nodes, Node(artifact.uri, _output_kind(artifact.name, component), artifact.uri))
            edges.append(Edge(step.id, artifact.uri, "makes"))
    return tuple(nodes.values()), tuple(edges)


def _add(nodes: dict[str, Node], node: Node) -> None:
    nodes.setdefault(node.id, node)


def _step(component: Component) -> Node:
    ends = "".join(f", {metric} ends with {last}" for metric, last in component.non_finite.items())
    if component.job_name:
        return Node(component.source_arn or component.name, "training job", f"{component.job_name}{ends}")
    kind = _STEP_KINDS.get(component.display_name, "step")
    return Node(component.name, kind, f"{component.display_name} ({component.name}){ends}")


def _preparing(nodes: dict[str, Node], edges: list[Edge], component: Component) -> list[Node]:
    """Return the preprocessing steps that recorded the data which a training job reads."""
    if not component.job_name:
        return []
    data = {artifact.uri for artifact in component.inputs}
    readers = {edge.target for edge in edges if edge.source in data}
    return [node for node in nodes.values() if node.kind == "preprocessing" and node.id in readers]


def _input_kind(component: Component) -> NodeKind:
    return "model" if component.display_name == "Deployment" else "data"


def _output_kind(name: str, component: Component) -> NodeKind:
    if name == "SageMaker.ModelArtifact":
        return "model"
    return "endpoint" if component.display_name == "Deployment" and name == "endpoint" else "artifact"
