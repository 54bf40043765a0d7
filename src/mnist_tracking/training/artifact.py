"""
The model artifact, ``model.pth``: the weights, and everything needed to use them.

The architecture and the normalisation are stored with the weights, so an endpoint needs no further settings.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from mnist_tracking.errors import DatasetError
from mnist_tracking.training.digit_files import MEAN, STD
from mnist_tracking.training.events import TrainingResult
from mnist_tracking.training.hyperparameters import Hyperparameters, Scalar
from mnist_tracking.training.model import Architecture, DigitNet
from mnist_tracking.training.plain import load_plain, save_plain

__all__ = ["FILE_NAME", "FORMAT", "Artifact", "load_artifact", "save_artifact"]

FILE_NAME = "model.pth"
FORMAT = "mnist-tracking/1"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Artifact:
    """
    A trained model as it is stored in ``model.pth``.

    Attributes:
        architecture: The network that the weights belong to.
        weights: The network's ``state_dict``.
        mean: Mean subtracted from the pixels, on the scale of 0..1.
        std: Standard deviation the pixels are divided by, on the scale of 0..1.
        scores: Metric values measured with these weights, by name, and the ``epoch`` the weights come from.
        hyperparameters: All hyperparameters of the training run.
    """

    architecture: Architecture
    weights: Mapping[str, Tensor]
    mean: float = MEAN
    std: float = STD
    scores: Mapping[str, float] = dataclasses.field(default_factory=dict)
    hyperparameters: Mapping[str, Scalar] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, model: DigitNet, result: TrainingResult, hyperparameters: Hyperparameters) -> "Artifact":
        """Create the artifact of a trained *model*."""
        scores = {
            "epoch": result.best.epoch,
            "train:loss": result.best.train.loss,
            "validation:loss": result.best.validation.loss,
            "validation:accuracy": result.best.validation.accuracy,
            "test:loss": result.test.loss,
            "test:accuracy": result.test.accuracy,
        }
        weights = {name: weight.detach().cpu().contiguous() for name, weight in model.state_dict().items()}
        return cls(
            architecture=model.architecture,
            weights=weights,
            scores=scores,
            hyperparameters=hyperparameters.as_dict(),
        )

    def model(self) -> DigitNet:
        """Build the network with these weights, on the CPU, in evaluation mode."""
        model = DigitNet(self.architecture)
        model.load_state_dict(dict(self.weights))
        return model.eval()


def save_artifact(artifact: Artifact, model_dir: Path) -> Path:
    """Write *artifact* to *model_dir* and return the path of the new file."""
    path = Path(model_dir) / FILE_NAME
    content = {
        "format": FORMAT,
        "architecture": dataclasses.asdict(artifact.architecture),
        "normalisation": {"mean": artifact.mean, "std": artifact.std},
        "scores": dict(artifact.scores),
        "hyperparameters": dict(artifact.hyperparameters),
        "state_dict": dict(artifact.weights),
    }
    save_plain(content, path)
    return path


def load_artifact(model_dir: Path) -> Artifact:
    """
    Load the artifact in *model_dir*. No code in the file is executed.

    Raises:
        DatasetError: If the file is missing or damaged, or was not written by :func:`save_artifact`.
    """
    path = Path(model_dir) / FILE_NAME
    content = load_plain(path, what="a model artifact")
    if content.get("format") != FORMAT:
        raise DatasetError(f"{str(path)!r} has the format {content.get('format')!r}; this version reads {FORMAT!r}.")
    try:
        artifact = Artifact(
            architecture=Architecture(**content["architecture"]),
            weights=content["state_dict"],
            scores=content["scores"],
            hyperparameters=content["hyperparameters"],
            **content["normalisation"],
        )
        artifact.model()
    except (KeyError, TypeError, RuntimeError) as exc:  # RuntimeError: weights that do not fit
        raise DatasetError(f"{str(path)!r} is not a complete model artifact: {str(exc).splitlines()[0]}") from exc
    return artifact
