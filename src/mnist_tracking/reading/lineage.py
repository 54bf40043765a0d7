"""LineageTracer: everything that went into one model, and what came of it."""

from mnist_tracking.reading.lineage_graph import Edge as Edge
from mnist_tracking.reading.lineage_graph import Lineage as Lineage
from mnist_tracking.reading.lineage_graph import Node as Node
from mnist_tracking.reading.lineage_tracer import LineageTracer as LineageTracer

__all__ = ["Edge", "Lineage", "LineageTracer", "Node"]
