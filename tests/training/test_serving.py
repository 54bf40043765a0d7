"""The model artifact, and the four serving handlers."""

import io
import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.support.digits import make_digits

from mnist_tracking.errors import DatasetError
from mnist_tracking.training.artifact import FILE_NAME, Artifact, load_artifact, save_artifact
from mnist_tracking.training.data import load_data, normalise
from mnist_tracking.training.events import TrainingResult
from mnist_tracking.training.hyperparameters import Hyperparameters
from mnist_tracking.training.plain import save_plain
from mnist_tracking.training.randomness import seeded
from mnist_tracking.training.run import Places, run
from mnist_tracking.training.serving import input_fn, model_fn, output_fn, predict_fn

IMAGES, LABELS = make_digits(20, seed=5)
HYPERPARAMETERS = Hyperparameters(
    recipe="reference", epochs=6, batch_size=25, hidden_channels=4, kernel_size=3, lr=0.05, dropout=0.1
)


@pytest.fixture(scope="module")
def model_dir(digits_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    run(HYPERPARAMETERS, Places(data=digits_dir, model=folder))
    return folder


def npy(array: object) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.asarray(array))
    return buffer.getvalue()


def ask(model_dir: Path, body: bytes | str, content_type: str) -> np.ndarray:
    prediction = predict_fn(input_fn(body, content_type), model_fn(str(model_dir)))
    answer = output_fn(prediction, "application/x-npy")
    assert isinstance(answer, bytes)
    return np.asarray(np.load(io.BytesIO(answer)))


def test_the_artifact_loads_without_executing_code(model_dir: Path) -> None:
    """It carries its architecture, normalisation and scores."""
    content = torch.load(model_dir / FILE_NAME, weights_only=True)

    assert content["architecture"] == {"hidden_channels": 4, "kernel_size": 3, "dropout": 0.1}
    assert content["normalisation"] == {"mean": 0.1307, "std": 0.3081}
    assert {"validation:accuracy", "test:accuracy", "test:loss", "epoch"} <= set(content["scores"])
    assert content["hyperparameters"] == HYPERPARAMETERS.as_dict()


def test_the_artifacts_scores_are_those_of_its_weights(model_dir: Path, digits_dir: Path) -> None:
    """Its test accuracy is that of the very weights in it."""
    artifact = load_artifact(model_dir)
    test = load_data(digits_dir, validation_fraction=0.5, generator=seeded(1, "split")).test
    with torch.no_grad():
        right = (artifact.model()(normalise(test.images)).argmax(dim=1) == test.labels).sum().item()

    assert artifact.scores["test:accuracy"] == 100 * right / len(test)


def test_an_artifact_comes_back_as_it_was(model_dir: Path, tmp_path: Path) -> None:
    """Saving what was loaded changes nothing."""
    first = load_artifact(model_dir)
    save_artifact(first, tmp_path)
    again = load_artifact(tmp_path)

    assert (first.architecture, first.scores, first.mean) == (again.architecture, again.scores, again.mean)
    assert all(torch.equal(weight, again.weights[name]) for name, weight in first.weights.items())


def test_a_missing_or_foreign_artifact_is_a_clear_error(tmp_path: Path) -> None:
    """The path is in the message."""
    with pytest.raises(DatasetError, match=r"model\.pth' is not a model artifact: No such file"):
        model_fn(str(tmp_path))
    save_plain({"format": "mnist-tracking/99"}, tmp_path / FILE_NAME)
    with pytest.raises(DatasetError, match="'mnist-tracking/99'; this version reads 'mnist-tracking/1'"):
        model_fn(str(tmp_path))


class Malicious:
    """Makes a directory when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("save", [torch.save, lambda content, path: path.write_bytes(pickle.dumps(content))])
def test_a_malicious_artifact_is_rejected_without_executing_it(
    tmp_path: Path, save: Callable[[object, Path], object]
) -> None:
    """Neither torch's format nor a bare pickle runs anything; the message does not suggest loading it anyway."""
    save({"format": "mnist-tracking/1", "state_dict": Malicious(tmp_path / "owned")}, tmp_path / FILE_NAME)
    with pytest.raises(DatasetError, match="is not a model artifact") as refused:
        model_fn(str(tmp_path))

    assert not (tmp_path / "owned").exists()
    assert "weights_only" not in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("damage", [lambda _: b"", lambda _: b"hello", lambda c: c[:-300], lambda c: c[:50] + c[90:]])
def test_a_damaged_artifact_is_one_line(model_dir: Path, tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    """Empty, something else, cut short, or with a hole."""
    (tmp_path / FILE_NAME).write_bytes(damage((model_dir / FILE_NAME).read_bytes()))
    with pytest.raises(
        DatasetError, match=r"is not a model artifact|is damaged: its checksum does not match"
    ) as refused:
        load_artifact(tmp_path)

    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("scores", None),
        ("architecture", {"hidden_channels": 4}),
        ("architecture", {"hidden_channels": 5, "kernel_size": 3, "dropout": 0.1}),
        ("state_dict", {}),
        ("normalisation", {"median": 1.0}),
    ],
)
def test_an_artifact_with_a_part_that_is_wrong_is_one_line(
    model_dir: Path, tmp_path: Path, key: str, value: object
) -> None:
    """Missing, incomplete, or not what the weights belong to."""
    content = torch.load(model_dir / FILE_NAME, weights_only=True)
    content.pop(key)
    save_plain(content | ({key: value} if value is not None else {}), tmp_path / FILE_NAME)
    with pytest.raises(DatasetError, match="is not a complete model artifact") as refused:
        load_artifact(tmp_path)

    assert "\n" not in str(refused.value)


def test_the_endpoint_recognises_digits(model_dir: Path) -> None:
    """Raw pixels in, probabilities out; the endpoint normalises."""
    answer = ask(model_dir, npy(IMAGES), "application/x-npy")

    assert (answer.shape, answer.dtype.name) == ((20, 10), "float32")
    np.testing.assert_allclose(answer.sum(axis=1), 1, rtol=1e-5)
    assert (answer.argmax(axis=1) == LABELS).mean() >= 0.8


def test_one_image_needs_no_batch(model_dir: Path) -> None:
    """(28, 28) gives one row."""
    assert ask(model_dir, npy(IMAGES[0]), "application/x-npy").shape == (1, 10)


def test_more_images_than_one_batch(model_dir: Path) -> None:
    """They are predicted in several batches."""
    many = np.tile(IMAGES, (60, 1, 1))

    assert ask(model_dir, npy(many), "application/x-npy").shape == (1200, 10)


@pytest.mark.parametrize("accept", ["application/json", "*/*", "", "text/html, application/json;q=0.5"])
def test_predictions_as_json(accept: str) -> None:
    """Also for wildcards."""
    answer = output_fn(torch.tensor([[0.25, 0.75]]), accept)

    assert json.loads(answer) == [[0.25, 0.75]]


def test_predictions_as_csv_or_an_error() -> None:
    """One line per image; an unknown type is rejected."""
    assert output_fn(torch.tensor([[0.25, 0.75], [1.0, 0.0]]), "text/csv") == "0.25,0.75\n1.0,0.0\n"
    with pytest.raises(ValueError, match="'image/png' is not supported; expected one of"):
        output_fn(torch.zeros(1, 10), "image/png")


def test_the_normalisation_is_the_artifacts(model_dir: Path, tmp_path: Path) -> None:
    """Another normalisation gives other predictions."""
    first = load_artifact(model_dir)
    other = Artifact(architecture=first.architecture, weights=first.weights, mean=0.5, std=0.5)
    save_artifact(other, tmp_path)
    body = npy(IMAGES)

    assert not np.allclose(
        ask(model_dir, body, "application/x-npy"), ask(tmp_path, body, "application/x-npy"), atol=1e-3
    )


def test_a_result_is_plain_data(digits_dir: Path, tmp_path: Path) -> None:
    """What run() returns compares by value."""
    result = run(Hyperparameters(epochs=1, hidden_channels=1), Places(data=digits_dir, model=tmp_path))

    assert isinstance(result, TrainingResult)
    assert result.best == result.epochs[0]
