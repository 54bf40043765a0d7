"""How a job ends: Completed, or Failed with a reason."""

import os
from pathlib import Path
from typing import Any

import pytest
from tests.support.archives import archive
from tests.support.training_account import CODE, TrainingAccount

from mnist_tracking.embedded.containment import signal_name
from mnist_tracking.embedded.engine import EmbeddedSageMaker
from mnist_tracking.embedded.jobs.fixed_paths import leftover_note, loss_notes

SAVES = "import os, pathlib\npathlib.Path(os.environ['SM_MODEL_DIR'], 'model.pth').write_text('weights')\n"
DATA = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://bucket/nothing"}}


def test_a_job_that_completes_has_been_through_every_stage(account: TrainingAccount) -> None:
    job = account.run(SAVES)

    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Completed", "Completed")
    assert [stage["Status"] for stage in job["SecondaryStatusTransitions"]] == [
        *("Starting", "Downloading", "Training", "Uploading", "Completed")
    ]
    assert all(stage["StartTime"] <= stage["EndTime"] for stage in job["SecondaryStatusTransitions"])
    assert job["TrainingStartTime"] <= job["TrainingEndTime"]
    assert "FailureReason" not in job


def test_the_model_and_other_output_are_uploaded(account: TrainingAccount) -> None:
    script = SAVES + "pathlib.Path(os.environ['SM_OUTPUT_DATA_DIR'], 'plot.csv').write_text('1,2')"
    job = account.run(script)

    assert job["ModelArtifacts"]["S3ModelArtifacts"] == "s3://bucket/jobs/job/output/model.tar.gz"
    assert account.members("jobs/job/output/model.tar.gz") == {"model.pth": b"weights"}
    assert account.members("jobs/job/output/output.tar.gz") == {"plot.csv": b"1,2"}


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("raise SystemExit(7)", 'ExitCode 7\nErrorMessage ""'),
        ("raise SystemExit('the data are upside down')", 'ExitCode 1\nErrorMessage "the data are upside down"'),
        ("1 / 0", 'ZeroDivisionError: division by zero"\nCommand "'),
        ("import os; os.kill(os.getpid(), 9)", "ExitCode -9 (killed by SIGKILL)"),
        ("import os; os.write(2, b'caf\\xe9'); os._exit(3)", 'ExitCode 3\nErrorMessage "caf\ufffd"'),
        ("print('KeyError: out', flush=True)\n{}['k']", "\"KeyError: out\n KeyError: 'k'\"\nCommand"),
        ("import os, sys; sys.stderr.write('MemoryError\\n'); os._exit(137)", 'ExtraInfo "OutOfMemory: Process killed'),
    ],
)
def test_failure_reason_shows_the_error_of_the_script(account: TrainingAccount, script: str, said: str) -> None:
    job = account.run(SAVES + script)

    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Failed", "Failed")
    assert job["FailureReason"].startswith("AlgorithmError: ExecuteUserScriptError:\n")
    assert said in job["FailureReason"]
    assert account.component()["Status"] == {"PrimaryStatus": "Failed", "Message": job["FailureReason"]}
    assert "SageMaker.ModelArtifact" not in account.component()["OutputArtifacts"]


def test_failure_reason_begins_with_the_error_of_a_long_traceback(account: TrainingAccount) -> None:
    """As SageMaker shows it: the toolkit leaves out the lines before the first name of an error."""
    reason = account.run("raise ValueError('the beginning ' + 'x' * 3000)")["FailureReason"]

    assert len(reason) == 1024
    assert "\n ValueError: the beginning xxx" in reason


def test_failure_reason_without_an_error_is_the_end_of_standard_error(account: TrainingAccount) -> None:
    """Where SageMaker's is empty."""
    reason = account.run("raise SystemExit('x' * 3000 + ' the end')")["FailureReason"]

    assert len(reason) == 1024
    assert ' the end"\nCommand "' in reason


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("'no data for 1999'", "AlgorithmError: no data for 1999, exit code: 1"),
        ("'x' * 2000", f"AlgorithmError: {'x' * 994}, exit code: 1"),
        ("''", None),
    ],
)
def test_failure_file_of_the_script_is_the_reason(account: TrainingAccount, content: str, reason: str | None) -> None:
    """The toolkit writes its own file only if the script has written none."""
    path = "pathlib.Path(os.environ['SM_OUTPUT_DIR'], 'failure')"
    job = account.run(f"import os, pathlib\n{path}.write_text({content})\nraise SystemExit(3)")

    found = job["FailureReason"]
    assert found == reason if reason else "ExitCode 3" in found


def test_error_with_a_path_of_the_containers_is_explained(account: TrainingAccount) -> None:
    account.run("open('/opt/ml/model/w.pt', 'x')")

    assert account.log()[-1].startswith("mnist-tracking: '/opt/ml/model/w.pt' is a path of SageMaker's containers; ")
    assert "SM_MODEL_DIR for /opt/ml/model" in account.log()[-1]


def test_files_in_the_folders_of_the_containers_are_named(tmp_path: Path) -> None:
    for name, time in (("model/old", 1.0), ("model/w.pt", 2.0), ("output/data/roc.csv", 3.0), ("code/x", 3.0)):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (time, time))
    model, output = loss_notes(2.0, tmp_path)

    assert model.startswith(f"{tmp_path}/model of this machine is not the job's model folder")
    assert f": {tmp_path}/model/w.pt. Write to SM_MODEL_DIR instead" in model
    assert f": {tmp_path}/output/data/roc.csv. Write to SM_OUTPUT_DATA_DIR instead" in output
    (tmp_path / "train.py").write_text(f"open('{tmp_path}/model/w.pt')")
    assert f"{tmp_path}/model/old, {tmp_path}/model/w.pt, {tmp_path}/" in leftover_note(tmp_path / "train.py", tmp_path)
    assert leftover_note(tmp_path / "code" / "x", tmp_path) == ""
    assert leftover_note(tmp_path / "train.py", tmp_path / "missing") == ""
    assert list(loss_notes(4.0, tmp_path)) == list(loss_notes(0.0, tmp_path / "missing")) == []


def test_signal_without_a_name_is_reported_by_number() -> None:
    assert signal_name(45) == "signal 45"


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (
            {"code": archive({"trian.py": ""})},
            "the entry point 'train.py' is not in the source archive. Available: trian",
        ),
        ({"code": archive({"../train.py": ""})}, "its member '../train.py' leaves the folder"),
        ({"code": b"no archive"}, "s3://bucket/code.tar.gz: the source archive cannot be unpacked"),
        ({"HyperParameters": {"sagemaker_program": '"../../x"'}}, "the entry point '../../x' is not in the source"),
        ({"HyperParameters": {"sagemaker_submit_directory": '"s3://bucket/gone"'}}, "s3://bucket/gone does not exist"),
        ({"HyperParameters": {"sagemaker_submit_directory": '"/opt/ml/../gone"'}}, "/opt/ml/../gone does not exist"),
        ({"HyperParameters": {"sagemaker_submit_directory": f'"{__file__}"'}}, "test_outcome.py does not exist"),
        ({"HyperParameters": {"sagemaker_program": '""'}}, "no script: sagemaker_program"),
        ({"OutputDataConfig": {"S3OutputPath": "s3://gone/x"}}, "The bucket 'gone' of s3://gone/x does not exist"),
    ],
)
def test_failure_reason_shows_why_the_script_cannot_start(
    account: TrainingAccount, request_: dict[str, Any], said: str
) -> None:
    job = account.run(**request_)

    assert job["TrainingJobStatus"] == "Failed"
    assert said in job["FailureReason"]
    assert "Training" not in [stage["Status"] for stage in job["SecondaryStatusTransitions"]]


def test_code_can_be_in_a_channel(account: TrainingAccount) -> None:
    """As the SDK sends it to a job without a network: the toolkit takes a local archive too, in files.py."""
    channel = {"ChannelName": "code", "DataSource": {"S3DataSource": {**DATA["S3DataSource"], "S3Uri": CODE}}}
    where = {"sagemaker_submit_directory": '"/opt/ml/input/data/code/code.tar.gz"'}

    account.run("print('here')", InputDataConfig=[channel], HyperParameters=where, EnableNetworkIsolation=True)

    assert "here" in account.log()


def test_an_interpreter_that_does_not_exist_is_named(tmp_path: Path) -> None:
    engine = EmbeddedSageMaker(tmp_path / "home", python="/no/such/python")
    job = TrainingAccount(engine).run()

    assert job["FailureReason"].startswith("AlgorithmError: /no/such/python cannot run the entry point:")
    engine.close()


def test_failed_upload_is_the_failure_reason(account: TrainingAccount) -> None:
    script = SAVES + "print('started', flush=True)\nwhile not os.path.exists('go'): pass"
    account.submit(script)
    account.follow("started")
    account.s3.delete_object(Bucket="bucket", Key="code.tar.gz")
    account.s3.delete_bucket(Bucket="bucket")
    (account.ml() / "code" / "go").touch()

    assert "ClientError: Artifact upload failed: " in account.wait()["FailureReason"]


@pytest.mark.parametrize("does", ["rmtree(model)", "rmtree(model); open(model, 'w')", "rmtree(os.path.dirname(model))"])
def test_a_script_without_a_model_completes(account: TrainingAccount, does: str) -> None:
    job = account.run(f"import os\nfrom shutil import rmtree\nmodel = os.environ['SM_MODEL_DIR']\n{does}")

    assert job["TrainingJobStatus"] == "Completed"
    assert "SageMaker.ModelArtifact" not in account.component()["OutputArtifacts"]
