"""The network: shapes, kernels, dropout, and the two parts of it that are our own."""

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import nn
from torch.nn import functional

from mnist_tracking.errors import ConfigError
from mnist_tracking.training.hyperparameters import Hyperparameters
from mnist_tracking.training.model import Architecture, DigitNet, build_model, feature_side
from mnist_tracking.training.optimizers import build_optimizer
from mnist_tracking.training.pooling import max_pool_2x2


def build(*, hidden_channels: int = 3, kernel_size: int = 5, dropout: float = 0.0, seed: int = 1) -> DigitNet:
    return build_model(
        Architecture(hidden_channels=hidden_channels, kernel_size=kernel_size, dropout=dropout),
        generator=torch.Generator().manual_seed(seed),
        dropout_generator=torch.Generator().manual_seed(seed),
    )


def images(count: int = 4) -> torch.Tensor:
    return torch.randn(count, 1, 28, 28, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("kernel_size", range(1, 10))
def test_every_sensible_kernel_works(kernel_size: int) -> None:
    """From 1 to 9 pixels: the outputs are log-probabilities, and every weight gets a gradient."""
    model = build(kernel_size=kernel_size).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    answers = model(images())
    answers[:, 3].sum().backward()

    assert answers.shape == (4, 10)
    torch.testing.assert_close(answers.exp().sum(dim=1), torch.ones(4))
    assert model.conv1.weight.shape[2:] == model.conv2.weight.shape[2:] == (kernel_size, kernel_size)
    assert all(bool(weight.grad.abs().sum() > 0) for weight in model.parameters())


@pytest.mark.parametrize("kernel_size", [-1, 0, 10, 29])
def test_a_kernel_that_is_too_large_is_rejected(kernel_size: int) -> None:
    """The message names the valid sizes."""
    with pytest.raises(ConfigError, match="1 to 9"):
        feature_side(kernel_size)


@pytest.mark.parametrize("hidden_channels", [1, 2, 20])
def test_hidden_channels_take_effect(hidden_channels: int) -> None:
    """Between the two convolutions."""
    model = build(hidden_channels=hidden_channels)

    assert model.conv1.weight.shape == (hidden_channels, 1, 5, 5)
    assert model.conv2.weight.shape == (20, hidden_channels, 5, 5)


def test_the_network_is_the_references() -> None:
    """Without dropout, layer for layer, it computes what the reference's definition does."""
    model, x = build().eval(), images()
    x1 = functional.relu(functional.max_pool2d(model.conv1(x), 2))
    x2 = functional.relu(functional.max_pool2d(model.conv2(x1), 2)).reshape(-1, 320)
    expected = functional.log_softmax(model.fc2(functional.relu(model.fc1(x2))), dim=1)

    assert expected.shape == (len(x), 10)
    torch.testing.assert_close(model(x), expected)


def dropped_inputs(layer: str, dropout: float) -> float:
    """Share of zeros that *layer* sees in training beyond those it sees in evaluation, of what is not zero there."""
    model = build(dropout=dropout)
    seen: dict[str, torch.Tensor] = {}
    getattr(model, layer).register_forward_pre_hook(lambda _, args: seen.update(x=args[0].detach()))
    model.eval()(images(400))
    alive = seen["x"] != 0
    model.train()(images(400))
    return float((seen["x"] == 0)[alive].float().mean())


@pytest.mark.parametrize("layer", ["fc1", "fc2"])
def test_the_dropout_hyperparameter_takes_effect_in_both_places(layer: str) -> None:
    """Before the last pooling and before the last layer; the reference ignored it in the second."""
    assert dropped_inputs("fc1", 0.0) == 0
    assert abs(dropped_inputs("fc1", 0.3) - 0.3) < 0.05
    assert dropped_inputs(layer, 0.6) > dropped_inputs(layer, 0.1) + 0.2


def test_the_first_dropout_takes_whole_channels() -> None:
    """Two-dimensional dropout, scaled so that the mean stays."""
    model = build(dropout=0.5)
    seen: dict[str, torch.Tensor] = {}
    model.fc1.register_forward_pre_hook(lambda _, args: seen.update(x=args[0].detach()))
    model.eval()(images())
    still = seen["x"].reshape(4, 20, 16)
    model.train()(images())
    ratio = (seen["x"].reshape(4, 20, 16) / still).nan_to_num(-1)

    for channel in ratio.reshape(80, 16):
        values = {round(value, 4) for value in channel.tolist()} - {-1.0}
        assert values in ({0.0}, {2.0}, set())


def test_evaluation_drops_nothing_and_draws_nothing() -> None:
    """The same prediction twice."""
    model = build(dropout=0.9).eval()

    assert torch.equal(model(images()), model(images()))


def test_weights_depend_only_on_the_generator() -> None:
    """Torch's own generator is not used."""
    state = torch.get_rng_state()
    first = build(seed=1).state_dict()

    assert torch.equal(state, torch.get_rng_state())
    torch.rand(1)
    assert all(torch.equal(first[name], weight) for name, weight in build(seed=1).state_dict().items())
    assert not torch.equal(first["fc1.weight"], build(seed=2).state_dict()["fc1.weight"])


def test_initial_weights_are_distributed_as_torchs() -> None:
    """Uniform within one over the root of the inputs, weights and biases."""
    model = build(hidden_channels=50)

    for layer in (model.conv1, model.conv2, model.fc1, model.fc2):
        bound = layer.weight[0].numel() ** -0.5
        assert 0.9 * bound < float(layer.weight.detach().abs().max()) <= bound
        assert layer.bias is not None
        assert float(layer.bias.detach().abs().max()) <= bound


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("shape", [(2, 3, 8, 8), (2, 3, 9, 8), (1, 15, 5, 7), (2, 20, 5, 8), (3, 1, 2, 2)])
def test_pooling_equals_torchs(shape: tuple[int, ...], layout: torch.memory_format) -> None:
    """Values and gradients, odd sides included."""
    x = torch.randn(shape).contiguous(memory_format=layout).requires_grad_()
    ours, theirs = max_pool_2x2(x), functional.max_pool2d(x, 2)
    weight = torch.randn(ours.shape)

    assert torch.equal(ours, theirs)
    assert torch.equal(*(torch.autograd.grad((y * weight).sum(), x)[0] for y in (ours, theirs)))


def test_among_equal_pixels_one_gets_the_gradient() -> None:
    """No gradient is lost or counted twice."""
    x = torch.zeros(1, 1, 4, 4, requires_grad=True)
    max_pool_2x2(x).sum().backward()  # type: ignore[no-untyped-call]

    assert x.grad is not None
    assert torch.equal(functional.avg_pool2d(x.grad, 2, divisor_override=1), torch.ones(1, 1, 2, 2))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({"momentum": 0.5}, lambda weights: torch.optim.SGD(weights, lr=0.1, momentum=0.5)),
        (
            {"momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
            lambda weights: torch.optim.SGD(weights, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
        ),
        ({"optimizer": "adam"}, lambda weights: torch.optim.Adam(weights, lr=0.1)),
        (
            {"optimizer": "adam", "weight_decay": 0.01},
            lambda weights: torch.optim.Adam(weights, lr=0.1, weight_decay=0.01),
        ),
    ],
)
def test_optimizers_compute_what_torchs_do(
    ours: dict[str, object], theirs: Callable[[Iterator[nn.Parameter]], torch.optim.Optimizer]
) -> None:
    """To the last bits, over several steps."""
    model, other = nn.Linear(7, 5), nn.Linear(7, 5)
    other.load_state_dict(model.state_dict())
    mine = build_optimizer(model.parameters(), Hyperparameters.from_mapping({"recipe": "reference", **ours}))
    reference = theirs(other.parameters())
    for step in range(10):
        x = torch.randn(3, 7, generator=torch.Generator().manual_seed(step))
        reference.zero_grad()
        for network in (model, other):
            network(x).square().sum().backward()
        mine.step(0.1)
        reference.step()

    for a, b in zip(model.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-7)
    assert model.weight.grad is None


def test_an_architecture_comes_from_the_hyperparameters() -> None:
    """Only the fields that the artifact needs."""
    expected = Architecture(hidden_channels=4, kernel_size=3, dropout=0.1)

    assert expected == Architecture.of(Hyperparameters(hidden_channels=4, kernel_size=3, dropout=0.1))
