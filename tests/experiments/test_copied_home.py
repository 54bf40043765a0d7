"""The embedded SageMaker is one SQLite file and a folder: a copy of it is one as well, wherever it lies."""

import pickle
import resource
import shutil
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mnist_tracking import BestModelDeployer, ConfigError, ExperimentRunner, Workspace
from mnist_tracking.embedded import EmbeddedSageMaker


def test_a_copy_of_the_folder_has_everything(workspace: Workspace, runner: ExperimentRunner, tmp_path: Path) -> None:
    trial = runner.run({"slope": 3.0}, name="steep")
    with runner.step("Evaluation", trial=trial) as step:
        step.log_table({"x": [1, 2]}, name="rows")
    before = workspace.trial("steep").steps
    runner.workspace.close()
    shutil.copytree(tmp_path / "home", tmp_path / "elsewhere" / "copy")
    shutil.rmtree(tmp_path / "home")

    with Workspace.embedded(tmp_path / "elsewhere" / "copy") as copy:
        assert copy.trial("steep").steps == before
        assert len(copy.trial("steep").series()["score"]) == 3
        assert len(copy.trial("steep").download(tmp_path / "got").files) == 3
        with BestModelDeployer(copy).deploy(copy.trial("steep")) as endpoint:
            assert endpoint.predict(np.array([1.0])) == pytest.approx(trial.metrics["score"].last)
    assert not (tmp_path / "home").exists()


def test_an_engine_stays_in_its_process(tmp_path: Path) -> None:
    with (
        closing(EmbeddedSageMaker(tmp_path / "home")) as engine,
        pytest.raises(pickle.PicklingError, match=r"home'.* Create another engine on the same folder instead"),
    ):
        pickle.dumps(engine)


def test_a_backup_is_whole_while_others_write(tmp_path: Path) -> None:
    engine = EmbeddedSageMaker(tmp_path / "home")
    engine.session().client("s3").create_bucket(Bucket="rows")
    is_over = threading.Event()
    writer = threading.Thread(target=_overwrite_until, args=(engine, is_over))
    writer.start()
    try:
        copies = [tmp_path / f"copy-{number}" for number in range(5)]
        for copy in copies:
            engine.backup(copy)
    finally:
        is_over.set()
        writer.join()
        engine.close()

    for copy in copies:
        there = EmbeddedSageMaker(copy)
        s3: Any = there.session().client("s3")
        for item in s3.list_objects_v2(Bucket="rows").get("Contents", ()):
            assert len(s3.get_object(Bucket="rows", Key=item["Key"])["Body"].read()) == item["Size"]
        there.close()
        with closing(sqlite3.connect(copy / "sagemaker.db")) as file:
            assert file.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert {path.name.rstrip("01234") for path in tmp_path.iterdir()} == {"home", "copy-"}
    assert not list((tmp_path / "home").glob(".backup*"))


def test_a_job_that_runs_is_lost_in_a_backup_and_goes_on_where_it_was(runner: ExperimentRunner, tmp_path: Path) -> None:
    handle = runner.submit({"behaviour": "hang"}, name="hanging")
    with closing(EmbeddedSageMaker(tmp_path / "home")) as engine:
        engine.backup(tmp_path / "copy")

    with Workspace.embedded(tmp_path / "copy") as copy:
        assert copy.submitted("hanging").status == "Failed"
    assert handle.status == "InProgress"
    handle.stop()


def _overwrite_until(engine: EmbeddedSageMaker, is_over: threading.Event) -> None:
    s3 = engine.session().client("s3")
    number = 0
    while not is_over.is_set():
        number += 1
        s3.put_object(Bucket="rows", Key=f"part-{number % 3}", Body=bytes(1000 + number))


def test_a_backup_never_replaces_anything(tmp_path: Path) -> None:
    engine = EmbeddedSageMaker(tmp_path / "home")
    (tmp_path / "mine").mkdir()
    (tmp_path / "file").write_text("")

    with pytest.raises(ConfigError, match="exists already"):
        engine.backup(tmp_path / "mine")
    with pytest.raises(ConfigError, match="cannot be written"):
        engine.backup(tmp_path / "file" / "below")
    assert {path.name for path in tmp_path.iterdir()} == {"home", "mine", "file"}
    engine.close()


def test_a_backup_that_the_disk_does_not_take_leaves_nothing(tmp_path: Path) -> None:
    """Nor does what one left that was killed stay."""
    engine = EmbeddedSageMaker(tmp_path / "home")
    killed = tmp_path / "home" / ".backup" / "content"
    killed.parent.mkdir()
    killed.touch()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 13, hard))  # what a full disk does to what is written
    try:
        with pytest.raises(ConfigError, match=r"copy' cannot be written: "):
            engine.backup(tmp_path / "copy")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    engine.close()

    assert [path.name for path in tmp_path.iterdir()] == ["home"]
    assert not killed.parent.exists()
