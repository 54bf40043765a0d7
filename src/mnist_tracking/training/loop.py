"""
The training loop: epochs, a validation after each, and one test at the end.

The loop neither prints nor writes. An `Observer` is told what happens and decides what becomes of it; a `Checkpointer` may
take the state of the run between two steps.
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
    """Keeps nothing."""

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

    What is computed depends on the model, the hyperparameters, the data, the device, torch's version and threads, and
    the number of processes alone; on a GPU, where ``torch.use_deterministic_algorithms`` is on, as the program has it.
    Afterwards the model holds the chosen weights.

    Args:
        model: On the device of *data*, and what the hyperparameters say.
        data: To learn from, to choose by, and to score on.
        hyperparameters: How.
        observer: Is told what happens.
        checkpointer: May keep the state between two steps.
        resume_from: A state that a checkpointer of the same run took; the rest is bit-equal to that of an uninterrupted run.
        group: The processes that train together; each calls this function.

    Raises:
        ConfigError: If the model is not what the hyperparameters say, a batch is larger than the training data, or the
            state does not fit the model.
        DivergedError: If a loss, or a weight that is to be kept, is not finite.
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
