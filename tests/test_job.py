"""What a training script prints, and what it sends where there is a SageMaker to send it to."""

import json
import math
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mnist_tracking import ConfigError, EmbeddedSageMaker, _job_component
from mnist_tracking._sagemaker.convert import decode_parameter
from mnist_tracking.job import log_artifact, log_metric, log_parameter, log_parameters, metric_regex

NAMES = st.text(min_size=1, max_size=40)
COMPONENT = "job-1-aws-training-job"
FRESH = {"_said": set, "_gave_up": threading.Event}


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was said yet, nothing given up, and no test waits."""
    for name, make in FRESH.items():
        monkeypatch.setattr(_job_component, name, make())
    monkeypatch.setattr(_job_component, "_PAUSES_S", (0.0, 0.0))
    _job_component._client.cache_clear()


def printed(name: str, value: float, step: int | None, capsys: pytest.CaptureFixture[str]) -> str:
    """Return the line that one value makes."""
    log_metric(name, value, step=step)
    line = capsys.readouterr().out
    assert line.count("\n") == 1
    return line.rstrip("\n")


@given(name=NAMES, value=st.floats(allow_nan=False, allow_infinity=False), step=st.none() | st.integers(0, 2**40))
def test_every_finite_value_comes_back_from_its_line(name: str, value: float, step: int | None) -> None:
    with pytest.MonkeyPatch.context() as patch, capturing(patch) as lines:
        log_metric(name, value, step=step)

    found = [match.group(1) for match in re.finditer(metric_regex(name), "".join(lines))]
    assert [float(text) for text in found] == [value]


@given(names=st.lists(NAMES, min_size=2, max_size=2, unique=True))
@example(names=["loss", "train:loss"])
@example(names=["loss", "loss:total"])
@example(names=["a", 'a"=1.0;metric "a'])
@example(names=["a.b", "a+b"])
@example(names=["a", "\\a"])
def test_a_name_finds_its_own_values_only(names: list[str]) -> None:
    with pytest.MonkeyPatch.context() as patch, capturing(patch) as lines:
        log_metric(names[0], 1.0)

    assert re.search(metric_regex(names[0]), lines[0])
    assert not re.search(metric_regex(names[1]), lines[0])


class capturing:  # noqa: N801 - reads as the context manager it is
    """Take what is written to standard output; capsys lives longer than one example of hypothesis."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._patch, self._lines = patch, list[str]()

    def __enter__(self) -> list[str]:
        stream = SimpleNamespace(write=self._lines.append, flush=lambda: None)
        self._patch.setattr(sys, "stdout", stream)
        return self._lines

    def __exit__(self, *_: object) -> None: ...


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_is_printed_and_not_found(value: float, capsys: pytest.CaptureFixture[str]) -> None:
    log_metric("loss", value)
    log_metric("loss", value)

    said = capsys.readouterr()
    assert said.out.splitlines() == [f'metric "loss"={value!r};'] * 2
    assert not re.search(metric_regex("loss"), said.out)
    assert said.err.count("finite numbers only") == 1


@pytest.mark.parametrize("value", [1, True, np.float64(1), np.int8(1), np.array([1.0]), Fraction(1)])
def test_a_metric_is_whatever_is_a_number(value: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert printed("x", value, None, capsys) == 'metric "x"=1.0;'


@pytest.mark.parametrize("value", ["high", None, [1.0, 2.0], np.zeros(2), 10**400])
def test_a_metric_that_is_no_number_is_refused(value: Any) -> None:
    with pytest.raises(ConfigError, match=r"'x' is .*, which is no number"):
        log_metric("x", value)


@pytest.mark.parametrize("step", [-1, 1.5, "one"])
def test_a_step_that_is_no_whole_number_is_refused(step: Any) -> None:
    with pytest.raises(ConfigError, match="whole numbers from 0"):
        log_metric("x", 1.0, step=step)


@pytest.mark.parametrize(
    ("value", "shown"), [(np.bool_(True), "true"), (np.float32(0.5), "0.5"), (np.int64(3), "3"), (np.str_("a"), '"a"')]
)
def test_numpy_values_are_parameters(value: object, shown: str, capsys: pytest.CaptureFixture[str]) -> None:
    log_parameter("x", value)

    assert capsys.readouterr().out == f'parameter "x"={shown};\n'


@pytest.mark.parametrize("value", [[1], {"a": 1}, Path("a"), np.zeros(2)])
def test_a_parameter_of_another_type_is_refused_and_none_is_recorded(
    value: object, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ConfigError, match="'x' is"):
        log_parameters({"good": 1, "x": value})

    assert capsys.readouterr().out == ""


def test_a_file_stays_where_it_is_on_a_laptop(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "roc.png").touch()
    log_artifact(tmp_path / "roc.png")

    assert capsys.readouterr().out == f'artifact "roc.png"="{tmp_path / "roc.png"}";\n'
    assert [path.name for path in tmp_path.iterdir()] == ["roc.png"]


@pytest.mark.parametrize("name", ["../roc.png", "/roc.png", "a/../../b", "."])
def test_an_artifact_stays_in_its_archive(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no name in an archive"):
        log_artifact(tmp_path, name)


def test_an_artifact_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no file or folder .*roc\.png"):
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
    log_artifact(plots / "a.txt", "notes/a.txt")
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
        log_artifact(output / kept, name)
    assert (output / "deep" / "a.txt").read_text() == "kept"


def test_a_name_that_was_used_before_is_replaced(output: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("second")
    (tmp_path / "folder").mkdir()
    for source in ("folder", "file", "folder", "file"):
        log_artifact(tmp_path / source, "it")

    assert (output / "it").read_text() == "second"


def test_only_a_job_misses_what_says_where_its_output_goes(
    output: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.txt").touch()
    log_artifact(tmp_path / "a.txt")
    assert capsys.readouterr() == (f'artifact "a.txt"="{output / "a.txt"}";\n', "")

    monkeypatch.setenv("TRAINING_JOB_ARN", "arn:aws:sagemaker:us-east-1:000000000000:training-job/job-1")
    log_artifact(tmp_path / "a.txt")
    assert "artifacts are kept, and not recorded" in capsys.readouterr().err


class Service:
    """The component of one job, on a SageMaker that this process reaches through boto3, as a container does."""

    def __init__(self, engine: EmbeddedSageMaker) -> None:
        self.session = engine.session()
        self.client = self.session.client("sagemaker")
        self.client.create_trial_component(TrialComponentName=COMPONENT)
        self.refusals: list[str] = []
        self.session.events.register_first("before-call.sagemaker.UpdateTrialComponent", self._refuse)

    def _refuse(self, **_: object) -> Any:
        if not self.refusals:
            return None
        error = {"Code": self.refusals.pop(0), "Message": "not now"}
        return SimpleNamespace(status_code=400), {"Error": error, "ResponseMetadata": {"HTTPStatusCode": 400}}

    def parameters(self) -> dict[str, object]:
        """Read the parameters of the component."""
        told = self.client.describe_trial_component(TrialComponentName=COMPONENT)
        return {name: decode_parameter(value) for name, value in told["Parameters"].items()}


@pytest.fixture
def in_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAINING_JOB_NAME", "job-1")
    monkeypatch.setenv("TRAINING_JOB_ARN", "arn:aws:sagemaker:us-east-1:000000000000:training-job/job-1")


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_job: None) -> Iterator[Service]:
    engine = EmbeddedSageMaker(tmp_path / "home")
    service = Service(engine)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", service.session)
    yield service
    engine.close()


def test_a_job_records_at_once(service: Service) -> None:
    log_parameters({"optimizer": "sgd", "shuffle": True, "patience": None})
    log_parameter("lr", 0.5)

    assert service.parameters() == {"optimizer": "sgd", "shuffle": True, "patience": None, "lr": 0.5}


def test_a_conflict_is_tried_again(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    service.refusals = ["ConflictException", "ConflictException"]
    log_parameter("lr", 0.5)

    assert service.parameters() == {"lr": 0.5}
    assert capsys.readouterr().err == ""


def test_a_refusal_is_said_once_and_training_goes_on(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    service.refusals = ["AccessDeniedException", "AccessDeniedException"]
    for value in (1, 2, 3):
        log_parameter("lr", value)

    assert service.parameters() == {"lr": 3}
    said = capsys.readouterr()
    assert said.err.count("AccessDeniedException") == said.err.count("\n") == 1
    assert said.out.splitlines() == [f'parameter "lr"={value};' for value in (1, 2, 3)]


def test_what_sagemaker_would_refuse_costs_nothing_else(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    log_parameters({"best": math.nan, "notes": "x" * 2501, "lr": 0.5})

    assert service.parameters() == {"lr": 0.5}
    assert capsys.readouterr().err.count("SageMaker does not record it") == 2


def test_a_job_without_credentials_says_so_and_goes_on(
    in_job: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", boto3.Session())
    log_parameter("lr", 0.5)
    log_parameter("lr", 0.25)

    said = capsys.readouterr()
    assert (
        said.err
        == "mnist_tracking.job: what this job logs is printed, and not recorded: Unable to locate credentials\n"
    )
    assert said.out == 'parameter "lr"=0.5;\nparameter "lr"=0.25;\n'


def test_a_job_without_boto3_says_so_and_goes_on(
    in_job: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "botocore.exceptions", None)
    log_parameter("lr", 0.5)

    said = capsys.readouterr()
    assert "printed, and not recorded" in said.err
    assert said.out == 'parameter "lr"=0.5;\n'


def test_a_request_is_left_whole_and_in_order(in_job: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MNIST_TRACKING_UPDATES", str(tmp_path))
    for value in range(20):
        log_parameter("lr", value)

    left = [json.loads(path.read_text()) for path in sorted(tmp_path.iterdir())]
    assert [body["Parameters"]["lr"]["NumberValue"] for body in left] == list(range(20))
    assert {body["TrialComponentName"] for body in left} == {COMPONENT}


def test_a_folder_that_is_gone_is_said_once(
    in_job: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MNIST_TRACKING_UPDATES", str(tmp_path / "gone"))
    log_parameter("lr", 0.5)

    assert "not recorded" in capsys.readouterr().err


TALKS = """
import os, threading
from mnist_tracking.job import log_metric
os.fork()
def talk():
    for step in range(200):
        log_metric("loss", 0.5, step=step)
threads = [threading.Thread(target=talk) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


def test_lines_of_threads_and_processes_do_not_mix() -> None:
    """Two processes of eight threads write to one pipe, unbuffered as in a job."""
    done = subprocess.run([sys.executable, "-u", "-c", TALKS], stdout=subprocess.PIPE, text=True, check=True)
    lines = done.stdout.splitlines()

    assert len(lines) == 2 * 8 * 200
    assert all(re.fullmatch(metric_regex("loss"), line) for line in lines)
