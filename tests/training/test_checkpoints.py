"""The checkpoint folder: resuming, damaged and rejected checkpoints, and locking."""

import dataclasses
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.training.conftest import State, Training

from mnist_tracking.errors import ConfigError, DatasetError, DivergedError
from mnist_tracking.training.checkpoint import CheckpointFolder, load_checkpoint
from mnist_tracking.training.data import DigitData, Split
from mnist_tracking.training.events import Score
from mnist_tracking.training.fingerprint import fingerprint
from mnist_tracking.training.fitting import DATA
from mnist_tracking.training.hyperparameters import Hyperparameters
from mnist_tracking.training.plain import save_plain
from mnist_tracking.training.run import new_model
from mnist_tracking.training.state import TrainingState

SETTINGS = Hyperparameters(recipe="reference", epochs=3, hidden_channels=1, kernel_size=9)
CIRCUMSTANCES: dict[str, int | str] = {DATA: "1234abcd", "training images": 250, "device": "cpu"}
FIRST, SECOND = "epoch-0001.pt", "epoch-0002.pt"


def state_after(epochs: int, *, step: int = 0, **changes: Any) -> State:
    settings = dataclasses.replace(SETTINGS, **changes)
    state = TrainingState(new_model(settings, torch.device("cpu")), settings, steps=5).as_dict()
    return {**state, "epochs": [{}] * epochs, "step": step}


class Folder(CheckpointFolder):
    """A checkpoint folder that records its warnings."""

    def __init__(self, path: Path, *, circumstances: dict[str, int | str] | None = None, **changes: Any) -> None:
        self.warnings: list[str] = []
        settings = dataclasses.replace(SETTINGS, **changes)
        around = CIRCUMSTANCES | (circumstances or {})
        super().__init__(path, settings, circumstances=around, warn=self.warnings.append)

    def place(self) -> tuple[int, int] | None:
        found = self.latest()
        return None if found is None else (len(found["epochs"]), found["step"])


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """After epochs 1 and 2."""
    for epochs in (1, 2):
        Folder(tmp_path).write(state_after(epochs))
    return tmp_path


def flipped(at: float) -> Callable[[Path], object]:
    def flip(path: Path) -> None:
        content = bytearray(path.read_bytes())
        content[int(at * (len(content) - 1))] ^= 1
        path.write_bytes(content)

    return flip


class Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.abort, ()


def renamed_away(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "cut to a byte": lambda path: path.write_bytes(path.read_bytes()[:1]),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"\0"),
    "something else": lambda path: path.write_bytes(os.urandom(5000)),
    "torch's own": lambda path: torch.save({"format": "mnist-tracking-checkpoint/1"}, path),
    "another version's": lambda path: save_plain({"format": "mnist-tracking-checkpoint/9"}, path),
    "a part": lambda path: save_plain({"format": "mnist-tracking-checkpoint/1", "epochs": [], "step": 0}, path),
    "a bomb": lambda path: save_plain({"format": Bomb()}, path),
    "a list": lambda path: torch.save([1], path),
    "a folder": renamed_away,
    **{f"a bit at {at}": flipped(at) for at in (0, 0.1, 0.5, 0.93, 0.95, 0.97, 0.99, 0.995, 0.999, 1)},
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_is_renamed_and_the_previous_one_used(two: Path, damage: str) -> None:
    """With a one-line warning; the name is free for the next checkpoint."""
    DAMAGES[damage](two / SECOND)
    folder = Folder(two)

    assert folder.place() == (1, 0)
    assert len(folder.warnings) == 1
    assert f"It was renamed to '{SECOND}.damaged'" in folder.warnings[0]
    assert "\n" not in folder.warnings[0]
    folder.write(state_after(2))
    assert Folder(two).place() == (2, 0)
    assert (two / f"{SECOND}.damaged").exists()


def test_no_change_of_a_byte_goes_unnoticed(tmp_path: Path) -> None:
    """Also in the archive's own tables, where zip has no checksum."""
    path = Folder(tmp_path).write(state_after(1))
    content = path.read_bytes()
    table = content.rindex(b"PK\1\2")
    places = [*range(0, len(content), 997), *range(table, len(content), 3)]
    for place in places:
        path.write_bytes(content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :])
        with pytest.raises(DatasetError):
            load_checkpoint(path)
    path.write_bytes(content)

    assert load_checkpoint(path)["step"] == 0
    assert len(torch.load(path, weights_only=True)["epochs"]) == 1


def test_all_damaged_is_a_start_from_scratch(two: Path) -> None:
    for name in (FIRST, SECOND):
        (two / name).write_bytes(b"")
    folder = Folder(two)

    assert folder.place() is None
    assert len(folder.warnings) == 2


@pytest.mark.parametrize(
    ("changes", "circumstances", "said"),
    [
        ({"hidden_channels": 2}, {}, "hidden_channels was 1 and is 2"),
        ({"lr": 0.5, "seed": 2}, {}, "lr was 0.01 and is 0.5; seed was 1 and is 2"),
        ({}, {DATA: "other"}, "the data's checksum was '1234abcd' and is 'other'"),
        ({}, {"training images": 9}, "training images was 250 and is 9"),
        ({"precision": "bf16"}, {}, "precision was 'fp32' and is 'bf16'"),
    ],
)
def test_a_checkpoint_of_a_different_run_is_rejected(
    two: Path, changes: dict[str, Any], circumstances: dict[str, int | str], said: str
) -> None:
    """The message lists every difference, and no file is changed, not even a damaged one."""
    (two / SECOND).write_bytes(b"")
    before = sorted(path.name for path in two.iterdir())
    with pytest.raises(ConfigError, match=rf"{FIRST}' belongs to a different run: {said}\. No file was changed"):
        Folder(two, circumstances=circumstances, **changes).latest()

    assert sorted(path.name for path in two.iterdir()) == before


def test_more_epochs_need_a_constant_learning_rate(two: Path) -> None:
    """A triangle's slopes depend on their number."""
    assert Folder(two, epochs=30).place() == (2, 0)
    triangle = two / "triangle"
    Folder(triangle, schedule="triangular").write(state_after(1, schedule="triangular"))
    with pytest.raises(ConfigError, match=r"epochs was 3 and is 30\. A triangular schedule depends on the number"):
        Folder(triangle, schedule="triangular", epochs=30).latest()


def test_fewer_epochs_resume_from_their_last_checkpoint(two: Path) -> None:
    """As an uninterrupted run with that number of epochs would."""
    Folder(two).write(state_after(1, step=3))

    assert Folder(two, epochs=2).place() == (2, 0)
    assert Folder(two, epochs=1).place() == (1, 0)


def test_settings_that_do_not_affect_the_weights_may_differ(two: Path) -> None:
    """Silently, except for a warning about those that may change the last digits."""
    silent = Folder(two, log_interval=7, checkpoint_s=1, test_batch_size=9, device="cpu", backend="gloo")
    warned = Folder(two, threads=2, circumstances={"device": "cuda"})

    assert (silent.place(), silent.warnings) == ((2, 0), [])
    assert warned.place() == (2, 0)
    assert [line.partition(" was written with ")[2] for line in warned.warnings] == [
        "device cpu, but this run uses cuda: results may differ in the last digits.",
        "threads 1, but this run uses 2: results may differ in the last digits.",
    ]


def test_the_last_two_checkpoints_within_an_epoch_are_kept(two: Path) -> None:
    """Later checkpoints of a longer run do not count; the one just written is kept."""
    folder = Folder(two)
    for epochs, step in ((2, 4), (2, 2), (0, 1), (0, 2), (0, 3)):
        folder.write(state_after(epochs, step=step))

    assert sorted(path.name for path in two.glob("*step*")) == [
        "epoch-0001-step-00002.pt",
        "epoch-0001-step-00003.pt",
        "epoch-0003-step-00002.pt",
        "epoch-0003-step-00004.pt",
    ]


def test_drafts_of_killed_runs_are_removed(two: Path) -> None:
    """Other files are kept."""
    for name in (f".{SECOND}.123", ".epoch-0003-step-00004.pt.9", "notes.txt", ".epoch-mine.pt.1"):
        (two / name).write_text("")
    with Folder(two).taken():
        left = sorted(path.name for path in two.iterdir())

    assert left == [".epoch-mine.pt.1", FIRST, SECOND, "notes.txt"]


def test_a_folder_is_locked_by_one_run_at_a_time(tmp_path: Path) -> None:
    """No lock file is left behind."""
    with Folder(tmp_path).taken(), pytest.raises(ConfigError, match="Another run is using"), Folder(tmp_path).taken():
        pass
    with Folder(tmp_path).taken():
        assert list(tmp_path.iterdir()) == []


def test_weights_that_are_not_finite_are_not_kept() -> None:
    """The loss of the step that produced them is still finite."""
    state = TrainingState(new_model(SETTINGS, torch.device("cpu")), SETTINGS, steps=5)
    state.model.fc1.bias.data[3] = -torch.inf
    state.step = 2
    with pytest.raises(DivergedError, match=r"A weight of 'fc1.bias' is -inf in epoch 1"):
        state.as_dict()


def test_weights_that_are_not_finite_are_not_chosen() -> None:
    """Also without checkpoints."""
    state = TrainingState(new_model(SETTINGS, torch.device("cpu")), SETTINGS, steps=5)
    state.model.fc1.bias.data[3] = -torch.inf
    with pytest.raises(DivergedError, match=r"A weight of 'fc1.bias' is -inf in epoch 1"):
        state.end_epoch(train=Score(1.0, 50.0), validation=Score(1.0, 50.0))


@pytest.mark.parametrize("dropout", [0.0, 0.2])
def test_dropout_cannot_resume_on_another_kind_of_device(train_small: Callable[..., Training], dropout: float) -> None:
    """Without dropout, it can. The state of a GPU's generator has 16 bytes."""
    _, result, heard = train_small(dropout=dropout, keep=[4])
    elsewhere = {**heard.kept[4], "dropout": torch.zeros(16, dtype=torch.uint8) if dropout else None}
    if dropout:
        with pytest.raises(ConfigError, match="its dropout used another kind of device"):
            train_small(dropout=dropout, resume_from=elsewhere)
    else:
        assert heard.kept[4]["dropout"] is None
        assert train_small(dropout=dropout, resume_from=elsewhere)[1] == result


def test_a_state_that_does_not_fit_is_a_clear_error(train_small: Callable[..., Training]) -> None:
    """For example other layers with the same hyperparameters, from another version."""
    _, _, heard = train_small()
    state = heard.states[0]
    with pytest.raises(ConfigError, match=r"does not fit this network .*Unexpected key\(s\) in state_dict: \"fc9\""):
        train_small(resume_from={**state, "state_dict": {"fc9": torch.zeros(1)}})


def test_a_fingerprint_covers_every_image_and_label(data: DigitData) -> None:
    """The same each time."""
    labels = data.test.labels.clone()
    labels[7] += 1
    other = dataclasses.replace(data, test=Split(data.test.images, labels))

    assert fingerprint(data) == fingerprint(data.to(torch.device("cpu")))
    assert fingerprint(data) != fingerprint(other)


def test_a_process_killed_in_any_call_leaves_a_complete_checkpoint(tmp_path: Path) -> None:
    """One process for each call made while writing, killed in that call."""
    script = Path(__file__).with_name("killed_writing.py")
    command = [sys.executable, str(script), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.stderr == ""
    before, after = map(int, done.stdout.split())
    assert before > 5  # opened, written, flushed, synced, closed
    assert after > 2  # renamed, and older ones removed
