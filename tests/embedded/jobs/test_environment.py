"""The environment of a script: SageMaker's folders, variables and arguments."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.archives import archive
from tests.support.training_account import TrainingAccount

from mnist_tracking.embedded.engine import EmbeddedSageMaker
from mnist_tracking.embedded.jobs.container import arguments, decode_hyperparameters
from mnist_tracking.embedded.jobs.hosts import loopback

PROGRAM = "code/train.py"
LOOKS = """
import json, os, sys
from pathlib import Path
base = Path(os.environ["SM_MODEL_DIR"]).parent
files = {str(path.relative_to(base)): path.read_text() for path in base.rglob("*") if path.is_file()}
folders = sorted(str(path.relative_to(base)) for path in base.rglob("*") if path.is_dir())
print(json.dumps({"base": str(base), "argv": sys.argv, "cwd": os.getcwd(), "files": files, "folders": folders}))
print(json.dumps(dict(os.environ)))
"""
HYPERPARAMETERS = {"epochs": "2", "optimizer": '"sgd"', "flag": "true", "d": "0.5", "none": "null"}
DECODED = {"d": 0.5, "epochs": 2, "flag": True, "none": None, "optimizer": "sgd"}
RESOURCES = {
    "current_host": "algo-1",
    "current_instance_type": "ml.m5.xlarge",
    "current_group_name": "homogeneousCluster",
    "hosts": ["algo-1"],
    "instance_groups": [
        {"instance_group_name": "homogeneousCluster", "instance_type": "ml.m5.xlarge", "hosts": ["algo-1"]}
    ],
    "network_interface_name": loopback(),
}
CHANNELS = {
    name: {"TrainingInputMode": "File", "S3DistributionType": "FullyReplicated", "RecordWrapperType": "None"}
    for name in ("training", "my-val")
}


def channel(name: str) -> dict[str, Any]:
    source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://bucket/{name}"}
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}}


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """The output of one job."""
    engine = EmbeddedSageMaker(tmp_path_factory.mktemp("home"))
    account = TrainingAccount(engine)
    account.put("training/a/rows.csv", "1,2")
    account.put("my-val/rows.csv", "3,4")
    job = account.run(
        code=archive({PROGRAM: LOOKS, "lib/extra.py": "pass"}),
        HyperParameters={**HYPERPARAMETERS, "sagemaker_program": json.dumps(PROGRAM)},
        InputDataConfig=[channel("training"), channel("my-val")],
        Environment={"FOO": "bar"},
    )
    assert job["TrainingJobStatus"] == "Completed"
    looked, environment = map(json.loads, account.log())
    yield {**looked, "environment": environment}
    engine.close()


def test_folders_are_laid_out_as_below_opt_ml(seen: dict[str, Any]) -> None:
    assert set(seen["folders"]) >= {"code", "model", "output/data", "output/intermediate", "input/config"}
    assert seen["files"]["input/data/training/a/rows.csv"] == "1,2"
    assert seen["files"]["input/data/my-val/rows.csv"] == "3,4"
    assert {"code/code/train.py", "code/lib/extra.py"} <= seen["files"].keys()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (
            "hyperparameters",
            {
                **HYPERPARAMETERS,
                "sagemaker_program": json.dumps(PROGRAM),
                "sagemaker_submit_directory": '"s3://bucket/code.tar.gz"',
            },
        ),
        ("inputdataconfig", CHANNELS),
        ("resourceconfig", RESOURCES),
    ],
)
def test_the_configuration_files_are_those_of_sagemaker(seen: dict[str, Any], name: str, content: object) -> None:
    assert json.loads(seen["files"][f"input/config/{name}.json"]) == content


def test_the_script_runs_in_the_folder_of_its_code(seen: dict[str, Any]) -> None:
    assert seen["cwd"] == f"{seen['base']}/code"
    assert seen["environment"]["PYTHONPATH"] == f"{seen['base']}/code"


def test_the_hyperparameters_are_arguments_sorted_by_name(seen: dict[str, Any]) -> None:
    """Except SageMaker's own; a single letter gets a single hyphen."""
    given = ["-d", "0.5", "--epochs", "2", "--flag", "True", "--none", "", "--optimizer", "sgd"]

    assert seen["argv"] == [PROGRAM, *given]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SM_MODEL_DIR", "{base}/model"),
        ("SM_INPUT_DIR", "{base}/input"),
        ("SM_INPUT_CONFIG_DIR", "{base}/input/config"),
        ("SM_OUTPUT_DIR", "{base}/output"),
        ("SM_OUTPUT_DATA_DIR", "{base}/output/data"),
        ("SM_OUTPUT_INTERMEDIATE_DIR", "{base}/output/intermediate"),
        ("SM_CHANNEL_TRAINING", "{base}/input/data/training"),
        ("SM_CHANNEL_MY-VAL", "{base}/input/data/my-val"),
        ("SM_CHANNELS", '["my-val","training"]'),
        ("SM_HPS", json.dumps(DECODED, separators=(",", ":"))),
        ("SM_HP_OPTIMIZER", "sgd"),
        ("SM_HP_EPOCHS", "2"),
        ("SM_HP_FLAG", "true"),
        ("SM_HP_NONE", ""),
        ("SM_USER_ENTRY_POINT", PROGRAM),
        ("SM_MODULE_NAME", "code/train"),
        ("SM_MODULE_DIR", "s3://bucket/code.tar.gz"),
        ("SM_HOSTS", '["algo-1"]'),
        ("SM_CURRENT_HOST", "algo-1"),
        ("SM_CURRENT_INSTANCE_TYPE", "ml.m5.xlarge"),
        ("SM_NUM_GPUS", "0"),
        ("SM_LOG_LEVEL", "20"),
        ("SM_FRAMEWORK_MODULE", "sagemaker_pytorch_container.training:main"),
        ("SM_RESOURCE_CONFIG", json.dumps(RESOURCES, sort_keys=True, separators=(",", ":"))),
        ("SM_INPUT_DATA_CONFIG", json.dumps(CHANNELS, sort_keys=True, separators=(",", ":"))),
        ("SAGEMAKER_JOB_NAME", "job"),
        ("SAGEMAKER_REGION", "us-east-1"),
        ("AWS_REGION", "us-east-1"),
        ("TRAINING_JOB_NAME", "job"),
        ("TRAINING_JOB_ARN", "arn:aws:sagemaker:us-east-1:000000000000:training-job/job"),
        ("MASTER_ADDR", "127.0.0.1"),
        ("FOO", "bar"),
    ],
)
def test_variables_are_those_of_sagemaker(seen: dict[str, Any], name: str, value: str) -> None:
    assert seen["environment"][name] == value.replace("{base}", seen["base"])


def test_training_environment_summarises_the_variables(seen: dict[str, Any]) -> None:
    summary = json.loads(seen["environment"]["SM_TRAINING_ENV"])

    assert summary["hyperparameters"] == DECODED
    assert summary["channel_input_dirs"]["my-val"] == f"{seen['base']}/input/data/my-val"
    assert (summary["job_name"], summary["is_master"]) == ("job", True)


@pytest.mark.parametrize(
    ("raw", "argument"),
    [
        ("1e-05", "1e-05"),
        ("plain text", "plain text"),
        ('"quoted"', "quoted"),
        ("[1, 2]", "[1, 2]"),
        ('{"b": 2, "a": "x"}', "a=x,b=2"),
        ("false", "False"),
        ("NaN", "nan"),
        ("123456789012345678901", "123456789012345678901"),
        ("[" * 2500, "[" * 2500),
    ],
)
def test_values_are_decoded_and_encoded_as_by_the_toolkit(raw: str, argument: str) -> None:
    assert arguments(decode_hyperparameters({"name": raw})) == ["--name", argument]


def test_log_notes_that_requirements_are_not_installed(account: TrainingAccount) -> None:
    job = account.run(code=archive({"train.py": "print('trained')", "requirements.txt": "no-such-package"}))

    assert job["TrainingJobStatus"] == "Completed"
    assert account.log() == [
        "requirements.txt is not installed; the job uses its Python environment as it is.",
        "trained",
    ]


def test_the_interpreter_can_be_chosen(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\necho "chosen: $1"\n')
    python.chmod(0o755)
    engine = EmbeddedSageMaker(tmp_path / "home", python=str(python))
    account = TrainingAccount(engine)
    account.run()

    assert account.log() == ["chosen: train.py"]
    engine.close()


def test_hundred_long_hyperparameters_reach_the_script(account: TrainingAccount) -> None:
    """Those of the toolkit's variables that are longer than the kernel allows are left out, and the log says so."""
    given = {f"p{number:02}": "x" * 2500 for number in range(100 - 2)}
    script = "import os, sys\nprint(len(sys.argv), len(os.environ['SM_HP_P00']), os.environ.get('SM_HPS'))"
    job = account.run(script, HyperParameters=given)

    assert (job["TrainingJobStatus"], job.get("FailureReason")) == ("Completed", None)
    assert account.log() == [
        "SM_HPS, SM_TRAINING_ENV, SM_USER_ARGS would be longer than the 128 KiB that Linux allows for a variable and "
        "are not set; the hyperparameters are in the arguments, in SM_HP_* and in input/config/hyperparameters.json.",
        "197 2500 None",
    ]
