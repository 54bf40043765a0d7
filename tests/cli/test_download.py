"""``mnist-tracking download``: what a user gets as files, and what is said of it."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from mnist_tracking import ExperimentRunner, Workspace

Ask = Callable[..., Result]


@pytest.fixture
def modelled(lines: ExperimentRunner, tmp_path: Path) -> Path:
    """A trial ``curved`` with a model, beside the two of ``lines``; and where downloads go."""
    (tmp_path / "weights.txt").write_text("0.5")
    with lines.trial({"slope": 3.0}, name="curved") as trial:
        trial.log_model(tmp_path / "weights.txt")
    return tmp_path / "got"


def test_a_trial_is_written_and_listed(ask: Ask, modelled: Path) -> None:
    told = ask("download", "curved", "--to", str(modelled))
    rows = list(csv.DictReader(io.StringIO(ask("download", "curved", "--to", str(modelled), "--format", "csv").stdout)))
    again = json.loads(ask("download", "curved", "--to", str(modelled), "--format", "json").stdout)

    assert "The trial curved is in " in told.stderr
    assert told.stdout.splitlines()[0].split() == ["kind", "name", "bytes", "path"]
    assert [(row["kind"], row["path"], row["size_bytes"]) for row in rows] == [("model", "model", "3")]
    assert set(again) == {"trial", "directory", "files", "fetched", "fetched_bytes", "missing"}
    assert (again["fetched"], (modelled / "model" / "weights.txt").read_text()) == (0, "0.5")


def test_an_experiment_is_written_and_its_rows_are_counted(ask: Ask, modelled: Path) -> None:
    told = json.loads(ask("download", "lines", "--to", str(modelled), "--format", "json").stdout)
    table = ask("download", "lines", "--to", str(modelled)).stdout

    assert told["rows"] == {"trials": 3, "components": 4, "metrics": 4, "files": 1}
    assert (modelled / "experiment.json").exists()
    assert ["trials", "3"] in [line.split() for line in table.splitlines()]


def test_a_part_of_it(ask: Ask, modelled: Path) -> None:
    assert ask("download", "curved", "--to", str(modelled / "a"), "--model-only").exit_code == 0
    assert ask("download", "lines", "--to", str(modelled / "b"), "--no-files").exit_code == 0
    assert not (modelled / "b" / "files").exists()
    bare = ask("download", "flat", "--to", str(modelled / "c"), "--model-only")
    assert (bare.exit_code, "The trial 'flat' has no model to download." in bare.stderr) == (1, True)


def test_what_is_meant_is_found_or_asked_for(ask: Ask, modelled: Path, workspace: Workspace) -> None:
    neither = ask("download", "steeps", "--to", str(modelled))
    with ExperimentRunner(workspace, "steep").trial(name="lines"):
        pass
    both = ask("download", "lines", "--to", str(modelled))

    assert (neither.exit_code, "No experiment or trial named 'steeps'. Existing: " in neither.stderr) == (1, True)
    assert "'steep'" in neither.stderr
    assert (both.exit_code, "pass --kind" in both.stderr) == (2, True)
    assert ask("download", "lines", "--to", str(modelled), "--kind", "trial").exit_code == 0
    assert ask("download", "x", "--to", str(modelled), "--model-only", "--no-files").exit_code == 2
    assert ask("download", "x", "--to", str(modelled), "--kind", "trial", "--no-files").exit_code == 2
