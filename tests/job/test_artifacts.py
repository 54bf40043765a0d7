"""What a training script keeps beside its model."""

from pathlib import Path

import pytest

from mnist_tracking import ConfigError
from mnist_tracking.job import log_artifact


def test_a_file_stays_where_it_is_on_a_laptop(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "roc.png").touch()
    log_artifact(tmp_path / "roc.png")

    assert capsys.readouterr().out == f'artifact "roc.png"="{tmp_path / "roc.png"}";\n'
    assert [path.name for path in tmp_path.iterdir()] == ["roc.png"]


@pytest.mark.parametrize("name", ["../roc.png", "/roc.png", "a/../../b", "."])
def test_an_artifact_stays_in_its_archive(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is not a name in an archive"):
        log_artifact(tmp_path, name=name)


def test_an_artifact_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"The file or folder .*roc\.png. does not exist"):
        log_artifact(tmp_path / "roc.png")


@pytest.fixture
def output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that becomes ``output.tar.gz``."""
    folder = tmp_path / "output"
    folder.mkdir()
    monkeypatch.setenv("SM_OUTPUT_DATA_DIR", str(folder))
    return folder


def test_files_and_folders_are_copied_to_the_output(output: Path, tmp_path: Path) -> None:
    plots = tmp_path / "plots"
    plots.mkdir()
    (plots / "a.txt").write_text("first")
    log_artifact(plots)
    log_artifact(plots / "a.txt", name="notes/a.txt")
    (plots / "a.txt").rename(plots / "b.txt")
    log_artifact(plots)

    kept = sorted(str(path.relative_to(output)) for path in output.rglob("*") if path.is_file())
    assert kept == ["notes/a.txt", "plots/b.txt"]


def test_a_file_in_the_output_is_not_copied(output: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (output / "deep").mkdir()
    (output / "deep" / "a.txt").write_text("kept")
    log_artifact(output / "deep" / "a.txt")

    assert (output / "deep" / "a.txt").read_text() == "kept"
    assert 'artifact "deep/a.txt"=' in capsys.readouterr().out


@pytest.mark.parametrize(("kept", "name"), [(".", None), ("..", None), ("deep/a.txt", "deep")])
def test_a_folder_is_not_kept_inside_itself(kept: str, name: str | None, output: Path) -> None:
    (output / "deep").mkdir()
    (output / "deep" / "a.txt").write_text("kept")

    with pytest.raises(ConfigError, match="one is inside the other"):
        log_artifact(output / kept, name=name)
    assert (output / "deep" / "a.txt").read_text() == "kept"


def test_a_name_that_was_used_before_is_replaced(output: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("second")
    (tmp_path / "folder").mkdir()
    for source in ("folder", "file", "folder", "file"):
        log_artifact(tmp_path / source, name="it")

    assert (output / "it").read_text() == "second"


def test_only_a_job_misses_what_says_where_its_output_goes(
    output: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.txt").touch()
    log_artifact(tmp_path / "a.txt")
    assert capsys.readouterr() == (f'artifact "a.txt"="{output / "a.txt"}";\n', "")

    monkeypatch.setenv("TRAINING_JOB_ARN", "arn:aws:sagemaker:us-east-1:000000000000:training-job/job-1")
    log_artifact(tmp_path / "a.txt")
    assert "artifacts are kept, but not recorded" in capsys.readouterr().err
