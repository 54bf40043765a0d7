"""What importing and calling the SDKs leaves behind in the process: nothing."""

import os
import subprocess
import sys
import textwrap
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import pytest

from mnist_tracking import ConfigError, ExperimentRunner, JobSpec, Workspace
from mnist_tracking._aws.sdk import _validating, quiet


def run_apart(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a script in a fresh process, where nobody has imported the SDKs before."""
    code = textwrap.dedent(script)
    settings = {**os.environ, **environment}
    return subprocess.run([sys.executable, "-c", code], env=settings, capture_output=True, text=True, check=False)


def test_importing_the_sdks_changes_neither_logging_nor_the_excepthook_nor_warnings() -> None:
    """A program's own `logging.basicConfig` still works afterwards, and nothing was printed."""
    done = run_apart(
        """
        import gc, logging, os, sys, warnings
        warnings.filterwarnings("ignore", message="mine")
        mine, hook, environment = warnings.filters[0], sys.excepthook, dict(os.environ)
        from mnist_tracking._aws.sdk import quiet
        with quiet():
            import sagemaker
        assert (logging.root.handlers, logging.root.level) == ([], logging.WARNING)
        assert logging.getLogger("sagemaker").level == logging.NOTSET
        assert sys.excepthook is hook
        assert gc.isenabled()
        assert dict(os.environ) == environment
        assert mine in warnings.filters
        before = set(sys.modules)
        import sagemaker.experiments.run
        assert set(sys.modules) == before, "fit would import it, and it configures the root logger"
        warnings.warn("seen", UserWarning)
        """
    )

    assert (done.returncode, done.stdout) == (0, "")
    assert [line for line in done.stderr.splitlines() if "Warning" in line] == ["<string>:17: UserWarning: seen"]


def test_what_is_tracked_without_a_job_needs_smexperiments_alone(tmp_path: Path) -> None:
    """The other SDK takes two seconds to import, in each script that records something."""
    done = run_apart(
        f"""
        import sys
        from mnist_tracking import ExperimentRunner, Workspace
        with Workspace.embedded({str(tmp_path / "home")!r}) as workspace:
            with ExperimentRunner(workspace, "digits").trial({{"rate": 0.1}}, name="first") as trial:
                trial.log_metric("accuracy", 0.5)
                trial.log_artifact({str(Path(__file__))!r})
            assert workspace.trial("first").metrics
            assert "smexperiments" in sys.modules and "sagemaker" not in sys.modules
            workspace.sagemaker_session
            assert "sagemaker.pytorch" in sys.modules
        """
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_programs_logging_configuration_decides_what_the_sdks_log() -> None:
    """The SDK gives one of its loggers a level and a handler on standard output of its own."""
    done = run_apart(
        """
        import logging, sys
        from mnist_tracking._aws.sdk import load
        load()
        logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
        logging.getLogger("sagemaker.config").info("not wanted")
        logging.root.setLevel(logging.INFO)
        logging.getLogger("sagemaker.config").info("wanted")
        """
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "INFO:sagemaker.config:wanted\n")


def test_the_sdks_are_quiet_only_in_this_librarys_calls_and_in_their_thread(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program's own estimator still says that version 2 will end, also while this library calls in a thread."""
    with quiet():
        from sagemaker import deprecations
        from sagemaker.pytorch import PyTorch
    monkeypatch.setattr(deprecations, "_v2_deprecation_warned", set())
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    session = workspace.sagemaker_session

    def estimator() -> Any:
        settings = {"framework_version": "2.6.0", "py_version": "py312", "instance_type": "ml.m5.xlarge"}
        return PyTorch("x.py", role="r", instance_count=1, sagemaker_session=session, **settings)

    with ThreadPoolExecutor(1) as thread, warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        with quiet():
            assert estimator().tensorboard_app is None
            assert seen == []
            assert thread.submit(estimator).result().tensorboard_app is not None

    assert [str(warning.message).split(" is ")[0] for warning in seen] == ["PyTorch"]


def test_a_refused_job_is_an_error_and_no_line_in_a_log(
    workspace: Workspace, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "train.py").touch()
    job = JobSpec(tmp_path / "train.py", estimator={"volume_size": -1})

    with pytest.raises(ConfigError, match=r"VolumeSizeInGB, value: -1"):
        ExperimentRunner(workspace, "lines", job=job).submit()
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []


def test_a_run_reads_none_of_the_users_aws_configuration(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The SDK's estimator would make a client of the default session."""
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    (tmp_path / "train.py").write_text("print('trained')\n")

    ExperimentRunner(workspace, "own", job=JobSpec(entry_point=tmp_path / "train.py")).run()

    assert boto3.DEFAULT_SESSION is None


def test_a_wrong_aws_profile_is_a_clear_error() -> None:
    done = run_apart("from mnist_tracking._aws.sdk import load; load()", AWS_PROFILE="nope")

    assert "ConfigError: The SageMaker SDK cannot be imported" in done.stderr
    assert "(nope) could not be found" in done.stderr


def test_after_a_wrong_configuration_the_import_works_once_it_is_right() -> None:
    """In one process, as in a notebook: half an import must not be taken for the whole."""
    done = run_apart(
        """
        import os
        from mnist_tracking import ConfigError
        from mnist_tracking._aws.sdk import load
        try:
            load()
        except ConfigError:
            del os.environ["AWS_PROFILE"]
        load()
        import sagemaker
        print(sagemaker.utils.__name__, sagemaker.pytorch.PyTorch.__name__)
        """,
        AWS_PROFILE="nope",
    )

    assert (done.returncode, done.stdout) == (0, "sagemaker.utils PyTorch\n"), done.stderr


def test_a_config_is_validated_once_for_each_content() -> None:
    """The SDK validates its config for each of the dozens of settings that a job or an endpoint looks up."""
    looks: list[object] = []

    class Config(dict[str, int]):
        def __contains__(self, key: object) -> bool:
            looks.append(key)
            return super().__contains__(key)

    validate = _validating({"required": ["version"]})
    for _ in range(3):
        validate(Config(version=1), None)
    assert looks == ["version"]
    for _ in range(2):
        with pytest.raises(Exception, match="'version' is a required property"):
            validate(Config(), None)
