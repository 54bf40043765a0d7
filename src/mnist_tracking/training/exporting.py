"""Export the model to other formats; each file is read back and its predictions compared before it is kept."""

import contextlib
import dataclasses
import io
import json
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import torch
from torch import Tensor

from mnist_tracking.errors import ConfigError, MissingDependencyError, StateError
from mnist_tracking.training.artifact import Artifact
from mnist_tracking.training.classifier import TOLERANCE, Classifier, sample_pixels
from mnist_tracking.training.digit_files import CLASSES
from mnist_tracking.training.files import check_writable, write_atomically
from mnist_tracking.training.layers import standard_layers
from mnist_tracking.training.model import Architecture, DigitNet
from mnist_tracking.training.onnx_graph import INPUT, onnx_session, write_onnx
from mnist_tracking.training.plain import load_plain, pack_plain

__all__ = ["ExportFormat", "check_export", "export_artifact", "metadata_of"]

ExportFormat: TypeAlias = Literal["onnx", "torchscript", "state-dict"]

#: The file in a TorchScript archive that contains the result of :func:`metadata_of`, as JSON.
METADATA_FILE = "metadata.json"
_SAMPLES = 16


def metadata_of(artifact: Artifact) -> dict[str, Any]:
    """Return the metadata stored with the weights: architecture, normalisation, labels and scores."""
    return {
        "architecture": dataclasses.asdict(artifact.architecture),
        "normalisation": {"mean": artifact.mean, "std": artifact.std},
        "labels": [str(digit) for digit in range(CLASSES)],
        "scores": dict(artifact.scores),
    }


def check_export(path: Path, form: ExportFormat, *, overwrite: bool) -> None:
    """
    Check the arguments of an export.

    Raises:
        ConfigError: If the format is unknown, *path* is a folder, or it exists and *overwrite* is false.
        MissingDependencyError: If the format needs a package that is not installed.
    """
    if form not in get_args(ExportFormat):
        raise ConfigError(f"format={form!r}; expected one of {', '.join(map(repr, get_args(ExportFormat)))}.")
    if path.is_dir():
        raise ConfigError(f"{str(path)!r} is a folder; pass a file name.")
    if path.exists() and not overwrite:
        raise ConfigError(f"{str(path)!r} already exists. Pass overwrite=True to replace it.")
    for package in ("onnx", "onnxruntime") if form == "onnx" else ():
        try:
            __import__(package)
        except ImportError as exc:
            raise MissingDependencyError(package, "serving") from exc


def export_artifact(artifact: Artifact, path: Path, form: ExportFormat, *, overwrite: bool = False) -> None:
    """
    Export the model of *artifact* to a file in another format.

    ONNX and TorchScript models take pixels, (N, 1, 28, 28) float32 in 0..255, and return (N, 10) float32 probabilities;
    they include the normalisation. A state-dict is that of :class:`DigitNet`, which takes normalised images.

    The file is replaced atomically: other programs see the old file or the complete new one. Before that, the new file
    is read back and its predictions for random images are compared with the model's.

    Args:
        artifact: The model to export.
        path: The file to write; its folder is created if missing.
        form: The format.
        overwrite: Whether to replace an existing file.

    Raises:
        ConfigError: If the format is unknown, or the file cannot be written.
        MissingDependencyError: If the format needs a package that is not installed.
        StateError: If the exported model's predictions differ from the model's. The new file is deleted.
    """
    check_export(path, form, overwrite=overwrite)
    check_writable(path.parent)
    draft = path.with_name(f".{path.name}.{os.getpid()}.draft")
    try:
        write_atomically(_WRITERS[form](artifact), draft)
        _compare(artifact, draft, form, path)
        draft.replace(path)
    except OSError as exc:
        raise ConfigError(f"{str(path)!r} cannot be written: {exc.strerror or exc}.") from exc
    finally:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)


def _compare(artifact: Artifact, draft: Path, form: ExportFormat, path: Path) -> None:
    pixels = sample_pixels(_SAMPLES)
    with torch.inference_mode():
        expected = Classifier.of(artifact)(pixels)
        answers, metadata = _READERS[form](draft, pixels)
    difference = float((answers - expected).abs().max())
    if not difference <= TOLERANCE:
        detail = f"does not predict as the model does: they differ by {difference:.1e}; it was deleted"
        raise StateError("export", str(path), "mismatch", detail)
    if metadata != metadata_of(artifact):
        detail = f"contains the metadata {metadata}, which differs from the model's; it was deleted"
        raise StateError("export", str(path), "mismatch", detail)


def _write_onnx(artifact: Artifact) -> bytes:
    return write_onnx(artifact, {name: json.dumps(value) for name, value in metadata_of(artifact).items()})


def _read_onnx(path: Path, pixels: Tensor) -> tuple[Tensor, Mapping[str, Any]]:
    session = onnx_session(path.read_bytes(), threads=1)
    properties = session.get_modelmeta().custom_metadata_map
    metadata = {name: json.loads(value) for name, value in properties.items()}
    return torch.from_numpy(session.run(None, {INPUT: pixels.numpy()})[0]), metadata


def _write_torchscript(artifact: Artifact) -> bytes:
    buffer = io.BytesIO()
    with _torchscript_undisputed():
        script = torch.jit.script(standard_layers(artifact))
        torch.jit.save(script, buffer, _extra_files={METADATA_FILE: json.dumps(metadata_of(artifact))})
    return buffer.getvalue()


def _read_torchscript(path: Path, pixels: Tensor) -> tuple[Tensor, Mapping[str, Any]]:
    kept: dict[str, Any] = {METADATA_FILE: ""}
    with _torchscript_undisputed():
        script = torch.jit.load(io.BytesIO(path.read_bytes()), map_location="cpu", _extra_files=kept)  # type: ignore[no-untyped-call]
    answers: Tensor = script(pixels)
    return answers, json.loads(kept[METADATA_FILE])


@contextmanager
def _torchscript_undisputed() -> Iterator[None]:
    """Silence the deprecation warnings of TorchScript, which the caller has chosen."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"`torch\.jit\.\w+` is deprecated", DeprecationWarning)
        yield


def _write_state_dict(artifact: Artifact) -> bytes:
    return pack_plain({"state_dict": dict(artifact.weights), **metadata_of(artifact)})


def _read_state_dict(path: Path, pixels: Tensor) -> tuple[Tensor, Mapping[str, Any]]:
    content = load_plain(path, what="a state-dict")
    network = DigitNet(Architecture(**content["architecture"]))
    network.load_state_dict(content.pop("state_dict"))
    answers: Tensor = Classifier(network, **content["normalisation"]).eval()(pixels)
    return answers, content


_WRITERS = {"onnx": _write_onnx, "torchscript": _write_torchscript, "state-dict": _write_state_dict}
_READERS = {"onnx": _read_onnx, "torchscript": _read_torchscript, "state-dict": _read_state_dict}
