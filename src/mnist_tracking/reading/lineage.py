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
from mnist_tracking._values.text import html_table, plural
from mnist_tracking._values.where import parent

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Edge", "Lineage", "LineageTracer", "Node"]

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
    _account: Account = attrs.field(eq=False, alias="account")

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
        return analytics_frame(self._account, [parent("trial") == self.trial_name])


def overview(lineage: "Lineage") -> tuple[str, list[dict[str, object]]]:
    """
    Return the folder in S3 that all its locations are below, and a row for each thing, upstream first.

    The folder ends with a slash, and is empty where there is none; the names in the rows do without it.
    """
    folder = _common_folder(node.label for node in lineage.nodes)
    rows: list[dict[str, object]] = []
    for node in lineage.nodes:
        sources = dict.fromkeys(source.kind for source in lineage.upstream(node.id))
        rows.append({"what": node.kind, "made from": ", ".join(sources), "name": node.label.removeprefix(folder)})
    return folder, rows


def _common_folder(labels: Iterable[str]) -> str:
    """Return the folder in S3 that all locations there have in common, with its slash; empty if there is none."""
    common = os.path.commonprefix([label for label in labels if label.startswith("s3://")])  # noqa: RUF071 - cut at a slash below
    folder = common[: common.rfind("/") + 1]
    return folder if folder != "s3://" else ""


_STEP_KINDS: dict[str, Kind] = {"Preprocessing": "preprocessing", "Deployment": "deployment"}


class LineageTracer:
    """
    Traces what went into a model. Reads only; works on trials that anybody made.

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

    def __init__(self, account: Account) -> None:
        check_account(account)
        self._account = account

    def trace(self, trial: NamedTrial | str) -> Lineage:
        """
        Trace one trial: data, preprocessing, code, training job, model and endpoint.

        Args:
            trial: The trial, or its name.

        Raises:
            NotFoundError: If there is no such trial; the message names those nearest that there are.
            StateError: If the service does not show all of its steps within a minute.
        """
        name = trial_name_of(trial)
        require_trial(self._account, name)
        components = components_of(self._account, name)
        nodes, edges = build_graph(components)
        return Lineage(name, components, nodes, edges, self._account)


def build_graph(components: Iterable[Component]) -> tuple[tuple[Node, ...], tuple[Edge, ...]]:
    """Connect steps, in order of creation, by the locations they share."""
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
    if component.job_name:
        return Node(component.source_arn or component.name, "training job", component.job_name)
    kind = _STEP_KINDS.get(component.display_name, "step")
    return Node(component.name, kind, f"{component.display_name} ({component.name})")


def _preparing(nodes: dict[str, Node], edges: list[Edge], component: Component) -> list[Node]:
    """Return the preprocessing steps that recorded the very data that a training job reads."""
    if not component.job_name:
        return []
    data = {artifact.uri for artifact in component.inputs}
    readers = {edge.target for edge in edges if edge.source in data}
    return [node for node in nodes.values() if node.kind == "preprocessing" and node.id in readers]


def _input_kind(component: Component) -> Kind:
    return "model" if component.display_name == "Deployment" else "data"


def _output_kind(name: str, component: Component) -> Kind:
    if name == "SageMaker.ModelArtifact":
        return "model"
    return "endpoint" if component.display_name == "Deployment" and name == "endpoint" else "artifact"
