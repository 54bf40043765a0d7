"""Every error is one line with the right exit code, before training starts if possible."""

import gzip
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.support.digits import idx_bytes, make_digits
from tests.training.test_checkpoints import Folder, state_after

from mnist_tracking.errors import ConfigError
from mnist_tracking.training.checkpoint import load_checkpoint
from mnist_tracking.training.idx import unpack
from mnist_tracking.training.main import main
from mnist_tracking.training.plain import save_plain

IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
TEST_IMAGES = "t10k-images-idx3-ubyte"
SMALL = ["--recipe", "reference", "--epochs", "2", "--hidden-channels", "1", "--kernel-size", "9", "--batch-size", "25"]


def floats(directory: Path) -> None:
    content = np.zeros((300, 28, 28), ">f4")
    header = bytes([0, 0, 0x0D, 3]) + np.array(content.shape, ">u4").tobytes()
    (directory / IMAGES).write_bytes(header + content.tobytes())


def swapped(first: str, second: str) -> Callable[[Path], object]:
    def swap(directory: Path) -> None:
        (directory / first).replace(directory / "other")
        (directory / second).replace(directory / first)
        (directory / "other").replace(directory / second)

    return swap


def packed(change: Callable[[bytes], bytes]) -> Callable[[Path], object]:
    def pack(directory: Path) -> None:
        content = (directory / IMAGES).read_bytes()
        (directory / IMAGES).unlink()
        (directory / f"{IMAGES}.gz").write_bytes(change(gzip.compress(content)))

    return pack


DATA: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (
        lambda directory: (directory / LABELS).unlink(),
        "does not contain train-labels-idx1-ubyte, raw or .gz. Found: ",
    ),
    "floats": (floats, "contains numbers of type float32; expected uint8"),
    "images for labels": (swapped(IMAGES, LABELS), "contains labels; expected images. Are two files swapped?"),
    "train for test": (
        swapped(IMAGES, TEST_IMAGES),
        "contains 100 images, but train-labels-idx1-ubyte contains 300 labels",
    ),
    "cut": (packed(lambda content: content[:-20]), "is truncated: its gzip stream ends after"),
    "a wrong byte": (packed(lambda content: content[:-7] + b"?" + content[-6:]), "it fails its checksum"),
    "something else": (
        packed(lambda _: gzip.compress(b"<html>" * 99)),
        "it starts with 3c 68 74 6d; expected 00 00 08 03",
    ),
    "sides": (
        lambda directory: (directory / TEST_IMAGES).write_bytes(idx_bytes(make_digits(100)[0][:, 1:])),
        "contains images of 27x28 pixels; expected 28x28",
    ),
}

SETTINGS: dict[str, tuple[list[str], int, str]] = {
    "batch": (["--batch-size", "276"], 1, "batch_size=276 is larger than the number of training images, 275"),
    "nothing to validate": (
        ["--validation-fraction", "0.001"],
        1,
        "validation_fraction=0.001 holds out 0 of 300 training images",
    ),
    "nothing to learn": (
        ["--validation-fraction", "0.999"],
        1,
        "validation_fraction=0.999 holds out 300 of 300 training images",
    ),
    "kernel": (
        ["--kernel-size", "10"],
        2,
        "'kernel_size' is '10', but must be a whole number, at least 1 and at most 9",
    ),
    "device": (["--device", "tpu"], 2, "'device' is 'tpu', but must be one of 'auto', 'cpu', 'cuda'"),
    "threads": (["--threads", "100000"], 2, "at most 1024"),
    "no epochs": (["--epochs", "0"], 2, "at least 1"),
    "all epochs": (["--epochs", "1e300"], 2, "at most 1000000"),
    "divergence": (["--lr", "1e18"], 1, "so training was stopped. A smaller lr may help"),
}


def failing(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """Return the exit code, the line of the error, and the log."""
    try:
        code = main(arguments)
    except SystemExit as left:
        code = int(str(left.code))
    out, err = capsys.readouterr()
    assert (err.count("\n"), err[:7]) == (1, "error: ")
    assert not list(Path().glob("model/*"))
    return code, err, out


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("wrong", DATA)
def test_wrong_data_is_rejected(digits_dir: Path, wrong: str, capsys: pytest.CaptureFixture[str]) -> None:
    breaking, message = DATA[wrong]
    breaking(Path(shutil.copytree(digits_dir, "data")))
    code, error, log = failing(["--data-dir", "data", *SMALL], capsys)

    assert (code, log) == (1, "")
    assert message in error


@pytest.mark.parametrize("wrong", SETTINGS)
def test_wrong_settings_are_rejected(digits_dir: Path, wrong: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments, expected, message = SETTINGS[wrong]
    code, error, log = failing(["--data-dir", str(digits_dir), *SMALL, *arguments], capsys)

    assert (code, log) == (expected, "")
    assert message in error


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_missing_gpu_is_rejected(digits_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, error, log = failing(["--data-dir", str(digits_dir), *SMALL, "--device", "cuda"], capsys)

    assert (code, log) == (1, "")
    assert "device='cuda', but no GPU is available. Use 'auto' or 'cpu'." in error


def test_a_small_file_does_not_fill_the_memory() -> None:
    """Bytes after the last image announced by the header are not decompressed."""
    images, _ = make_digits(3)
    bomb = gzip.compress(idx_bytes(images) + bytes(30_000_000))

    assert len(unpack(bomb, Path("bomb.gz"))) == 16 + images.size + 1


def test_a_divergence_leaves_the_last_good_checkpoint(digits_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The message names the step, and no checkpoint with such weights is written."""
    arguments = ["--data-dir", str(digits_dir), *SMALL, "--checkpoint-dir", "c"]
    main([*arguments, "--epochs", "1"])
    shutil.rmtree("model")
    capsys.readouterr()
    path = Path("c/epoch-0001.pt")
    state = load_checkpoint(path)
    state["state_dict"]["fc1.bias"] += 1e30
    save_plain(state, path)
    code, error, _ = failing(arguments, capsys)

    assert code == 1
    assert "The loss is nan in epoch 2, step 2, so training was stopped" in error
    assert [path.name for path in Path("c").iterdir()] == ["epoch-0001.pt"]


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Simulate a disk that is full when a file reaches this size."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_keeps_existing_checkpoints(tmp_path: Path) -> None:
    """No partial file is left."""
    Folder(tmp_path).write(state_after(1))
    with largest_file(1000), pytest.raises(ConfigError, match=r"epoch-0002.pt' cannot be written: File too large"):
        Folder(tmp_path).write(state_after(2))

    assert [path.name for path in tmp_path.iterdir()] == ["epoch-0001.pt"]
    assert Folder(tmp_path).place() == (1, 0)


@pytest.mark.parametrize(
    ("size", "more", "file"),
    [
        (10, [], "output/events.jsonl"),
        (10_000, ["--checkpoint-dir", "c"], "c/epoch-0001.pt"),
        (10_000, [], "model/model.pth"),
    ],
)
def test_a_full_disk_is_a_clean_end(
    digits_dir: Path, capsys: pytest.CaptureFixture[str], size: int, more: list[str], file: str
) -> None:
    """No partial file is left."""
    with largest_file(size):
        code, error, _ = failing(["--data-dir", str(digits_dir), *SMALL, *more], capsys)

    assert (code, error) == (1, f"error: '{file}' cannot be written: File too large.\n")
    assert not [path for path in Path().rglob("*") if path.name.startswith(".")]


def test_a_report_that_cannot_be_written_is_an_error(digits_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The model has been written before."""
    Path("output/history.json").mkdir(parents=True)

    assert main(["--data-dir", str(digits_dir), *SMALL]) == 1
    assert capsys.readouterr().err == "error: 'output/history.json' cannot be written: Is a directory.\n"
    assert [path.name for path in Path("model").iterdir()] == ["model.pth"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_for_the_log_ends_training(digits_dir: Path) -> None:
    """With a one-line error, and no second one from Python."""
    command = [sys.executable, "-m", "mnist_tracking.training", "--data-dir", str(digits_dir), *SMALL]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)

    assert (done.returncode, done.stderr) == (1, "error: the log cannot be written: No space left on device.\n")


def test_more_threads_than_processors_cause_a_warning(digits_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """They are allowed, since they affect the last digits."""
    many = str((os.cpu_count() or 1) + 1)
    code = main(["--data-dir", str(digits_dir), *SMALL, "--epochs", "1", "--threads", many])
    torch.set_num_threads(1)

    assert code == 0
    assert capsys.readouterr().err.startswith(
        f"warning: threads={many} exceeds the number of processors, {os.cpu_count()};"
    )
