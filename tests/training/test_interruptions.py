"""A run that is stopped or killed, and restarted, writes the same files as an uninterrupted one."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from mnist_tracking.training.artifact import load_artifact
from mnist_tracking.training.main import main

# More lines than the pipe to their reader holds, so that the program cannot have ended before it is told to.
PIPE = 4096
LONG = ["--epochs", "10", "--batch-size", "25", "--hidden-channels", "1", "--kernel-size", "9", "--log-interval", "1"]
SCRIPT = (
    "import signal, sys\n"
    "from mnist_tracking.training.main import main\n"
    "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a shell's background job ignores it
    "sys.exit(main())"
)


def arguments(data: Path, folder: Path) -> list[str]:
    places = [f"--{name}={folder / name}" for name in ("model-dir", "output-data-dir", "checkpoint-dir")]
    return [f"--data-dir={data}", *places, *LONG]


def interrupted(command: list[str], *, how: signal.Signals, lines: int) -> tuple[int, str]:
    """Send a signal after some lines of the log; return the exit code and what was said on standard error."""
    streams: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "pipesize": PIPE, "bufsize": 0}
    with subprocess.Popen([sys.executable, "-c", SCRIPT, *command], **streams) as program:
        assert program.stdout is not None
        for _ in range(lines):
            program.stdout.readline()
        program.send_signal(how)
        _, error = program.communicate()
    return program.returncode, error.decode()


@pytest.fixture(scope="module")
def whole(digits_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What an uninterrupted run leaves."""
    folder = tmp_path_factory.mktemp("whole")
    assert main(arguments(digits_dir, folder)) == 0
    return folder


def timeless(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_text().splitlines():
        event = json.loads(line)
        del event["time"]
        yield event


def assert_same(first: Path, second: Path) -> None:
    for file in ("history.json", "evaluation.json", "confusion-matrix.json", "mistakes.png"):
        assert (first / "output-data-dir" / file).read_bytes() == (second / "output-data-dir" / file).read_bytes()
    events = [list(timeless(folder / "output-data-dir" / "events.jsonl")) for folder in (first, second)]
    assert events[0] == events[1]
    weights = [load_artifact(folder / "model-dir").weights for folder in (first, second)]
    assert all(torch.equal(weight, weights[1][name]) for name, weight in weights[0].items())


@pytest.mark.parametrize(("how", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_stopped_run_resumes(
    digits_dir: Path, tmp_path: Path, whole: Path, how: signal.Signals, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the exact step, after a one-line message."""
    command = arguments(digits_dir, tmp_path)
    found, error = interrupted(command, how=how, lines=20)
    (last,) = (tmp_path / "checkpoint-dir").glob("*-step-*.pt")
    assert not (tmp_path / "model-dir" / "model.pth").exists()
    assert main(command) == 0
    log = capsys.readouterr().out
    done = int(last.name[6:10]) - 1

    assert (found, error.count("\n")) == (code, 1)
    assert f"error: Stopped by {how.name} after step " in error
    assert f"Resuming from a checkpoint: {done} epochs completed, and {int(last.name[-8:-3])} steps of the next." in log
    assert log.count("Validation Average loss") == 10
    assert_same(whole, tmp_path)


def test_a_run_killed_twice_resumes(digits_dir: Path, tmp_path: Path, whole: Path) -> None:
    """From checkpoints within an epoch, written at the given interval."""
    command = [*arguments(digits_dir, tmp_path), "--checkpoint-s", "0.001"]
    for lines in (15, 25):
        assert interrupted(command, how=signal.SIGKILL, lines=lines) == (-signal.SIGKILL, "")
    assert main(command) == 0

    history = tmp_path / "output-data-dir" / "history.json"
    history.write_text(history.read_text().replace('"checkpoint_s": 0.001', '"checkpoint_s": 0.0'))
    assert_same(whole, tmp_path)


def test_a_truncated_event_log_is_continued(digits_dir: Path, tmp_path: Path) -> None:
    """What was written after the checkpoint, and half a line of it, is dropped."""
    short = [*arguments(digits_dir, tmp_path), "--schedule", "constant", "--epochs"]
    main([*short, "2"])
    events = tmp_path / "output-data-dir" / "events.jsonl"
    before = list(timeless(events))
    with events.open("a") as file:
        file.write('{"event": "progr')
    (tmp_path / "checkpoint-dir" / "epoch-0002.pt").unlink()
    main([*short, "2"])

    assert list(timeless(events)) == before
