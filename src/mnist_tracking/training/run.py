"""A complete training run: read the data files, train, and write the model and its reports."""

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
        data: Folder with the four IDX files.
        model: Output folder for ``model.pth``.
        output: Output folder for the files of `write_report` and ``events.jsonl``; None writes none of them.
        checkpoints: Checkpoint folder, used by one run at a time; a run resumes from its newest checkpoint there. None
            disables checkpoints.
    """

    data: Path
    model: Path
    output: Path | None = None
    checkpoints: Path | None = None

    def check(self) -> None:
        """
        Create the output folders and check that they are writable, before hours of work are lost.

        Raises:
            ConfigError: If a folder is not writable.
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
    Train on the data in a folder, log to standard output, and write the model to another folder.

    The output folders are created and checked first. Sets torch's number of threads for the whole process.

    Args:
        hyperparameters: The settings of the run.
        places: Input and output folders.
        num_gpus: Number of GPUs the job may use. Defaults to all.
        membership: This process's place among several; only the first one logs and writes files.
        stop: Context manager that is entered when training begins. When its request holds a signal, the run writes a
            checkpoint and raises `StoppedError`. Ignored without a checkpoint folder.

    Raises:
        DatasetError: If the data is missing or damaged.
        ConfigError: If the device is not available, a batch is larger than the data, a folder or file cannot be
            written, another run uses the checkpoint folder, or the newest checkpoint belongs to a different run.
        DivergedError: If a loss or a weight is not finite; the last checkpoint is from before.
        StoppedError: If a signal stopped the run.
        ProcessLostError: If another process cannot be reached, or ended.
    """
    places.check()
    if hyperparameters.threads > (there := os.cpu_count() or 1):
        _warn(f"threads={hyperparameters.threads} exceeds the number of processors, {there}; training will be slower.")
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
    """Return the facts that the result depends on, apart from the hyperparameters."""
    return {
        DATA: fingerprint(data),
        "training images": len(data.train),
        "validation images": len(data.validation),
        "test images": len(data.test),
        "device": data.train.labels.device.type,
    }


def _device_name(device: torch.device) -> str:
    """Return the hardware's name, which determines the order of additions."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{device.type} ({torch.backends.cpu.get_cpu_capability()})"


def _position(content: Mapping[str, Any]) -> str:
    done, step = len(content["epochs"]), content["step"]
    return f"{done} epochs completed" + (f", and {step} steps of the next" if step else "")


def _warn(message: str) -> None:
    print(f"warning: {message}", file=sys.stderr, flush=True)


def _observers(output: Path | None, state: Mapping[str, Any] | None = None) -> list[Observer]:
    """
    Return the observers of a run; on a terminal, a progress bar replaces the log lines within an epoch.

    A run that resumes from *state* logs its completed epochs again, so that its log contains the metrics of the epoch
    whose weights are chosen.
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
        print(f"Resuming from a checkpoint: {_position(state)}.", flush=True)
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
    Return the device for *wish*: ``"cuda"``, ``"cpu"``, or ``"auto"``, a GPU if this process may use one.

    Raises:
        ConfigError: If *wish* is ``"cuda"`` and no GPU is available.
    """
    there = num_gpus != 0 and torch.cuda.is_available()
    if wish == "cuda" and not there:
        raise ConfigError("device='cuda', but no GPU is available. Use 'auto' or 'cpu'.")
    if not there or wish == "cpu":
        return torch.device("cpu")
    return torch.device("cuda", local_rank % torch.cuda.device_count())


def _be_deterministic(device: torch.device) -> None:
    """
    Make results on a GPU bit-identical; on a CPU they are, for the same number of threads.

    Also turn off TF32, which torch uses for convolutions in place of fp32.
    """
    if device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True)
        torch.backends.cudnn.benchmark = False
        torch.backends.cudnn.allow_tf32 = False


def new_model(hyperparameters: Hyperparameters, device: torch.device) -> DigitNet:
    """Return an untrained network on *device*; its weights and its dropout depend only on the seed."""
    generator = seeded(hyperparameters.seed, "weights")
    dropout_generator = seeded(hyperparameters.seed, "dropout", device=device)
    return build_model(Architecture.of(hyperparameters), generator=generator, dropout_generator=dropout_generator).to(
        device
    )
