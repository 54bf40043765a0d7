"""Read a trial's steps and connect them by what they read and write."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from mnist_tracking._aws.experiments import require_trial
from mnist_tracking._aws.search import components_of
from mnist_tracking._values.object_checks import check_workspace
from mnist_tracking._values.records import Component, NamedTrial, trial_name_of
from mnist_tracking.reading.lineage_graph import Edge, Kind, Lineage, Node

if TYPE_CHECKING:
    from mnist_tracking.workspace import Workspace

__all__ = ["LineageTracer"]

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

    def __init__(self, workspace: "Workspace") -> None:
        check_workspace(workspace)
        self._workspace = workspace

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
        require_trial(self._workspace, name)
        components = components_of(self._workspace, name)
        nodes, edges = build_graph(components)
        return Lineage(name, components, nodes, edges, self._workspace)


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
