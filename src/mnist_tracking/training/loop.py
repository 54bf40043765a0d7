"""
The training loop: epochs with a validation after each, and one test at the end.

The loop neither prints nor writes files. An `Observer` receives its events, and a `Checkpointer` may save its state
between two steps.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch

from mnist_tracking.training.data import DigitData, Split
from mnist_tracking.training.epoch import Checkpointer, EpochRunner
from mnist_tracking.training.evaluation import evaluate
from mnist_tracking.training.events import Evaluation, Observer, Several, TrainingResult
from mnist_tracking.training.hyperparameters import Hyperparameters
from mnist_tracking.training.model import DigitNet, check_architecture
from mnist_tracking.training.process_group import ALONE, ProcessGroup
from mnist_tracking.training.state import TrainingState

__all__ = ["train"]


class _NoCheckpointer:
    """Saves nothing."""

    def after_step(self, take: Callable[[], dict[str, Any]]) -> None:
        pass

    def after_epoch(self, take: Callable[[], dict[str, Any]]) -> None:
        pass


def train(
    model: DigitNet,
    data: DigitData,
    hyperparameters: Hyperparameters,
    observer: Observer | None = None,
    *,
    checkpointer: Checkpointer | None = None,
    resume_from: Mapping[str, Any] | None = None,
    group: ProcessGroup = ALONE,
) -> TrainingResult:
    """
    Train *model*, choose the best epoch by validation accuracy, and score its weights on the test images.

    The result depends only on the model, the hyperparameters, the data, the device, torch's version and number of
    threads, and the number of processes. On a GPU this requires ``torch.use_deterministic_algorithms``, which the
    training program turns on. Afterwards the model holds the chosen weights.

    Args:
        model: The network to train, on the device of *data*, with the architecture given by *hyperparameters*.
        data: Images for training, validation and the test.
        hyperparameters: The settings of the run.
        observer: Receives the events of the run.
        checkpointer: May save the state between two steps.
        resume_from: A state saved by a checkpointer of the same run. The result is bit-identical to that of an
            uninterrupted run.
        group: The processes that train together; each must call this function.

    Raises:
        ConfigError: If the model does not match the hyperparameters, a batch is larger than the training data, or the
            state does not fit the model.
        DivergedError: If a loss or a saved weight is not finite.
    """
    check_architecture(model, hyperparameters)
    steps = data.train.batches(hyperparameters.batch_size)
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # up to twice as fast
    state = TrainingState(model, hyperparameters, steps=steps)
    if resume_from is not None:
        state.restore(resume_from, first=group.rank == 0)
    observer, checkpointer = observer or Several(), checkpointer or _NoCheckpointer()
    runner = EpochRunner(state, data.train, observer=observer, checkpointer=checkpointer, group=group)

    def score(split: Split, name: str) -> Evaluation:
        size, precision = hyperparameters.test_batch_size, hyperparameters.precision
        return evaluate(model, split, batch_size=size, precision=precision, group=group, name=name)

    while (epoch := len(state.epochs) + 1) <= hyperparameters.epochs:
        trained = runner.run()
        validation = score(data.validation, f"the validation of epoch {epoch}").score
        observer.on_epoch(state.end_epoch(train=trained, validation=validation))
        checkpointer.after_epoch(state.as_dict)
    model.load_state_dict(state.best_weights)
    test = score(data.test, "the test")
    observer.on_test(test)
    return TrainingResult.of(state.epochs, test)
