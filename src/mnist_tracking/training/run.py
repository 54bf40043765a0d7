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
from mnist_tracking.training.checkpointing import FolderCheckpointer, StopRequest
from mnist_tracking.training.data import DigitData, load_data
from mnist_tracking.training.distributed import choose_backend, joined
from mnist_tracking.training.events import Observer, Several, TrainingResult
from mnist_tracking.training.files import check_writable
from mnist_tracking.training.fingerprint import fingerprint
from mnist_tracking.training.fitting import DATA
from mnist_tracking.training.hyperparameters import Hyperparameters
from mnist_tracking.training.loop import train
from mnist_tracking.training.membership import Membership
from mnist_tracking.training.model import Architecture, DigitNet, build_model
from mnist_tracking.training.observers import JsonLines, LogLines, MetricsFile, ProgressBar
from mnist_tracking.training.precision import check_precision, has_bf16
from mnist_tracking.training.process_group import ProcessGroup
from mnist_tracking.training.randomness import seeded
from mnist_tracking.training.report import describe, write_report
from mnist_tracking.training.state import past_epochs

__all__ = ["Places", "choose_device", "new_model", "run"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """
    The folders of a run.

    Attributes:
        data: Holds the four IDX files.
        model: Gets ``model.pth``.
        output: Gets what `write_report` writes, and ``events.jsonl``, if given.
        checkpoints: Gets checkpoints, if given; a run that finds some of its own there goes on from the newest. For one
            run at a time.
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
        ConfigError: If there is no such device, a batch is larger than the data, a folder or file cannot be written,
            another run uses the checkpoint folder, or the newest checkpoint is of another run.
        DivergedError: If a loss or a weight is not finite; the last checkpoint is from before.
        StoppedError: If it was told to end.
        ProcessLostError: If another process cannot be reached, or ended.
    """
    places.check()
    if hyperparameters.threads > (there := os.cpu_count() or 1):
        _warn(f"threads is {hyperparameters.threads}, but there are {there} processors: they will wait for each other.")
    torch.set_num_threads(hyperparameters.threads)
    local_rank = membership.local_rank if membership else 0
    device = choose_device(hyperparameters.device, num_gpus=num_gpus, local_rank=local_rank)
    check_precision(hyperparameters.precision, device, native=has_bf16(device))
    backend = choose_backend(hyperparameters.backend, device, local_rank=local_rank) if membership else ""
    _be_deterministic(device)
    model = new_model(hyperparameters, device)
    fraction, generator = hyperparameters.validation_fraction, seeded(hyperparameters.seed, "split")
    data = load_data(places.data, validation_fraction=fraction, generator=generator).to(device)
    facts = _facts(data) if membership or places.checkpoints else {}
    with (
        joined(membership, backend=backend, device=device, facts={**hyperparameters.as_dict(), **facts}) as group,
        stop or nullcontext(StopRequest()) as request,
    ):
        result = _train(model, data, hyperparameters, places, facts=facts, group=group, stop=request)
        if group.rank == 0:
            _write(result, model, data, hyperparameters, places)
    return result


def _train(
    model: DigitNet,
    data: DigitData,
    hyperparameters: Hyperparameters,
    places: Places,
    *,
    facts: Mapping[str, int | str],
    group: ProcessGroup,
    stop: StopRequest,
) -> TrainingResult:
    if places.checkpoints is None:
        observers = _observers(places.output) if group.rank == 0 else []
        return train(model, data, hyperparameters, Several(observers), group=group)
    circumstances = {**facts, "device": _device_name(data.train.labels.device), "processes": group.size}
    folder = CheckpointFolder(places.checkpoints, hyperparameters, circumstances=circumstances, warn=_warn)
    checkpointer = FolderCheckpointer(folder, interval_s=hyperparameters.checkpoint_s, stop=stop, group=group)
    with folder.taken() if group.rank == 0 else nullcontext():  # hosts share no folder
        state = group.from_first(folder.latest() if group.rank == 0 else None)
        observers = _observers(places.output, state) if group.rank == 0 else []
        return train(
            model, data, hyperparameters, Several(observers), checkpointer=checkpointer, resume_from=state, group=group
        )


def _facts(data: DigitData) -> Mapping[str, int | str]:
    """Return what the result depends on, beside the hyperparameters."""
    return {
        DATA: fingerprint(data),
        "training images": len(data.train),
        "validation images": len(data.validation),
        "test images": len(data.test),
        "device": data.train.labels.device.type,
    }


def _device_name(device: torch.device) -> str:
    """Name what decides in which order numbers are added."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{device.type} ({torch.backends.cpu.get_cpu_capability()})"


def _position(content: Mapping[str, Any]) -> str:
    done, step = len(content["epochs"]), content["step"]
    return f"{done} epochs are done" + (f", and {step} steps of the next" if step else "")


def _warn(message: str) -> None:
    print(f"warning: {message}", file=sys.stderr, flush=True)


def _observers(output: Path | None, state: Mapping[str, Any] | None = None) -> list[Observer]:
    """
    Return who is told: on a terminal a bar takes the place of the lines within an epoch.

    A run that goes on from *state* tells its log of the epochs that are done, too: whoever chooses by what a log says
    finds the epoch there whose weights are chosen.
    """
    terminal = sys.stdout.isatty() and sys.stderr.isatty()
    observers: list[Observer] = [LogLines(sys.stdout, every_step=not terminal)]
    if terminal:
        observers.insert(0, ProgressBar(sys.stderr))
    if metrics := os.environ.get("SAGEMAKER_METRICS_DIRECTORY"):
        observers.append(MetricsFile(Path(metrics)))
    place = (0, 0)
    if state is not None:
        place = len(state["epochs"]), state["step"]
        print(f"Going on from a checkpoint: {_position(state)}.", flush=True)
        for event in past_epochs(state):
            Several(observers).on_epoch(event)
    if output is not None:
        observers.append(JsonLines(output / "events.jsonl", after=place))
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
    """
    Have a GPU give the same bits every time; a CPU does so anyway, for the same number of threads.

    And have it compute in fp32 where that is asked for, not in TF32, which torch takes for convolutions.
    """
    if device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True)
        torch.backends.cudnn.benchmark = False
        torch.backends.cudnn.allow_tf32 = False


def new_model(hyperparameters: Hyperparameters, device: torch.device) -> DigitNet:
    """Return the untrained network on *device*; its weights and its dropout depend on the seed alone."""
    generator = seeded(hyperparameters.seed, "weights")
    dropout_generator = seeded(hyperparameters.seed, "dropout", device=device)
    return build_model(Architecture.of(hyperparameters), generator=generator, dropout_generator=dropout_generator).to(
        device
    )
