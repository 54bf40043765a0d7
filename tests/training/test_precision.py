"""bf16 on processors that support it, and nowhere else."""

import platform
from pathlib import Path

import pytest
import torch
from tests.training.conftest import Recorder

from mnist_tracking.errors import ConfigError
from mnist_tracking.training import run as run_module
from mnist_tracking.training.data import DigitData
from mnist_tracking.training.hyperparameters import Hyperparameters
from mnist_tracking.training.loop import train
from mnist_tracking.training.precision import check_precision, has_bf16
from mnist_tracking.training.run import Places, new_model, run

CPU = torch.device("cpu")
CPUINFO = Path("/proc/cpuinfo")


@pytest.mark.skipif(platform.machine() != "x86_64" or not CPUINFO.exists(), reason="reads Linux's list of instructions")
def test_a_processor_has_bf16_if_its_list_of_instructions_says_so() -> None:
    """Not if torch can merely emulate it."""
    assert has_bf16(CPU) == ("avx512_bf16" in CPUINFO.read_text())


def test_bf16_is_rejected_where_it_would_be_emulated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before data is read: the folder does not exist."""
    monkeypatch.setattr(run_module, "has_bf16", lambda _: False)
    hyperparameters = Hyperparameters(precision="bf16", device="cpu")

    with pytest.raises(ConfigError, match=r"precision='bf16' is not supported: this cpu .* Use 'fp32'"):
        run(hyperparameters, Places(data=tmp_path / "none", model=tmp_path / "model"))
    check_precision("fp32", CPU, native=False)
    check_precision("bf16", CPU, native=True)


@pytest.mark.skipif(not has_bf16(CPU), reason="this processor has no bf16")
def test_bf16_learns_and_gives_the_same_bits_twice(data: DigitData) -> None:
    """Weights and log-probabilities stay fp32; what is computed is near fp32's, and not the same."""
    settings = {"epochs": 2, "batch_size": 25, "hidden_channels": 4}
    results = []
    for precision in ("bf16", "bf16", "fp32"):
        hyperparameters = Hyperparameters.from_mapping({**settings, "precision": precision})
        model = new_model(hyperparameters, CPU)
        results.append((train(model, data, hyperparameters, Recorder()), model.state_dict()))
    (first, weights), (second, again), (exact, _) = results

    assert first == second
    assert all(torch.equal(weight, again[name]) and weight.dtype == torch.float32 for name, weight in weights.items())
    assert first.test.loss != exact.test.loss
    assert first.test.loss == pytest.approx(exact.test.loss, abs=0.1)
