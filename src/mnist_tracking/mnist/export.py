"""Export the model of a trial to a file that other programs can read."""

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
    Export the CNN that a trial trained to a file: as ONNX, as TorchScript, or only its weights.

    ONNX and TorchScript models map pixels, ``(N, 1, 28, 28)`` float32 in 0..255, to ``(N, 10)`` probabilities. All
    formats contain metadata: architecture, normalisation, labels and metrics.

    The file is never incomplete. Before it is moved to its place, it is loaded, and its predictions for random images
    must agree with the model's to within 1e-5.

    Args:
        trial: The trial, such as from `Workspace.trial`.
        to: The file; its folder is created if missing.
        format: ``"onnx"``, ``"torchscript"`` or ``"state-dict"``.
        overwrite: Whether to replace an existing file.

    Returns:
        The path of the file.

    Raises:
        ConfigError: If the format is unknown, or *to* is a folder, already exists, or cannot be written.
        MissingDependencyError: If torch, or for ONNX onnx or onnxruntime, is not installed.
        StateError: If the trial has no model, or a model of another kind; or if the predictions of the exported model
            differ, in which case the file is deleted.
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
            reason = str(error).replace(f"{model}{os.sep}", "").rstrip(".")
            raise StateError(
                "trial", trial.name, "wrong-model", f"has a model that is not the digits' CNN: {reason}"
            ) from error
