"""
One training of the digits' CNN, as a job of a sweep and as a subprocess of Optuna: on a part of MNIST, with one thread.

It prints the validation accuracy and the core-seconds so far, those of the imports included, after each epoch.
"""

import argparse
import dataclasses
import time
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--images", type=int, default=12_000)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--lr", type=float, default=0.08)
    parser.add_argument("--momentum", type=float, default=0.9)
    parser.add_argument("--dropout", type=float, default=0.2)
    parser.add_argument("--hidden_channels", type=int, default=8)
    parser.add_argument("--batch_size", type=int, default=64)
    parser.add_argument("--seed", type=int, default=1)
    options = vars(parser.parse_args())
    data, images = options.pop("data"), options.pop("images")

    import torch

    from mnist_tracking.training.data import DigitData, Split, load_data
    from mnist_tracking.training.events import EpochEnd, Evaluation, Progress
    from mnist_tracking.training.hyperparameters import Hyperparameters
    from mnist_tracking.training.loop import train
    from mnist_tracking.training.randomness import seeded
    from mnist_tracking.training.run import new_model

    class Printing:
        def on_progress(self, event: Progress) -> None: ...

        def on_epoch(self, event: EpochEnd) -> None:
            print(f"core_s={time.process_time():.3f};")
            print(f"epoch={event.epoch} accuracy={event.validation.accuracy!r};", flush=True)

        def on_test(self, evaluation: Evaluation) -> None: ...

    def first(split: Split, number: int) -> Split:
        return Split(split.images[:number], split.labels[:number])

    torch.set_num_threads(1)
    hyperparameters = Hyperparameters.from_mapping({"recipe": "fast", **options})
    whole = load_data(data, validation_fraction=1 / 12, generator=seeded(1, "split"))  # the same for all trials
    part = dataclasses.replace(
        whole, train=first(whole.train, images), validation=first(whole.validation, 5000), test=first(whole.test, 100)
    )
    assert isinstance(part, DigitData)
    train(new_model(hyperparameters, torch.device("cpu")), part, hyperparameters, Printing())


if __name__ == "__main__":
    main()
