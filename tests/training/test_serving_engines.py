"""Inference engines: ONNX Runtime predicts as torch does, and torch is used where it is not installed."""

import dataclasses
import logging
import math
import sys

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mnist_tracking.training.artifact import Artifact
from mnist_tracking.training.classifier import TOLERANCE, sample_pixels
from mnist_tracking.training.engines import OnnxEngine, TorchEngine, choose_engine
from mnist_tracking.training.model import Architecture, build_model

CPU = torch.device("cpu")


def artifact_of(*, hidden_channels: int = 4, kernel_size: int = 5, seed: int = 0, mean: float = 0.1307) -> Artifact:
    """Return an untrained model."""
    architecture = Architecture(hidden_channels=hidden_channels, kernel_size=kernel_size, dropout=0.5)
    model = build_model(architecture, generator=torch.Generator().manual_seed(seed))
    return Artifact(architecture=architecture, weights=model.state_dict(), mean=mean, std=0.3081)


@given(
    st.integers(1, 40), st.integers(1, 9), st.integers(1, 5), st.integers(0, 2**60), st.sampled_from([0.1307, 0.5, 0.0])
)
def test_the_fast_engine_predicts_as_torch_does(
    hidden_channels: int, kernel_size: int, count: int, seed: int, mean: float
) -> None:
    """For every architecture and normalisation, and any number of images."""
    artifact = artifact_of(hidden_channels=hidden_channels, kernel_size=kernel_size, seed=seed, mean=mean)
    pixels = torch.rand(count, 1, 28, 28, generator=torch.Generator().manual_seed(seed)) * 255

    for images in (pixels, pixels.to(torch.uint8)):
        plain, fast = TorchEngine(artifact, CPU)(images), OnnxEngine(artifact)(images)
        assert (fast.shape, fast.dtype) == ((count, 10), torch.float32)
        torch.testing.assert_close(fast, plain, rtol=0, atol=TOLERANCE)


def test_the_fast_engine_is_chosen_silently(caplog: pytest.LogCaptureFixture) -> None:
    """Where it is installed."""
    assert isinstance(choose_engine(artifact_of()), OnnxEngine)
    assert caplog.messages == []


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_without_the_fast_engine_torch_is_used_with_one_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, package: str
) -> None:
    """Either package may be missing."""
    monkeypatch.setitem(sys.modules, package, None)
    engine = choose_engine(artifact_of())
    engine(sample_pixels(2))

    assert isinstance(engine, TorchEngine)
    assert [(record.levelno, record.message.partition(";")[0]) for record in caplog.records] == [
        (logging.WARNING, f"{package} is not installed")
    ]
    assert "pip install onnx onnxruntime" in caplog.text


@pytest.mark.parametrize("mean", [0.2, math.nan])
def test_a_fast_engine_with_other_predictions_is_not_used(caplog: pytest.LogCaptureFixture, mean: float) -> None:
    """For example if its graph differs from the network, or it predicts NaN."""
    engine = choose_engine(artifact_of(), lambda given: OnnxEngine(dataclasses.replace(given, mean=mean)))

    assert isinstance(engine, TorchEngine)
    assert "differ from torch's by" in caplog.text
