"""The model of a trial as a file that other programs read."""

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from mnist_tracking.errors import DatasetError, MissingDependencyError, StateError

if TYPE_CHECKING:
    from mnist_tracking.reading.trial import Trial
    from mnist_tracking.training.artifact import Artifact
    from mnist_tracking.training.exporting import ExportFormat

__all__ = ["export_model"]


def export_model(
    trial: "Trial",
    to: str | os.PathLike[str],
    *,
    format: "ExportFormat" = "onnx",  # noqa: A002 - what it is called everywhere
    overwrite: bool = False,
) -> Path:
    """
    Write the CNN that a trial has trained to a file: ONNX, TorchScript, or its weights alone.

    ONNX and TorchScript take pixels as they are, ``(N, 1, 28, 28)`` float32 of 0..255, and give ``(N, 10)``
    probabilities. All three say what they are: architecture, normalisation, labels and scores.

    The file is there in full or not at all. Before that it is read back, and its answers to random images are compared
    with those of the model, to 1e-5.

    Args:
        trial: As `Workspace.trial` gives it.
        to: The file; its folder is made if need be.
        format: ``"onnx"``, ``"torchscript"`` or ``"state-dict"``.
        overwrite: Whether a file that is there is replaced.

    Returns:
        The path of the file.

    Raises:
        ConfigError: If there is no such format, *to* is a folder, is there already, or cannot be written.
        MissingDependencyError: If torch, or for ONNX onnx or onnxruntime, is not installed.
        StateError: If the trial has no model, or one of another kind; or what was written answers otherwise than the
            model, and is deleted again.
        NotFoundError: If the model is no longer in S3.

    Example:
        >>> from mnist_tracking.training.artifact import Artifact, save_artifact
        >>> from mnist_tracking.training.model import Architecture, DigitNet
        >>> network = DigitNet(Architecture(hidden_channels=2, kernel_size=5, dropout=0.2))
        >>> artifact = Artifact(architecture=network.architecture, weights=network.state_dict())
        >>> workspace = Workspace.embedded()
        >>> with ExperimentRunner(workspace, "digits").trial(name="untrained") as recording:
        ...     _ = recording.log_model(save_artifact(artifact, Path("untrained")))
        >>> export_model(workspace.trial("untrained"), "digits.onnx")
        PosixPath('digits.onnx')
        >>> workspace.close()
    """
    try:
        from mnist_tracking.training.exporting import check_export, export_artifact
    except ModuleNotFoundError as exc:
        if exc.name != "torch":
            raise
        raise MissingDependencyError("torch", "training") from exc
    path = Path(to)
    check_export(path, format, overwrite=overwrite)
    export_artifact(_artifact_of(trial), path, format, overwrite=overwrite)
    return path


def _artifact_of(trial: "Trial") -> "Artifact":
    from mnist_tracking.training.artifact import load_artifact

    with tempfile.TemporaryDirectory() as scratch:
        model = trial.download(Path(scratch, "trial"), model_only=True).model
        if model is None:
            raise StateError("trial", trial.name, "no-model", "has no model")
        try:
            return load_artifact(model)
        except DatasetError as error:
            said = str(error).replace(f"{model}{os.sep}", "").rstrip(".")
            raise StateError(
                "trial", trial.name, "wrong-model", f"has a model that is not the digits' CNN: {said}"
            ) from error
