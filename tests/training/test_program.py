"""The command: arguments, SageMaker's variables, exit codes, and output files."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from mnist_tracking.training.artifact import load_artifact
from mnist_tracking.training.entry import METRIC_REGEXES
from mnist_tracking.training.hyperparameters import known_hyperparameters
from mnist_tracking.training.main import main

SMALL = ["--recipe", "reference", "--epochs", "1", "--hidden_channels", "2", "--batch-size", "50"]


@pytest.fixture(autouse=True)
def no_sagemaker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A laptop: none of SageMaker's variables, and a working folder of its own."""
    for name in list(os.environ):
        if name.startswith("SM_") or name == "MNIST_DATA_DIR":
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_a_laptop_needs_no_variables(digits_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The data is the only option; the model is written to ./model, reports to ./output."""
    code = main(["--data-dir", str(digits_dir), *SMALL])
    out, err = capsys.readouterr()

    assert (code, err) == (0, "")
    assert all(re.search(regex, out) for regex in METRIC_REGEXES.values())
    assert sorted(path.name for path in Path().iterdir()) == ["model", "output"]
    assert "digit  images  correct   confused with" in out
    assert load_artifact(Path("model")).architecture.hidden_channels == 2


def test_sagemakers_variables_are_the_defaults(
    digits_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Data, model and output folder; the history holds every epoch's scores."""
    monkeypatch.setenv("SM_CHANNEL_TRAINING", str(digits_dir))
    monkeypatch.setenv("SM_MODEL_DIR", str(tmp_path / "m"))
    monkeypatch.setenv("SM_OUTPUT_DATA_DIR", str(tmp_path / "o"))
    monkeypatch.setenv("SM_HOSTS", '["algo-1"]')
    monkeypatch.setenv("SM_NUM_GPUS", "0")

    assert main([*SMALL, "--backend", "", "--lr", "1e-02"]) == 0
    history = json.loads((tmp_path / "o" / "history.json").read_text())
    assert history["hyperparameters"]["hidden_channels"] == 2
    assert [epoch["epoch"] for epoch in history["epochs"]] == [1]
    scores = load_artifact(tmp_path / "m").scores
    assert (history["test"]["loss"], history["test"]["accuracy"]) == (scores["test:loss"], scores["test:accuracy"])


def test_checkpoints_are_written_to_the_given_folder(digits_dir: Path) -> None:
    """One per epoch."""
    main(["--data-dir", str(digits_dir), *SMALL, "--epochs", "2", "--checkpoint-dir", "c"])

    assert sorted(path.name for path in Path("c").iterdir()) == ["epoch-0001.pt", "epoch-0002.pt"]


def test_checkpoints_are_written_to_sagemakers_folder(digits_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder next to the model's, if the job has one."""
    monkeypatch.setenv("SM_MODEL_DIR", str(Path("ml/model").absolute()))
    main(["--data-dir", str(digits_dir), *SMALL])
    assert not Path("ml/checkpoints").exists()
    Path("ml/checkpoints").mkdir()
    main(["--data-dir", str(digits_dir), *SMALL])

    assert [path.name for path in Path("ml/checkpoints").iterdir()] == ["epoch-0001.pt"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--hiden-channels", "5"], "'hiden-channels'. Did you mean 'hidden_channels'?"),
        (["--modle_dir=m"], "unknown option '--modle_dir'. Did you mean '--model-dir'?"),
        (["--epochs", "many"], "must be a whole number, at least 1"),
        (["--optimizer", "lion"], "must be one of 'sgd', 'adam'"),
        (["--kernel-size", "10"], "at least 1 and at most 9"),
        (["extra"], "unexpected argument 'extra'"),
        ([], "pass --data-dir"),
    ],
)
def test_wrong_arguments_are_one_line_and_exit_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """On standard error, before torch is imported."""
    with pytest.raises(SystemExit) as left:
        main(arguments)
    out, err = capsys.readouterr()

    assert (left.value.code, out, err.count("\n")) == (2, "", 1)
    assert message in err


def failing(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(arguments) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    return err


def test_missing_and_broken_data_is_one_line_and_exit_1(
    digits_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No such folder, and a folder with a damaged file."""
    broken = Path(shutil.copytree(digits_dir, tmp_path / "broken"))
    (broken / "t10k-labels-idx1-ubyte").write_bytes(b"\0")

    assert "directory not found" in failing(["--data-dir", "nowhere"], capsys)
    assert "is not an IDX file" in failing(["--data-dir", str(broken)], capsys)


def test_a_diverging_loss_is_one_line_and_exit_1(digits_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No model is left behind."""
    assert "The loss is" in failing(["--data-dir", str(digits_dir), *SMALL, "--lr", "1e18"], capsys)
    assert not list(Path("model").iterdir())


@pytest.mark.parametrize("option", ["--model-dir", "--output-data-dir", "--checkpoint-dir"])
def test_a_folder_that_cannot_be_written_is_noticed_before_training(
    capsys: pytest.CaptureFixture[str], option: str
) -> None:
    """For example because it is a file. The data is not read before."""
    Path("taken").write_text("")

    assert "The folder 'taken' is not writable" in failing(["--data-dir", "nowhere", option, "taken"], capsys)
    assert "The folder 'taken/in' is not writable" in failing(["--data-dir", "nowhere", option, "taken/in"], capsys)


@pytest.mark.parametrize("hosts", ["3", "algo-1"])
def test_a_wrong_list_of_hosts_is_exit_1(digits_dir: Path, capsys: pytest.CaptureFixture[str], hosts: str) -> None:
    """No traceback, whatever it is."""
    assert "The list of hosts" in failing(["--data-dir", str(digits_dir), *SMALL, "--hosts", hosts], capsys)


def start(digits_dir: Path) -> subprocess.Popen[str]:
    """Train for longer than any test takes, with Ctrl-C as on a terminal: a shell's background job ignores it."""
    script = (
        "import signal, sys\n"
        "from mnist_tracking.training.main import main\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "sys.exit(main())"
    )
    command = [sys.executable, "-c", script, "--data-dir", str(digits_dir), "--epochs", "1000000"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_an_interrupt_is_one_line_and_exit_130(digits_dir: Path) -> None:
    """Ctrl-C while training."""
    with start(digits_dir) as program:
        assert program.stdout is not None
        program.stdout.readline()
        program.send_signal(signal.SIGINT)
        _, err = program.communicate()

    assert (program.returncode, err) == (130, "error: interrupted before the run was finished.\n")


def test_a_closed_standard_output_ends_training(digits_dir: Path) -> None:
    """As in ``... | head -1``."""
    with start(digits_dir) as program:
        assert program.stdout is not None
        assert program.stderr is not None
        program.stdout.readline()
        program.stdout.close()
        err = program.stderr.read()

    assert (program.returncode, err) == (1, "error: standard output was closed before the run was finished.\n")


def test_without_torch_the_command_to_install_it_is_shown(digits_dir: Path) -> None:
    """After the arguments were checked, which needs no torch."""
    script = (
        "import sys\n"
        "sys.modules['torch'] = None\n"
        "from mnist_tracking.training.main import main\n"
        f"sys.exit(main(['--data-dir', {str(digits_dir)!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error: torch is not installed. Run: pip install torch\n"


def test_two_processes_give_bit_identical_weights(digits_dir: Path) -> None:
    """Whatever is logged, written besides, or imported and drawn before; another seed gives others."""
    train = "from mnist_tracking.training.main import main; import sys; sys.exit(main(sys.argv[1:]))"
    busy = f"import torch; torch.manual_seed(5); torch.rand(9); torch.set_num_threads(2); {train}"
    runs = {
        "plain": (train, "7", []),
        "busy": (busy, "7", ["--log-interval", "1", "--checkpoint-dir", "c", "--test-batch-size", "7"]),
        "other": (train, "8", []),
    }
    for name, (script, seed, more) in runs.items():
        command = [sys.executable, "-c", script, "--data-dir", str(digits_dir), "--model-dir", name, "--seed", seed]
        subprocess.run([*command, *SMALL, *more], check=True, capture_output=True)
    plain, busy_one, other = (load_artifact(Path(name)).weights for name in runs)

    assert all(torch.equal(weight, busy_one[name]) for name, weight in plain.items())
    assert not torch.equal(plain["fc1.weight"], other["fc1.weight"])


def test_the_program_imports_no_heavy_packages_it_does_not_need(digits_dir: Path) -> None:
    """Neither torch's compiler, which doubles the start-up, nor any SDK."""
    script = (
        "import sys, mnist_tracking.training.main as m\n"
        f"code = m.main(['--data-dir', {str(digits_dir)!r}, *{SMALL!r}, '--checkpoint-dir', 'c'])\n"
        "unwanted = ('torch._dynamo', 'torch._inductor', 'sympy', 'boto3', 'sagemaker', 'attr', 'pandas', 'PIL')\n"
        "print([name for name in unwanted if name in sys.modules], code)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "[] 0"


def test_help_names_every_option_and_shows_an_example() -> None:
    """As ``python -m mnist_tracking.training --help``."""
    command = [sys.executable, "-m", "mnist_tracking.training", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)

    assert all(f"--{name.replace('_', '-')}" in done.stdout for name in known_hyperparameters())
    assert "--data-dir mnist --epochs 2" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 120


@pytest.mark.real_mnist
@pytest.mark.skipif("MNIST_DATA_DIR" not in os.environ, reason="needs the real MNIST in MNIST_DATA_DIR")
def test_one_epoch_of_the_real_mnist() -> None:
    """The smallest of the reference's networks reaches its accuracy."""
    reference = ["--recipe", "reference", "--hidden-channels", "2", "--dropout", "0.2"]
    assert main(["--data-dir", REAL, "--epochs", "1", *reference]) == 0
    assert load_artifact(Path("model")).scores["test:accuracy"] > 92


REAL = os.environ.get("MNIST_DATA_DIR", "")
