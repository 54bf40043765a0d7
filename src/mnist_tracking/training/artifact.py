"""
The model artifact, ``model.pth``: the weights, and all that is needed to use them.

The architecture and the normalisation travel with the weights, so that an endpoint needs no settings of its
own.
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
    A trained model as it is kept.

    Attributes:
        architecture: The network that the weights belong to.
        weights: Its state_dict.
        mean: Subtracted from pixels, on the scale of 0..1.
        std: Then divided by.
        scores: Metric name to value, of these very weights; and ``epoch``, after which they were taken.
        hyperparameters: All of the training run's.
    """

    architecture: Architecture
    weights: Mapping[str, Tensor]
    mean: float = MEAN
    std: float = STD
    scores: Mapping[str, float] = dataclasses.field(default_factory=dict)
    hyperparameters: Mapping[str, Scalar] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, model: DigitNet, result: TrainingResult, hyperparameters: Hyperparameters) -> "Artifact":
        """Describe *model* as training left it."""
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
        """Build the network with these weights, on the CPU, ready to answer."""
        model = DigitNet(self.architecture)
        model.load_state_dict(dict(self.weights))
        return model.eval()


def save_artifact(artifact: Artifact, model_dir: Path) -> Path:
    """Write *artifact* to *model_dir* and return the path of the file."""
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
    Read the artifact in *model_dir*; nothing in it is executed.

    Raises:
        DatasetError: If there is none, or it is not one of ours.
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
        raise DatasetError(f"{str(path)!r} is not a whole model artifact: {str(exc).splitlines()[0]}") from exc
    return artifact
