"""Export to other formats: predictions and metadata match the model."""

import dataclasses
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch

from mnist_tracking.errors import ConfigError, MissingDependencyError, StateError
from mnist_tracking.training.artifact import Artifact
from mnist_tracking.training.classifier import Classifier, sample_pixels
from mnist_tracking.training.exporting import ExportFormat, export_artifact
from mnist_tracking.training.model import Architecture, DigitNet, build_model

FORMATS: list[ExportFormat] = ["onnx", "torchscript", "state-dict"]
PIXELS = sample_pixels(7)
Answers = np.ndarray[Any, np.dtype[np.float32]]


def artifact_of(**architecture: Any) -> Artifact:
    chosen = Architecture(**{"hidden_channels": 3, "kernel_size": 4, "dropout": 0.5, **architecture})
    model = build_model(chosen, generator=torch.Generator().manual_seed(3))
    scores = {"test:accuracy": 99.25}
    return Artifact(architecture=chosen, weights=model.state_dict(), mean=0.2, std=0.4, scores=scores)


ARTIFACT = artifact_of()
METADATA = {
    "architecture": {"hidden_channels": 3, "kernel_size": 4, "dropout": 0.5},
    "normalisation": {"mean": 0.2, "std": 0.4},
    "labels": ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
    "scores": {"test:accuracy": 99.25},
}


@pytest.fixture(scope="module")
def expected() -> Answers:
    with torch.no_grad():
        return np.asarray(Classifier.of(ARTIFACT)(PIXELS).numpy())


def test_onnx_runs_in_onnx_runtime(tmp_path: Path, expected: Answers) -> None:
    """Pixels in, probabilities out, for any number of images; each part of the metadata is JSON."""
    export_artifact(ARTIFACT, tmp_path / "digits.onnx", "onnx")
    session = onnxruntime.InferenceSession(tmp_path / "digits.onnx")
    metadata = session.get_modelmeta().custom_metadata_map

    np.testing.assert_allclose(session.run(["probabilities"], {"pixels": PIXELS.numpy()})[0], expected, atol=1e-5)
    assert {name: json.loads(value) for name, value in metadata.items()} == METADATA


@pytest.mark.filterwarnings("ignore:`torch.jit.load` is deprecated:DeprecationWarning")
def test_torchscript_does_not_need_this_library(tmp_path: Path, expected: Answers) -> None:
    """Pixels may also be integers."""
    export_artifact(ARTIFACT, tmp_path / "digits.pt", "torchscript")
    files = {"metadata.json": ""}
    script = torch.jit.load(str(tmp_path / "digits.pt"), _extra_files=files)  # type: ignore[no-untyped-call]

    np.testing.assert_allclose(script(PIXELS), expected, atol=1e-5)
    torch.testing.assert_close(script(PIXELS.byte()), script(PIXELS.byte().float()))
    assert json.loads(files["metadata.json"]) == METADATA


def test_a_state_dict_is_values_and_tensors(tmp_path: Path, expected: Answers) -> None:
    """It loads without executing code, and takes images normalised by its metadata."""
    export_artifact(ARTIFACT, tmp_path / "digits.pth", "state-dict")
    content = torch.load(tmp_path / "digits.pth", weights_only=True)
    network = DigitNet(Architecture(**content["architecture"])).eval()
    network.load_state_dict(content.pop("state_dict"))
    with torch.no_grad():
        answers = network((PIXELS / 255 - 0.2) / 0.4).exp()

    np.testing.assert_allclose(answers, expected, atol=1e-5)
    assert content == METADATA


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("architecture", [{"kernel_size": 1}, {"kernel_size": 9}, {"hidden_channels": 40}])
def test_every_architecture_can_be_written(tmp_path: Path, form: ExportFormat, architecture: dict[str, int]) -> None:
    """The export is compared with the model; its folder is created."""
    export_artifact(artifact_of(**architecture), tmp_path / "new" / "digits", form)

    assert os.listdir(tmp_path / "new") == ["digits"]


@pytest.mark.parametrize("form", FORMATS)
def test_an_existing_file_is_replaced_only_with_overwrite(tmp_path: Path, form: ExportFormat) -> None:
    """Nothing else is left in the folder."""
    path = tmp_path / "digits"
    path.write_bytes(b"precious")
    with pytest.raises(ConfigError, match=r"digits' already exists\. Pass overwrite=True to replace it\."):
        export_artifact(ARTIFACT, path, form)
    assert path.read_bytes() == b"precious"

    export_artifact(ARTIFACT, path, form, overwrite=True)
    assert len(path.read_bytes()) > 1000
    assert os.listdir(tmp_path) == ["digits"]


@pytest.mark.parametrize("form", FORMATS)
def test_a_failed_export_replaces_nothing(tmp_path: Path, form: ExportFormat) -> None:
    """Predictions that are NaN do not match even themselves."""
    path = tmp_path / "digits"
    path.write_bytes(b"precious")
    broken = dataclasses.replace(ARTIFACT, weights={**ARTIFACT.weights, "fc2.bias": torch.full((10,), torch.nan)})
    with pytest.raises(StateError, match="digits' does not predict as the model does: they differ by nan"):
        export_artifact(broken, path, form, overwrite=True)

    assert path.read_bytes() == b"precious"
    assert os.listdir(tmp_path) == ["digits"]


def test_an_export_that_cannot_be_written_is_rejected(tmp_path: Path) -> None:
    """A folder, a file in place of a folder, an unknown format."""
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="is a folder; pass a file name"):
        export_artifact(ARTIFACT, tmp_path, "onnx")
    with pytest.raises(ConfigError, match=r"The folder '.*file' is not writable: File exists"):
        export_artifact(ARTIFACT, tmp_path / "file" / "digits", "state-dict")
    with pytest.raises(ConfigError, match="format='tflite'; expected one of 'onnx', 'torchscript', 'state-dict'"):
        export_artifact(ARTIFACT, tmp_path / "digits", "tflite")  # type: ignore[arg-type]


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_a_missing_package_is_named_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    """With the command that installs it; the other formats do not need it."""
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(
        MissingDependencyError, match=rf"^{package} is not installed\. Run: pip install onnx onnxruntime pillow$"
    ):
        export_artifact(ARTIFACT, tmp_path / "digits.onnx", "onnx")
    export_artifact(ARTIFACT, tmp_path / "digits.pt", "torchscript")

    assert os.listdir(tmp_path) == ["digits.pt"]
