"""
The model as an ONNX graph, from pixels to probabilities.

It is written down from the weights, layer by layer, in a millisecond. Torch's own exporter takes seconds, for which
each start of an endpoint would wait. What is written here is compared with the network itself wherever it is used.
"""

from typing import Any

from mnist_tracking.errors import MissingDependencyError
from mnist_tracking.training.artifact import Artifact
from mnist_tracking.training.data import IMAGE_SIZE
from mnist_tracking.training.digit_files import CLASSES

__all__ = ["INPUT", "OUTPUT", "onnx_session", "write_onnx"]

#: The name of the graph's input: (N, 1, 28, 28) float32 pixels, 0..255.
INPUT = "pixels"
#: The name of its output: (N, 10) float32 probabilities.
OUTPUT = "probabilities"

_OPSET, _IR_VERSION = 17, 8  # of 2022: ONNX Runtime reads them from 1.12 on
_LAYERS: tuple[tuple[str, list[str], dict[str, Any]], ...] = (
    ("Sub", ["mean"], {}),
    ("Div", ["std"], {}),
    ("Conv", ["conv1.weight", "conv1.bias"], {}),
    ("MaxPool", [], {"kernel_shape": [2, 2], "strides": [2, 2]}),
    ("Relu", [], {}),
    ("Conv", ["conv2.weight", "conv2.bias"], {}),
    ("MaxPool", [], {"kernel_shape": [2, 2], "strides": [2, 2]}),
    ("Relu", [], {}),
    ("Flatten", [], {}),
    ("Gemm", ["fc1.weight", "fc1.bias"], {"transB": 1}),
    ("Relu", [], {}),
    ("Gemm", ["fc2.weight", "fc2.bias"], {"transB": 1}),
    ("Softmax", [], {"axis": 1}),
)


def write_onnx(artifact: Artifact, metadata: dict[str, str] | None = None) -> bytes:
    """
    Return the model of *artifact* as an ONNX file.

    Args:
        artifact: The model.
        metadata: Kept in the file, for whoever reads it.

    Raises:
        MissingDependencyError: If onnx is not installed.
    """
    try:
        from onnx import TensorProto, helper
    except ImportError as exc:
        raise MissingDependencyError("onnx", "serving") from exc
    side = IMAGE_SIZE
    graph = helper.make_graph(
        _nodes(),
        "digits",
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["N", 1, side, side])],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["N", CLASSES])],
        _constants(artifact),
    )
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
        producer_name="mnist-tracking",
    )
    helper.set_model_props(model, metadata or {})
    return bytes(model.SerializeToString())


def _nodes() -> list[Any]:
    """Return the layers in a row, each reading what the one before gives."""
    from onnx import helper

    names = [INPUT, *(f"{kind.lower()}_{place}" for place, (kind, _, _) in enumerate(_LAYERS, 1))]
    names[-1] = OUTPUT
    return [
        helper.make_node(kind, [names[place], *constants], [names[place + 1]], **settings)
        for place, (kind, constants, settings) in enumerate(_LAYERS)
    ]


def _constants(artifact: Artifact) -> list[Any]:
    """Return the weights, and the normalisation on the scale of the pixels."""
    import numpy as np
    from onnx import numpy_helper

    constants = {name: weight.numpy() for name, weight in artifact.weights.items()}
    constants |= {"mean": np.array(255 * artifact.mean, np.float32), "std": np.array(255 * artifact.std, np.float32)}
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
    options.log_severity_level = 3  # errors alone
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
