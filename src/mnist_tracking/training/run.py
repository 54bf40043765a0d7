"""One training run, from files to files."""

import dataclasses
import json
import sys
from pathlib import Path

import torch

from mnist_tracking.errors import ConfigError
from mnist_tracking.training.artifact import Artifact, save_artifact
from mnist_tracking.training.checkpoint import CheckpointWriter
from mnist_tracking.training.data import load_data
from mnist_tracking.training.files import check_writable, write_atomically
from mnist_tracking.training.hyperparameters import Hyperparameters
from mnist_tracking.training.loop import Observer, TrainingResult, train
from mnist_tracking.training.model import Architecture, DigitNet, build_model
from mnist_tracking.training.observers import LogLines, Several
from mnist_tracking.training.randomness import seeded

__all__ = ["choose_device", "new_model", "run"]


def run(
    hyperparameters: Hyperparameters,
    *,
    data_dir: Path,
    model_dir: Path,
    output_dir: Path | None = None,
    checkpoint_dir: Path | None = None,
    num_gpus: int | None = None,
) -> TrainingResult:
    """
    Train on the files of *data_dir*, log to standard output, and write the model to *model_dir*.

    The directories to write to are made and tried first. Sets torch's number of threads, which is the whole process's.

    Args:
        hyperparameters: How to train.
        data_dir: Holds the four IDX files.
        model_dir: Gets ``model.pth``.
        output_dir: Gets ``history.json``, if given.
        checkpoint_dir: Gets a checkpoint per epoch, if given.
        num_gpus: How many this job may use; what is there by default.

    Raises:
        DatasetError: If the data are missing or broken.
        ConfigError: If there is no such device, or a directory cannot be written.
        DivergedError: If a loss is not finite.
    """
    for directory in filter(None, (model_dir, output_dir, checkpoint_dir)):
        check_writable(directory)
    torch.set_num_threads(hyperparameters.threads)
    device = choose_device(hyperparameters.device, num_gpus=num_gpus)
    model = new_model(hyperparameters, device)
    fraction, generator = hyperparameters.validation_fraction, seeded(hyperparameters.seed, "split")
    data = load_data(data_dir, validation_fraction=fraction, generator=generator).to(device)
    observers: list[Observer] = [LogLines(sys.stdout, interval=hyperparameters.log_interval)]
    if checkpoint_dir is not None:
        observers.append(CheckpointWriter(checkpoint_dir, hyperparameters))
    result = train(model, data, hyperparameters, Several(observers))
    path = save_artifact(Artifact.of(model, result, hyperparameters), model_dir)
    if output_dir is not None:
        _write_history(result, hyperparameters, output_dir)
    print(f"Saved the weights of epoch {result.best.epoch} to {path}.", flush=True)
    return result


def choose_device(wish: str, *, num_gpus: int | None = None) -> torch.device:
    """
    Return the device that *wish* names; ``auto`` is a GPU if this process may use one.

    Raises:
        ConfigError: If a GPU is asked for and there is none.
    """
    there = num_gpus != 0 and torch.cuda.is_available()
    if wish == "cuda" and not there:
        raise ConfigError("The hyperparameter 'device' is 'cuda', but there is no GPU here; 'auto' and 'cpu' will do.")
    return torch.device("cuda" if there and wish != "cpu" else "cpu")


def new_model(hyperparameters: Hyperparameters, device: torch.device) -> DigitNet:
    """Return the untrained network on *device*; its weights and its dropout depend on the seed alone."""
    generator = seeded(hyperparameters.seed, "weights")
    dropout_generator = seeded(hyperparameters.seed, "dropout", device=device)
    return build_model(Architecture.of(hyperparameters), generator=generator, dropout_generator=dropout_generator).to(
        device
    )


def _write_history(result: TrainingResult, hyperparameters: Hyperparameters, directory: Path) -> None:
    history = {"hyperparameters": hyperparameters.as_dict(), **dataclasses.asdict(result)}
    write_atomically(json.dumps(history, indent=2).encode(), directory / "history.json")
