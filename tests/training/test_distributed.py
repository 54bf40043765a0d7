"""Three processes compute the same as one, resume after a stop, and notice a lost process."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import attrs
import pytest
import torch
from tests.training import together
from tests.training.together import Done, Watcher

from mnist_tracking.errors import ConfigError
from mnist_tracking.training.artifact import load_artifact
from mnist_tracking.training.data import DigitData
from mnist_tracking.training.distributed import choose_backend
from mnist_tracking.training.process_group import ALONE

SIZE = 3


@contextmanager
def reserved_ports(count: int) -> Iterator[list[str]]:
    """Bind free ports without listening, so that nobody else is given them."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            each.bind(("127.0.0.1", 0))
        yield [str(each.getsockname()[1]) for each in sockets]


@attrs.frozen
class Together:
    """Files and output of the processes, by rank."""

    out: Path
    codes: list[int]
    stdout: list[str]
    stderr: list[str]

    def runs(self, rank: int) -> dict[str, Done]:
        found: dict[str, Done] = torch.load(self.out / f"runs-{rank}.pt", weights_only=False)
        return found


@pytest.fixture(scope="module")
def three(digits_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Together:
    """Run them to their end; the second one is told to stop once the first one's command has printed something."""
    out = tmp_path_factory.mktemp("together")
    with reserved_ports(5) as ports, ExitStack() as stack:
        processes = []
        for rank in range(SIZE):
            command = [sys.executable, together.__file__, str(rank), str(SIZE), str(digits_dir), str(out), *ports]
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            processes.append(stack.enter_context(process))
            stack.callback(process.kill)
        assert processes[0].stdout is not None
        first = processes[0].stdout.readline()
        processes[1].terminate()
        texts = [process.communicate(timeout=120) for process in processes]  # they would wait for one that died
    stdout = [first + texts[0][0], texts[1][0], texts[2][0]]
    return Together(out, [each.returncode for each in processes], stdout, [err for _, err in texts])


@pytest.mark.parametrize("name", together.RUNS)
def test_three_processes_compute_what_one_does(three: Together, data: DigitData, name: str) -> None:
    """Weights, losses and accuracies; with dropout, shifts, uneven shares, and shares without any image."""
    weights, result, heard = together.run(data, ALONE, together.RUNS[name], watcher=Watcher())
    theirs, their_result, they_heard = three.runs(0)[name]

    assert all(torch.allclose(weight, theirs[name], rtol=1e-3, atol=2e-5) for name, weight in weights.items())
    assert [event.loss for event in they_heard] == pytest.approx([event.loss for event in heard], 1e-3)
    assert [event.seen for event in they_heard] == [event.seen for event in heard]
    assert [(e.train.accuracy, e.validation.accuracy) for e in their_result.epochs] == [
        (e.train.accuracy, e.validation.accuracy) for e in result.epochs
    ]
    assert their_result.test.loss == pytest.approx(result.test.loss, 1e-3)
    assert their_result.test.confusion == result.test.confusion


def test_results_are_bit_identical_in_all_processes_and_every_time(three: Together) -> None:
    """Also when resuming within an epoch from a state that only one process has."""
    weights, result, heard = three.runs(0)["uneven"]
    others = [three.runs(0)["again"], three.runs(0)["resumed"], *(three.runs(rank)["uneven"] for rank in (1, 2))]

    for theirs, their_result, they_heard in others:
        assert all(torch.equal(weight, theirs[name]) for name, weight in weights.items())
        assert result == their_result
        assert they_heard == heard[-len(they_heard) :]


def test_a_signal_to_one_process_stops_all_and_the_command_resumes(three: Together) -> None:
    """From the first process's checkpoints, bit-identical to an uninterrupted run."""
    resumed, whole = (load_artifact(three.out / f"{name}-0").weights for name in ("resumed", "whole"))

    assert [(three.out / f"codes-{rank}.txt").read_text() for rank in range(SIZE)] == ["[143, 0, 0]"] * SIZE
    assert "Resuming from a checkpoint: " in three.stdout[0]
    assert all(torch.equal(weight, whole[name]) for name, weight in resumed.items())


def test_the_first_process_alone_logs_and_writes(three: Together) -> None:
    """Torch emits no warnings: each process prints one line with the reason for the stop."""
    written = {rank: [*three.out.glob(f"*-{rank}/**/*")] for rank in (1, 2)}

    assert written == {1: [], 2: []}
    assert three.stdout[1:] == ["", ""]
    assert len(set(three.stderr)) == 1
    assert three.stderr[0].startswith("error: Stopped by SIGTERM after ")
    assert three.stderr[0].count("\n") == 1


def test_a_killed_process_is_noticed_by_the_others(three: Together) -> None:
    """Each reports it in one sentence."""
    told = [(three.out / f"lost-{rank}.txt").read_text() for rank in (0, 1)]

    assert three.codes == [0, 0, -9]
    assert all(text.startswith("Lost the connection to another of the 3 processes: ") for text in told)
    assert all(text.endswith(". See that process's log for the cause.") and "\n" not in text for text in told)


@pytest.mark.parametrize(("wish", "device", "backend"), [(None, "cpu", "gloo"), (None, "cuda", "nccl"), ("gloo",) * 3])
def test_a_backend_that_fits_the_device(
    wish: str | None, device: str, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gloo supports GPUs, too."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    device = "cuda" if device == "gloo" else device

    assert choose_backend(wish, torch.device(device)) == backend


def test_an_unsupported_backend_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nccl needs a GPU for each process."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)

    with pytest.raises(ConfigError, match="backend='nccl' needs a GPU for each process, but the device is"):
        choose_backend("nccl", torch.device("cpu"))
    with pytest.raises(ConfigError, match="but this is process 1 \\(counted from 0\\) of a host with 1\\."):
        choose_backend(None, torch.device("cuda", 0), local_rank=1)
