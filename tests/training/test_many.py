"""Training many networks at once: each result equals that of training it alone."""

import pytest
import torch

from mnist_tracking.errors import ConfigError, DivergedError
from mnist_tracking.training.data import DigitData, normalise
from mnist_tracking.training.events import TrainingResult
from mnist_tracking.training.hyperparameters import Hyperparameters
from mnist_tracking.training.loop import train
from mnist_tracking.training.many import OWN_SETTINGS, train_many
from mnist_tracking.training.model import DigitNet
from mnist_tracking.training.run import new_model
from mnist_tracking.training.stacked import StackedNet

CPU = torch.device("cpu")


def settings(**own: object) -> Hyperparameters:
    return Hyperparameters.from_mapping({"epochs": 3, "batch_size": 33, "hidden_channels": 3, "lr": 0.05, **own})


OWN = (
    settings(),
    settings(seed=2, lr=0.1, dropout=0.3, warmup=0.5),
    settings(seed=3, recipe="reference", weight_decay=0.01, dropout=0.1, shift=1),
)


def together(data: DigitData, *records: Hyperparameters) -> tuple[list[DigitNet], list[TrainingResult | DivergedError]]:
    models = [new_model(one, CPU) for one in records]
    return models, train_many(models, data, records)


def test_each_is_what_it_would_be_alone(data: DigitData) -> None:
    """Scores of every epoch, the choice, the test and the weights, within what another order of additions changes."""
    models, results = together(data, *OWN)
    for record, model, result in zip(OWN, models, results, strict=True):
        other = new_model(record, CPU)
        alone = train(other, data, record)

        assert isinstance(result, TrainingResult)
        assert result.best.epoch == alone.best.epoch
        assert result.test.confusion == alone.test.confusion
        for mine, its in zip(result.epochs, alone.epochs, strict=True):
            assert mine.train.loss == pytest.approx(its.train.loss, rel=1e-3)
            assert mine.validation.accuracy == its.validation.accuracy
        for name, weight in model.state_dict().items():
            torch.testing.assert_close(weight, other.state_dict()[name], rtol=1e-3, atol=1e-4)
        assert not model.training  # it answers without dropout


def test_the_own_settings_are_all_that_the_records_differ_in() -> None:
    """Those above, so that each of them is tried."""
    records = [one.as_dict() for one in OWN]

    assert {name for name in records[0] if len({record[name] for record in records}) > 1} == set(OWN_SETTINGS)


def test_only_the_convolutions_compute_in_bf16(data: DigitData) -> None:
    """As in the network alone; if the linear layers did too, the answers would differ in the third digit."""
    models = [new_model(one, CPU) for one in OWN]
    images = normalise(data.test.images).to(torch.bfloat16)
    answers = StackedNet(models)(images.expand(-1, len(models), -1, -1), training=False)

    assert answers.dtype == torch.float32
    for model, answer in zip(models, answers, strict=True):
        torch.testing.assert_close(answer, model.eval()(images), rtol=0, atol=1e-4)


def test_one_that_diverges_does_not_disturb_the_others(data: DigitData) -> None:
    """Its entry is the error, which names the step, and its model keeps the initial weights."""
    wild = settings(lr=1e18)
    models, results = together(data, OWN[0], wild)
    _, alone = together(data, OWN[0])

    assert isinstance(results[1], DivergedError)
    assert "epoch 1, step" in str(results[1])
    assert torch.equal(models[1].conv1.weight, new_model(wild, CPU).conv1.weight)
    assert isinstance(results[0], TrainingResult)
    assert isinstance(alone[0], TrainingResult)
    assert results[0].test.confusion == alone[0].test.confusion


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (settings(epochs=2), "differ in 'epochs': 3 and 2"),
        (settings(hidden_channels=4), "differ in 'hidden_channels'"),
        (settings(optimizer="adam"), "'adam'"),
    ],
)
def test_runs_that_cannot_be_trained_together_are_rejected(
    data: DigitData, other: Hyperparameters, message: str
) -> None:
    """By name, with what may differ."""
    with pytest.raises(ConfigError, match=message):
        together(data, OWN[0], other)


def test_a_batch_larger_than_the_data_is_rejected(data: DigitData) -> None:
    """As when one is trained alone."""
    with pytest.raises(ConfigError, match="batch_size=251 is larger than the number of training images, 250"):
        together(data, settings(batch_size=251))


def test_a_model_that_does_not_match_its_settings_is_rejected(data: DigitData) -> None:
    """Its dropout would differ from the recorded one."""
    with pytest.raises(ConfigError, match=r"dropout=0\.0\), but the hyperparameters require .*dropout=0\.5"):
        train_many([new_model(OWN[0], CPU)], data, [settings(dropout=0.5)])


def test_a_model_for_each_record(data: DigitData) -> None:
    """Neither fewer nor none."""
    with pytest.raises(ConfigError, match="Got 1 models and 2 settings"):
        train_many([new_model(OWN[0], CPU)], data, OWN[:2])


def test_duplicate_models_and_other_devices_are_rejected(data: DigitData) -> None:
    """One that is given twice, and one that is elsewhere."""
    model = new_model(OWN[0], CPU)

    with pytest.raises(ConfigError, match="more than once"):
        train_many([model, model], data, [OWN[0], OWN[0]])
    with pytest.raises(ConfigError, match="The models are on cpu, meta, but the data is on cpu"):
        train_many([model, new_model(OWN[0], CPU).to("meta")], data, [OWN[0], OWN[0]])
