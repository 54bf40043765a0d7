"""
One of several processes that train together, for test_distributed.py: ``together.py RANK SIZE DATA OUT PORT...``.

All that is tested happens in one row of steps, since starting such a process takes seconds: runs of the training
loop, the command that is stopped and taken up again, and in the end the last process is lost.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from mnist_tracking.errors import ProcessLostError
from mnist_tracking.training.data import DigitData, load_data
from mnist_tracking.training.distributed import joined
from mnist_tracking.training.events import Progress, TrainingResult
from mnist_tracking.training.hyperparameters import Hyperparameters
from mnist_tracking.training.loop import train
from mnist_tracking.training.main import main
from mnist_tracking.training.membership import Membership
from mnist_tracking.training.process_group import ProcessGroup
from mnist_tracking.training.randomness import seeded
from mnist_tracking.training.run import new_model

CPU = torch.device("cpu")
RUNS: dict[str, dict[str, object]] = {  # 250 images to learn from
    "uneven": {"epochs": 2, "batch_size": 64, "dropout": 0.2, "hidden_channels": 3},
    "again": {"epochs": 2, "batch_size": 64, "dropout": 0.2, "hidden_channels": 3},
    "last batch of one": {
        "optimizer": "adam",
        "lr": 0.002,
        "batch_size": 83,
        "hidden_channels": 2,
        "weight_decay": 0.1,
    },
    "batches of two": {"recipe": "reference", "epochs": 1, "batch_size": 2, "hidden_channels": 2},
}
KEPT_AFTER = 5  # steps of 8, of the run that is taken up again
COMMAND = ["--recipe", "reference", "--hidden-channels", "2", "--batch-size", "4", "--log-interval", "1"]


class Watcher:
    """Keeps what is reported and the state after one step."""

    def __init__(self) -> None:
        self.progress: list[Progress] = []
        self.kept: dict[str, Any] | None = None
        self._steps = 0

    def after_step(self, take: Callable[[], dict[str, Any]]) -> None:
        self._steps += 1
        if self._steps == KEPT_AFTER:
            self.kept = take()

    def after_epoch(self, _take: Callable[[], dict[str, Any]]) -> None:
        pass

    def on_progress(self, event: Progress) -> None:
        self.progress.append(event)

    def on_epoch(self, _event: object) -> None:
        pass

    def on_test(self, _event: object) -> None:
        pass


Done = tuple[dict[str, torch.Tensor], TrainingResult, list[Progress]]


def run(
    data: DigitData, group: ProcessGroup, overrides: dict[str, object], *, watcher: Watcher, resume_from: Any = None
) -> Done:
    """Train once on the processes of *group*."""
    hyperparameters = Hyperparameters.from_mapping({"log_interval": 1, **overrides})
    model = new_model(hyperparameters, CPU)
    result = train(model, data, hyperparameters, watcher, checkpointer=watcher, resume_from=resume_from, group=group)
    return model.state_dict(), result, watcher.progress


def train_all(data: DigitData, group: ProcessGroup) -> dict[str, Done]:
    """Carry out all runs, and go on with the first from the state that the first process alone has."""
    watchers = {name: Watcher() for name in RUNS}
    done = {name: run(data, group, overrides, watcher=watchers[name]) for name, overrides in RUNS.items()}
    state = group.from_first(watchers["uneven"].kept if group.rank == 0 else None)
    done["resumed"] = run(data, group, RUNS["uneven"], watcher=Watcher(), resume_from=state)
    return done


def command(name: str, folder: Path, rank: int, port: int, more: list[str]) -> int:
    """Run the whole program, with folders of its own, as on a host of its own."""
    os.environ["MASTER_PORT"] = str(port)
    return main([*COMMAND, "--model-dir", str(folder / f"{name}-{rank}"), *more])


@contextmanager
def until_lost(out: Path, rank: int) -> Iterator[None]:
    """Write down which error ends the block."""
    try:
        yield
    except ProcessLostError as error:
        (out / f"lost-{rank}.txt").write_text(str(error))


def take_part(rank: int, size: int, folder: Path, out: Path, ports: list[int]) -> None:
    """Do all of it."""
    data = load_data(folder, validation_fraction=1 / 6, generator=seeded(1, "split"))
    here = Membership(rank=rank, size=size, local_rank=rank, host="127.0.0.1", port=ports[0])
    with joined(here, backend="gloo", device=CPU, facts={"images": 250}) as group:
        torch.save(train_all(data, group), out / f"runs-{rank}.pt")
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(size), "MASTER_ADDR": "127.0.0.1"}
    where = ["--data-dir", str(folder), "--output-data-dir", str(out / f"output-{rank}")]
    checkpoints = ["--checkpoint-dir", str(out / f"checkpoints-{rank}")]
    codes = [command("stopped", out, rank, ports[1], [*where, *checkpoints, "--epochs", "100000"])]
    epochs = ["--epochs", str(len(list((out / "checkpoints-0").glob("epoch-????.pt"))) + 1)]
    codes.append(command("resumed", out, rank, ports[2], [*where, *checkpoints, *epochs]))
    codes.append(command("whole", out, rank, ports[3], [*where, *epochs]))
    (out / f"codes-{rank}.txt").write_text(repr(codes))
    last = Membership(rank=rank, size=size, local_rank=rank, host="127.0.0.1", port=ports[4])
    with until_lost(out, rank), joined(last, backend="gloo", device=CPU, facts={}) as group:
        group.largest(rank)
        if rank == size - 1:
            os.kill(os.getpid(), signal.SIGKILL)
        run(data, group, RUNS["batches of two"], watcher=Watcher())


if __name__ == "__main__":
    torch.set_num_threads(1)
    take_part(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4]), list(map(int, sys.argv[5:])))
