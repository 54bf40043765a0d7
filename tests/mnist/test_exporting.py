"""The digits' CNN of a trial as a file: got from where it lies, or refused before anything is fetched."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mnist_tracking import ConfigError, ExperimentRunner, MissingDependencyError, StateError, Trial, Workspace
from mnist_tracking.cli.app import cli
from mnist_tracking.mnist import export_model

torch = pytest.importorskip("torch")

FORMATS = ["onnx", "torchscript", "state-dict"]
Ask = Callable[..., Result]


@pytest.fixture
def trial(workspace: Workspace, tmp_path: Path) -> Trial:
    """A trial whose model is a CNN as training leaves it, though nobody has trained it."""
    from mnist_tracking.training.artifact import Artifact, save_artifact
    from mnist_tracking.training.model import Architecture, DigitNet

    network = DigitNet(Architecture(hidden_channels=2, kernel_size=5, dropout=0.2))
    artifact = Artifact(architecture=network.architecture, weights=network.state_dict())
    with ExperimentRunner(workspace, "digits").trial(name="untrained") as recording:
        recording.log_model(save_artifact(artifact, tmp_path / "model"))
    return workspace.trial("untrained")


@pytest.fixture
def ask(tmp_path: Path, trial: Trial) -> Ask:
    """Runs a command line in the home of the trial."""
    return lambda *arguments: CliRunner().invoke(cli, ["--home", str(tmp_path / "home"), *arguments])


def test_the_weights_are_those_of_the_trial(trial: Trial, tmp_path: Path) -> None:
    path = export_model(trial, tmp_path / "new" / "digits.pth", format="state-dict")
    sent = torch.load(tmp_path / "model" / "model.pth", weights_only=True)["state_dict"]
    written = torch.load(path, weights_only=True)["state_dict"]

    assert path == tmp_path / "new" / "digits.pth"
    assert all(torch.equal(sent[name], written[name]) for name in sent.keys() | written.keys())


def test_a_model_of_another_kind_is_told_from_the_cnn(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "model.pth").write_text("3")
    with ExperimentRunner(workspace, "factors").trial(name="three") as recording:
        recording.log_model(tmp_path / "model.pth")
    with ExperimentRunner(workspace, "factors").trial(name="none"):
        pass

    said = "'three' has a model that is not the digits' CNN: 'model.pth' is not a model artifact, or it is truncated"
    with pytest.raises(StateError, match=said):
        export_model(workspace.trial("three"), tmp_path / "digits.onnx")
    with pytest.raises(StateError, match=r"The trial 'none' has no \w*"):
        export_model(workspace.trial("none"), tmp_path / "digits.onnx")
    assert not (tmp_path / "digits.onnx").exists()


def test_bad_input_is_refused_before_anything_is_fetched(
    trial: Trial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The workspace is closed: whatever asked it would fail otherwise."""
    trial._account.close()
    (tmp_path / "digits").touch()
    with pytest.raises(ConfigError, match=r"already exists\. Pass overwrite=True to replace it"):
        export_model(trial, tmp_path / "digits")
    with pytest.raises(ConfigError, match="format='pickle'; expected one of"):
        export_model(trial, tmp_path / "other", format="pickle")  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(
        MissingDependencyError, match=r"onnxruntime is not installed. Run: pip install onnx onnxruntime pillow"
    ):
        export_model(trial, tmp_path / "other")


def test_without_torch_the_command_is_said(trial: Trial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("mnist_tracking.training.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)

    with pytest.raises(MissingDependencyError, match=r"torch is not installed\. Run: pip install torch"):
        export_model(trial, tmp_path / "digits")


@pytest.mark.parametrize("form", FORMATS)
def test_the_command_writes_the_file_and_prints_its_path(ask: Ask, tmp_path: Path, form: str) -> None:
    told = ask("export", "untrained", "--format", form, "--to", str(tmp_path / "digits"))

    assert (told.exit_code, told.stdout) == (0, f"{tmp_path / 'digits'}\n")
    assert "The exported model predicts what the original does." in told.stderr
    assert (tmp_path / "digits").stat().st_size > 1000


def test_the_command_replaces_a_file_only_by_force(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "digits.onnx").touch()
    refused = ask("export", "untrained", "--to", str(tmp_path / "digits.onnx"))
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "digits.onnx exists already; --force replaces it." in refused.stderr
    assert os.path.getsize(tmp_path / "digits.onnx") == 0

    assert ask("export", "untrained", "--to", str(tmp_path / "digits.onnx"), "--force").exit_code == 0
    assert os.path.getsize(tmp_path / "digits.onnx") > 1000
