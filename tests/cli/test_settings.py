"""The global options for what holds for everything that is made: typed, or in the environment."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.cli.test_run import JOB

from mnist_tracking import ExperimentRunner, Workspace
from mnist_tracking.cli.app import cli

Ask = Callable[..., Result]
ROLE = "arn:aws:iam::000000000000:role/jobs"
KEY = "1234abcd-12ab-34cd-56ef-1234567890ab"
SETTINGS = (
    *("--role", ROLE, "--bucket", "company-models", "--prefix", "team/vision", "--kms-key", KEY),
    *("--subnet", "subnet-0a", "--subnet", "subnet-0b", "--security-group", "sg-0a"),
    *("--network-isolation", "--encrypt-traffic", "--tag", "team=cv", "--tag", "cost centre=42"),
)


def test_what_is_said_before_the_command_is_sent(ask: Ask, workspace: Workspace) -> None:
    result = ask(*SETTINGS, "run", *JOB, "--name", "steep", "--detach")
    job = workspace.submitted("steep").job_name
    sent = workspace.client("sagemaker").describe_training_job(TrainingJobName=job)
    tags = workspace.client("sagemaker").list_tags(ResourceArn=sent["TrainingJobArn"])["Tags"]

    assert result.exit_code == 0, result.output
    assert sent["RoleArn"] == ROLE
    assert sent["OutputDataConfig"]["S3OutputPath"].startswith("s3://company-models/team/vision/lines/")
    assert sent["OutputDataConfig"]["KmsKeyId"] == sent["ResourceConfig"]["VolumeKmsKeyId"] == KEY
    assert sent["VpcConfig"] == {"Subnets": ["subnet-0a", "subnet-0b"], "SecurityGroupIds": ["sg-0a"]}
    assert (sent["EnableNetworkIsolation"], sent["EnableInterContainerTrafficEncryption"]) == (True, True)
    assert {"team": "cv", "cost centre": "42"}.items() <= {tag["Key"]: tag["Value"] for tag in tags}.items()
    assert "--prefix team/vision" in result.stderr  # of the line that shows the log, to be copied

    ask("logs", "-f", "steep")
    assert ask(*SETTINGS, "cleanup", "lines", "--yes").exit_code == 0
    assert not workspace.client("s3").list_objects_v2(Bucket="company-models").get("Contents")


def test_the_environment_says_it_too(ask: Ask, lines: ExperimentRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MNIST_TRACKING_SUBNET", "subnet-0a subnet-0b")
    result = ask("list")

    assert result.exit_code == 1
    assert "--security-group is missing: a VPC needs both subnets and --security-group." in result.stderr


@pytest.mark.parametrize(
    ("wrong", "status", "said"),
    [
        (("--kms-key", "alias/x"), 1, "--kms-key 'alias/x' is neither the ID nor the ARN of a key"),
        (("--tag", "team"), 2, "'team'; expected a name and a value"),
        (("--tag", "a=1", "--tag", "a=2"), 2, "'a' is given twice"),
        (("--region", "us-east-1"), 2, "--region goes with --backend aws"),
    ],
)
def test_a_wrong_one_is_refused_before_anything_is_made(
    ask: Ask, wrong: tuple[str, ...], status: int, said: str
) -> None:
    result = ask(*wrong, "run", *JOB)

    assert result.exit_code == status
    assert said in result.stderr


def test_without_credentials_it_says_what_to_do() -> None:
    result = CliRunner().invoke(cli, ["--backend", "aws", "--region", "us-east-1", "list"])

    assert result.exit_code == 1
    assert result.stderr == (
        "mnist-tracking: No AWS credentials found. Pass --profile, set AWS_PROFILE, or run: aws configure "
        "(or: aws sso login).\n"
    )


def test_an_error_names_options_in_place_of_keywords(ask: Ask, lines: ExperimentRunner) -> None:
    with lines.trial(name="silent") as trial:
        trial.log_model(Path(__file__))
    result = ask("deploy", "silent")

    assert "no script to serve it. Pass --entry-point, a script with model_fn" in result.stderr


@pytest.mark.usefixtures("lines")
def test_tab_takes_them(tmp_path: Path) -> None:
    words = {
        "COMP_WORDS": f"mnist-tracking --home {tmp_path}/home --tag team=cv --prefix x show st",
        "COMP_CWORD": "8",
    }
    told = CliRunner().invoke(
        cli, env={"_MNIST_TRACKING_COMPLETE": "bash_complete", **words}, prog_name="mnist-tracking"
    )

    assert told.stdout.strip() == "plain,steep"
