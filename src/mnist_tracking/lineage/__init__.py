"""LineageTracer: everything that went into one model, and what came of it."""

from mnist_tracking.lineage.graph import Edge as Edge
from mnist_tracking.lineage.graph import Lineage as Lineage
from mnist_tracking.lineage.graph import Node as Node
from mnist_tracking.lineage.tracer import LineageTracer as LineageTracer

__all__ = ["Edge", "Lineage", "LineageTracer", "Node"]
