"""
The model as an ONNX graph, from pixels to probabilities.

The graph is built layer by layer, in a millisecond. Torch's own exporter takes seconds, which would delay every start
of an endpoint.
"""

from collections.abc import Sequence
from typing import Any

from torch import nn

from mnist_tracking.errors import MissingDependencyError
from mnist_tracking.training.artifact import Artifact
from mnist_tracking.training.data import IMAGE_SIZE
from mnist_tracking.training.digit_files import CLASSES
from mnist_tracking.training.layers import Normalise, standard_layers

__all__ = ["INPUT", "OUTPUT", "onnx_session", "write_onnx"]

#: Name of the graph's input: (N, 1, 28, 28) float32 pixels in 0..255.
INPUT = "pixels"
#: Name of the graph's output: (N, 10) float32 probabilities.
OUTPUT = "probabilities"

_OPSET, _IR_VERSION = 17, 8  # from 2022: supported by ONNX Runtime 1.12 and later


def write_onnx(artifact: Artifact, metadata: dict[str, str] | None = None) -> bytes:
    """
    Return the model of *artifact* as an ONNX file.

    Args:
        artifact: The model to convert.
        metadata: Key-value pairs to store in the file.

    Raises:
        MissingDependencyError: If onnx is not installed.
    """
    try:
        from onnx import TensorProto, helper
    except ImportError as exc:
        raise MissingDependencyError("onnx", "serving") from exc
    layers = standard_layers(artifact)
    graph = helper.make_graph(
        [node for name, layer in layers.named_children() for node in _nodes(name, layer)],
        "digits",
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["N", 1, IMAGE_SIZE, IMAGE_SIZE])],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["N", CLASSES])],
        _constants(layers),
    )
    _chain(graph.node)
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
        producer_name="mnist-tracking",
    )
    helper.set_model_props(model, metadata or {})
    return bytes(model.SerializeToString())


def _nodes(name: str, layer: nn.Module) -> list[Any]:
    """Return a layer's nodes, with only the constants among their inputs."""
    from onnx import helper

    weights = [f"{name}.weight", f"{name}.bias"]
    match layer:
        case Normalise():
            return [helper.make_node("Sub", ["mean"], []), helper.make_node("Div", ["std"], [])]
        case nn.Conv2d():
            return [helper.make_node("Conv", weights, [])]
        case nn.Linear():
            return [helper.make_node("Gemm", weights, [], transB=1)]
        case nn.MaxPool2d():
            return [helper.make_node("MaxPool", [], [], kernel_shape=[2, 2], strides=[2, 2])]
        case nn.Softmax():
            return [helper.make_node("Softmax", [], [], axis=1)]
        case nn.ReLU():
            return [helper.make_node("Relu", [], [])]
        case nn.Flatten():
            return [helper.make_node("Flatten", [], [])]
    raise TypeError(f"{name} is a {type(layer).__name__}, which cannot be converted to ONNX")


def _chain(nodes: Sequence[Any]) -> None:
    """Connect each node's input to the output of the previous one."""
    value = INPUT
    for place, node in enumerate(nodes, 1):
        node.input.insert(0, value)
        value = OUTPUT if place == len(nodes) else f"{node.op_type.lower()}_{place}"
        node.output.append(value)


def _constants(layers: nn.Sequential) -> list[Any]:
    """Return the weights and the normalisation constants."""
    import numpy as np
    from onnx import numpy_helper

    constants = {name: weight.numpy() for name, weight in layers.state_dict().items()}
    constants |= {
        name: np.array(getattr(layer, name), np.float32)
        for layer in layers
        if isinstance(layer, Normalise)
        for name in ("mean", "std")
    }
    return [numpy_helper.from_array(value, name) for name, value in constants.items()]


def onnx_session(content: bytes, *, threads: int) -> Any:
    """
    Load an ONNX file into ONNX Runtime, on the CPU.

    Raises:
        MissingDependencyError: If onnxruntime is not installed.
    """
    try:
        import onnxruntime
    except ImportError as exc:
        raise MissingDependencyError("onnxruntime", "serving") from exc
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # idle threads sleep
    options.log_severity_level = 3  # errors only
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
