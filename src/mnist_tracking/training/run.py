"""One training run, from files to files."""

import dataclasses
import os
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch

from mnist_tracking.errors import ConfigError
from mnist_tracking.training.artifact import Artifact, save_artifact
from mnist_tracking.training.checkpoint import CheckpointFolder
from mnist_tracking.training.data import DigitData, load_data
from mnist_tracking.training.distributed import choose_backend, joined
from mnist_tracking.training.events import Observer, Several, TrainingResult
from mnist_tracking.training.files import check_writable
from mnist_tracking.training.hyperparameters import Hyperparameters
from mnist_tracking.training.keeping import CheckpointKeeper, StopRequest
from mnist_tracking.training.loop import train
from mnist_tracking.training.membership import Membership
from mnist_tracking.training.model import Architecture, DigitNet, build_model
from mnist_tracking.training.observers import JsonLines, LogLines, MetricsFile, ProgressBar
from mnist_tracking.training.randomness import seeded
from mnist_tracking.training.report import describe, write_report
from mnist_tracking.training.world import World

__all__ = ["Places", "choose_device", "new_model", "run"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """
    The folders of a run.

    Attributes:
        data: Holds the four IDX files.
        model: Gets ``model.pth``.
        output: Gets what `write_report` writes, and ``events.jsonl``, if given.
        checkpoints: Gets checkpoints, if given; a run that finds some of its own there goes on from the newest.
    """

    data: Path
    model: Path
    output: Path | None = None
    checkpoints: Path | None = None

    def check(self) -> None:
        """
        Make the folders that are written to, and try them, before hours of work are lost.

        Raises:
            ConfigError: If one cannot be written.
        """
        for directory in filter(None, (self.model, self.output, self.checkpoints)):
            check_writable(directory)


def run(
    hyperparameters: Hyperparameters,
    places: Places,
    *,
    num_gpus: int | None = None,
    membership: Membership | None = None,
    stop: AbstractContextManager[StopRequest] | None = None,
) -> TrainingResult:
    """
    Train on the files of a folder, log to standard output, and write the model to another.

    The folders to write to are made and tried first. Sets torch's number of threads, which is the whole process's.

    Args:
        hyperparameters: How to train.
        places: Where things are, and go.
        num_gpus: How many this job may use; what is there by default.
        membership: Which of several processes this one is; only the first logs and writes.
        stop: Entered when training begins. Told to end, the run writes a checkpoint and raises; without a checkpoint
            folder it is not looked at.

    Raises:
        DatasetError: If the data are missing or broken.
        ConfigError: If there is no such device, a folder cannot be written, or the newest checkpoint is of another run.
        DivergedError: If a loss is not finite; the last checkpoint is from before.
        StoppedError: If it was told to end.
        ProcessLostError: If another process cannot be reached, or ended.
    """
    places.check()
    torch.set_num_threads(hyperparameters.threads)
    local_rank = membership.local_rank if membership else 0
    device = choose_device(hyperparameters.device, num_gpus=num_gpus, local_rank=local_rank)
    backend = choose_backend(hyperparameters.backend, device, local_rank=local_rank) if membership else ""
    _be_deterministic(device)
    model = new_model(hyperparameters, device)
    fraction, generator = hyperparameters.validation_fraction, seeded(hyperparameters.seed, "split")
    data = load_data(places.data, validation_fraction=fraction, generator=generator).to(device)
    facts = {**hyperparameters.as_dict(), **_facts(data)}
    with (
        joined(membership, backend=backend, device=device, facts=facts) as world,
        stop or nullcontext(StopRequest()) as request,
    ):
        result = _train(model, data, hyperparameters, places, world=world, stop=request)
        if world.rank == 0:
            _write(result, model, data, hyperparameters, places)
    return result


def _train(
    model: DigitNet,
    data: DigitData,
    hyperparameters: Hyperparameters,
    places: Places,
    *,
    world: World,
    stop: StopRequest,
) -> TrainingResult:
    keeper, resume_from = None, None
    if places.checkpoints is not None:
        folder = CheckpointFolder(
            places.checkpoints, hyperparameters, circumstances={**_facts(data), "processes": world.size}, warn=_warn
        )
        keeper = CheckpointKeeper(folder, interval_s=hyperparameters.checkpoint_s, stop=stop, world=world)
        resume_from = world.from_first(folder.latest() if world.rank == 0 else None)  # hosts share no folder
    if resume_from is not None and world.rank == 0:
        print(f"Going on from a checkpoint: {_position(resume_from)}.", flush=True)
    observers = _observers(places.output) if world.rank == 0 else []
    return train(model, data, hyperparameters, Several(observers), keeper=keeper, resume_from=resume_from, world=world)


def _facts(data: DigitData) -> Mapping[str, int | str]:
    """Return what the result depends on, beside the hyperparameters."""
    return {
        "training images": len(data.train),
        "validation images": len(data.validation),
        "test images": len(data.test),
        "device": data.train.labels.device.type,
    }


def _position(content: Mapping[str, Any]) -> str:
    done, step = len(content["epochs"]), content["step"]
    return f"{done} epochs are done" + (f", and {step} steps of the next" if step else "")


def _warn(message: str) -> None:
    print(f"warning: {message}", file=sys.stderr, flush=True)


def _observers(output: Path | None) -> list[Observer]:
    """Return who is told: on a terminal a bar takes the place of the lines within an epoch."""
    terminal = sys.stdout.isatty() and sys.stderr.isatty()
    observers: list[Observer] = [LogLines(sys.stdout, every_step=not terminal)]
    if terminal:
        observers.insert(0, ProgressBar(sys.stderr))
    if metrics := os.environ.get("SAGEMAKER_METRICS_DIRECTORY"):
        observers.append(MetricsFile(Path(metrics)))
    if output is not None:
        observers.append(JsonLines(output / "events.jsonl"))
    return observers


def _write(
    result: TrainingResult, model: DigitNet, data: DigitData, hyperparameters: Hyperparameters, places: Places
) -> None:
    path = save_artifact(Artifact.of(model, result, hyperparameters), places.model)
    print(describe(result.test))
    if places.output is not None:
        write_report(result, data.test, hyperparameters, places.output)
    print(f"Saved the weights of epoch {result.best.epoch} to {path}.", flush=True)


def choose_device(wish: str, *, num_gpus: int | None = None, local_rank: int = 0) -> torch.device:
    """
    Return the device that *wish* names; ``auto`` is a GPU if this process may use one.

    Raises:
        ConfigError: If a GPU is asked for and there is none.
    """
    there = num_gpus != 0 and torch.cuda.is_available()
    if wish == "cuda" and not there:
        raise ConfigError("The hyperparameter 'device' is 'cuda', but there is no GPU here; 'auto' and 'cpu' will do.")
    if not there or wish == "cpu":
        return torch.device("cpu")
    return torch.device("cuda", local_rank % torch.cuda.device_count())


def _be_deterministic(device: torch.device) -> None:
    """Have a GPU give the same bits every time; a CPU does so anyway, for the same number of threads."""
    if device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True)
        torch.backends.cudnn.benchmark = False


def new_model(hyperparameters: Hyperparameters, device: torch.device) -> DigitNet:
    """Return the untrained network on *device*; its weights and its dropout depend on the seed alone."""
    generator = seeded(hyperparameters.seed, "weights")
    dropout_generator = seeded(hyperparameters.seed, "dropout", device=device)
    return build_model(Architecture.of(hyperparameters), generator=generator, dropout_generator=dropout_generator).to(
        device
    )
