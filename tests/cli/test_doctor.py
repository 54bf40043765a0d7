"""``mnist-tracking doctor``: data on standard output, notes on standard error, and the exit status."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from moto import mock_aws

from mnist_tracking import Workspace
from mnist_tracking.cli.app import cli


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments))


def test_a_healthy_account_exits_with_0(tmp_path: Path) -> None:
    result = run("--home", str(tmp_path / "home"), "doctor")

    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("ok       Python")
    assert result.stderr.endswith("home, account 000000000000, region us-east-1; not created yet\n")
    assert not (tmp_path / "home").exists()


def test_one_that_is_there_is_looked_at(tmp_path: Path) -> None:
    Workspace.embedded(tmp_path / "home").close()
    result = run("--home", str(tmp_path / "home"), "doctor", "--format", "csv")

    assert result.stdout.splitlines()[0] == "name,outcome,detail,remedy"
    assert result.stderr.endswith("region us-east-1\n")


def test_json_has_a_stable_shape(tmp_path: Path) -> None:
    result = run("--home", str(tmp_path / "home"), "doctor", "--format", "json")
    told = json.loads(result.stdout)

    assert set(told) == {"healthy", "checks"}
    assert told["healthy"] is True
    assert all(set(check) == {"name", "outcome", "detail", "remedy"} for check in told["checks"])


def test_a_problem_exits_with_1() -> None:
    result = run("--backend", "aws", "--region", "us-east-1", "doctor")

    assert result.exit_code == 1
    assert result.stderr == "AWS, region us-east-1\n"
    assert "problem  credentials" in result.stdout
    assert "aws configure" in result.stdout


def test_print_policy_prints_the_policy_alone(tmp_path: Path) -> None:
    result = run("--home", str(tmp_path / "home"), "doctor", "--print-policy")

    assert result.exit_code == 0
    assert json.loads(result.stdout)["Version"] == "2012-10-17"
    assert "mnist-tracking-embedded" in result.stderr


def test_the_policy_of_the_jobs_role_is_printed_alone(tmp_path: Path) -> None:
    result = run("--home", str(tmp_path / "home"), "doctor", "--print-policy", "--execution-role")

    statements = {statement["Sid"]: statement for statement in json.loads(result.stdout)["Statement"]}
    assert statements["SageMaker"]["Action"] == ["sagemaker:UpdateTrialComponent"]
    assert "must also trust sagemaker.amazonaws.com" in result.stderr


def test_the_jobs_role_alone_is_no_command(tmp_path: Path) -> None:
    result = run("--home", str(tmp_path / "home"), "doctor", "--execution-role")

    assert result.exit_code == 2
    assert "--execution-role needs --print-policy" in result.stderr


def test_without_a_role_the_policy_says_where_to_put_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        result = run("--backend", "aws", "--region", "us-east-1", "doctor", "--print-policy")

    statements = {statement["Sid"]: statement for statement in json.loads(result.stdout)["Statement"]}
    assert statements["PassRole"]["Resource"] == ["arn:aws:iam::123456789012:role/THE-ROLE-OF-YOUR-JOBS"]
    assert "Replace THE-ROLE-OF-YOUR-JOBS" in result.stderr


def test_help_has_examples() -> None:
    assert "doctor --print-policy > policy.json" in run("doctor", "--help").output
