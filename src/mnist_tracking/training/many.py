"""Train many networks of one architecture at once: sixteen small networks keep a GPU busy, a single one does not."""

from collections.abc import Sequence

import torch
from torch import Tensor

from mnist_tracking.errors import ConfigError, DivergedError
from mnist_tracking.training.data import DigitData, Split, normalise
from mnist_tracking.training.epoch import mean_loss, plan_epoch
from mnist_tracking.training.evaluation import summarise
from mnist_tracking.training.events import EpochEnd, Evaluation, Score, TrainingResult
from mnist_tracking.training.hyperparameters import Hyperparameters
from mnist_tracking.training.model import DigitNet, check_architecture
from mnist_tracking.training.precision import DTYPES
from mnist_tracking.training.schedule import learning_rate
from mnist_tracking.training.shifting import shift_images
from mnist_tracking.training.stacked import StackedNet, StackedSgd
from mnist_tracking.training.state import Weights

__all__ = ["OWN_SETTINGS", "train_many"]

#: The hyperparameters that may differ between the runs; all others must be equal.
OWN_SETTINGS = ("seed", "lr", "warmup", "schedule", "momentum", "nesterov", "weight_decay", "dropout", "recipe")


def train_many(
    models: Sequence[DigitNet], data: DigitData, settings: Sequence[Hyperparameters]
) -> list[TrainingResult | DivergedError]:
    """
    Train several networks of one architecture together, each as `train` would train it alone.

    Each network has its own seed, learning rate, dropout and the rest of `OWN_SETTINGS`, and sees the images in its own
    order. Its metrics equal those of training it alone, except for rounding. Afterwards each model holds its chosen
    weights and is in evaluation mode. This is meant for GPUs, which a single small network cannot keep busy.

    Args:
        models: The networks, one per run, on the device of *data*, as returned by `new_model`. Their architectures may
            differ only in dropout.
        data: Images for training, validation and the test, shared by all runs.
        settings: The hyperparameters, one record per model, with ``optimizer="sgd"``.

    Returns:
        One result per model, in the same order. A run whose loss becomes infinite or NaN does not stop the others: its
        entry is the error, and its model keeps its initial weights.

    Raises:
        ConfigError: If *models* is empty or its length differs from that of *settings*, the settings differ in other
            hyperparameters or use another optimizer, a model does not match its settings, appears twice or is on
            another device than the data, or a batch is larger than the training data.

    Example:
        >>> from mnist_tracking.training import DigitData, Hyperparameters, Split, new_model
        >>> digits = Split(torch.zeros(90, 1, 28, 28, dtype=torch.uint8), torch.arange(90) % 10)
        >>> settings = [Hyperparameters(hidden_channels=2, seed=seed) for seed in (1, 2, 3)]
        >>> models = [new_model(one, torch.device("cpu")) for one in settings]
        >>> results = train_many(models, DigitData(train=digits, validation=digits, test=digits), settings)
        >>> [result.test.accuracy for result in results]
        [10.0, 10.0, 10.0]
    """
    _check(models, settings)
    _check_models(models, data)
    group = _Group(models, data, settings)
    for epoch in range(1, settings[0].epochs + 1):
        group.train_epoch(epoch)
        group.validate(epoch)
    return group.finish()


def _check(models: Sequence[DigitNet], settings: Sequence[Hyperparameters]) -> None:
    if not models or len(models) != len(settings):
        raise ConfigError(
            f"Got {len(models)} models and {len(settings)} settings; expected one of each per run, and at least one."
        )
    first = settings[0].as_dict()
    for one in settings:
        if one.optimizer != "sgd":
            raise ConfigError(f"optimizer={one.optimizer!r}; training many at once supports only 'sgd'.")
        for name, value in one.as_dict().items():
            if name not in OWN_SETTINGS and value != first[name]:
                raise ConfigError(
                    f"The runs differ in {name!r}: {first[name]!r} and {value!r}. Runs that are trained at once may "
                    f"differ only in {', '.join(OWN_SETTINGS)}."
                )
    for model, one in zip(models, settings, strict=True):
        check_architecture(model, one)


def _check_models(models: Sequence[DigitNet], data: DigitData) -> None:
    if len({id(model) for model in models}) < len(models):
        raise ConfigError("A model appears more than once; each run needs its own.")
    there = str(data.train.labels.device)
    places = {str(weight.device) for model in models for weight in model.parameters()}
    if places != {there}:
        raise ConfigError(
            f"The models are on {', '.join(sorted(places))}, but the data is on {there}; expected one device."
        )


class _Group:
    """The runs, between two epochs."""

    def __init__(self, models: Sequence[DigitNet], data: DigitData, settings: Sequence[Hyperparameters]) -> None:
        self._models, self._data, self._settings = models, data, settings
        self._steps = data.train.batches(settings[0].batch_size)
        self._net = StackedNet(models)
        self._optimizer = StackedSgd(self._net, settings)
        self._device = data.train.labels.device
        self._scores: dict[int, Score] = {}
        self._epochs: list[list[EpochEnd]] = [[] for _ in models]
        self._best: list[Weights] = [{} for _ in models]
        self._errors: dict[int, DivergedError] = {}

    def train_epoch(self, epoch: int) -> None:
        """Make one pass over the training images, each network in its own order."""
        first, count = self._settings[0], len(self._data.train)
        order, shifts = self._plan(epoch)  # (K, N), (K, N, 2)
        rates = self._rates(epoch)  # (steps, K)
        losses = torch.zeros(self._steps, self._net.size, device=self._device)
        hits = torch.zeros(self._net.size, dtype=torch.int64, device=self._device)
        for step in range(self._steps):
            rows = slice(step * first.batch_size, min((step + 1) * first.batch_size, count))
            images, labels = self._batch(order[:, rows], shifts[:, rows])
            answers = self._net(images.to(DTYPES[first.precision]), training=True)  # (K, n, 10)
            loss = -answers.gather(2, labels.unsqueeze(2)).mean(dim=(1, 2))  # (K,)
            loss.sum().backward()  # type: ignore[no-untyped-call]
            self._optimizer.step(rates[step])
            losses[step] = loss.detach()
            hits += (answers.detach().argmax(dim=2) == labels).sum(dim=1)
        self._note(epoch, losses.cpu(), hits.cpu())

    def _plan(self, epoch: int) -> tuple[Tensor, Tensor]:
        plans = [plan_epoch(one, self._data.train, epoch) for one in self._settings]
        return torch.stack([plan.order for plan in plans]), torch.stack([plan.shifts for plan in plans])

    def _rates(self, epoch: int) -> Tensor:
        done, total = (epoch - 1) * self._steps, self._settings[0].epochs * self._steps
        rates = [[learning_rate(one, done + step, total) for one in self._settings] for step in range(self._steps)]
        return torch.tensor(rates, device=self._device)

    def _batch(self, order: Tensor, shifts: Tensor) -> tuple[Tensor, Tensor]:
        """Return (n, K, 28, 28) float32 images and (K, n) labels."""
        batch, reach = self._data.train.take(order.flatten()), self._settings[0].shift
        images = shift_images(batch.images, shifts.flatten(0, 1), reach=reach) if reach else batch.images
        side = images.shape[-1]
        stacked = normalise(images).view(*order.shape, side, side).transpose(0, 1).contiguous()
        return stacked, batch.labels.view(order.shape)

    def _note(self, epoch: int, losses: Tensor, hits: Tensor) -> None:
        """Record the score of each run in this epoch, or its error."""
        count, size = len(self._data.train), self._settings[0].batch_size
        for index in range(self._net.size):
            if index in self._errors:
                continue
            try:
                loss = mean_loss(losses[:, index], batch_size=size, seen=count, epoch=epoch)
                self._scores[index] = Score(loss, 100 * int(hits[index]) / count)
            except DivergedError as error:
                self._errors[index] = error

    def validate(self, epoch: int) -> None:
        """Score each network on the validation images, and keep the weights of those that improved."""
        validations = self._evaluate(self._data.validation, f"the validation of epoch {epoch}")
        for index, validation in enumerate(validations):
            if validation is None:
                continue
            past = self._epochs[index]
            past.append(EpochEnd.after(past, train=self._scores[index], validation=validation.score))
            if past[-1].is_best:
                self._best[index] = self._net.weights_of(index)

    def _evaluate(self, split: Split, name: str) -> list[Evaluation | None]:
        """Score every network; None for a network that has diverged."""
        answers = torch.zeros(self._net.size, len(split), 10, device=self._device)
        size, precision = self._settings[0].test_batch_size, self._settings[0].precision
        with torch.no_grad():
            for start in range(0, len(split), size):
                images = normalise(split.images[start : start + size]).to(DTYPES[precision])
                answers[:, start : start + size] = self._net(images.expand(-1, self._net.size, -1, -1), training=False)
        return [self._summary(index, answers[index], split, name) for index in range(self._net.size)]

    def _summary(self, index: int, answers: Tensor, split: Split, name: str) -> Evaluation | None:
        if index in self._errors:
            return None
        try:
            return summarise(answers, split.labels, name=name)
        except DivergedError as error:
            self._errors[index] = error
            return None

    def finish(self) -> list[TrainingResult | DivergedError]:
        """Load the best weights into each model, and score them on the test images."""
        for index, model in enumerate(self._models):
            if index not in self._errors:
                model.load_state_dict(self._best[index])
            model.eval()
        self._net = StackedNet(self._models)
        tests = self._evaluate(self._data.test, "the test")
        return [self._result(index, test) for index, test in enumerate(tests)]

    def _result(self, index: int, test: Evaluation | None) -> TrainingResult | DivergedError:
        if test is None:
            return self._errors[index]
        return TrainingResult.of(self._epochs[index], test)
