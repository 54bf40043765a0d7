"""The scripts of jobs and endpoints find no AWS credentials, although they keep HOME."""

import json
from pathlib import Path

import pytest
from tests.support.training_account import TrainingAccount

from mnist_tracking.embedded.supervision import clean_environment

ASKS = """
import json, os
import botocore.session
session = botocore.session.Session()
print(json.dumps({
    "home": os.environ["HOME"],
    "variables": sorted(name for name in os.environ if name.startswith("AWS_")),
    "credentials": session.get_credentials() is not None,
    "profiles": session.available_profiles,
    "region": session.get_config_variable("region"),
}))
"""
KEYS = "aws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = secret\n"
VARIABLES = {
    "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_SESSION_TOKEN": "token",
    "AWS_PROFILE": "work",
    "AWS_DEFAULT_PROFILE": "work",
    "AWS_ROLE_ARN": "arn:aws:iam::111111111111:role/me",
    "AWS_WEB_IDENTITY_TOKEN_FILE": "/tmp/token",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/credentials",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/credentials",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN": "token",
    "AWS_CREDENTIAL_FILE": "/tmp/credentials",
}


@pytest.fixture
def users_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with credentials in every place that boto3 looks for them, and variables with more."""
    home = tmp_path / "user"
    (home / ".aws").mkdir(parents=True)
    (home / ".aws" / "credentials").write_text(f"[default]\n{KEYS}[work]\n{KEYS}")
    (home / ".aws" / "config").write_text("[default]\nregion = eu-west-3\n[profile work]\nregion = eu-west-3\n")
    (home / ".boto").write_text(f"[Credentials]\n{KEYS}")
    monkeypatch.setenv("HOME", str(home))
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    return home


def test_the_script_finds_no_credentials_and_no_configuration(account: TrainingAccount, users_home: Path) -> None:
    account.run(ASKS)

    assert json.loads(account.log()[0]) == {
        "home": str(users_home),
        "variables": [
            "AWS_CONFIG_FILE",
            "AWS_DEFAULT_REGION",
            "AWS_EC2_METADATA_DISABLED",
            "AWS_REGION",
            "AWS_SHARED_CREDENTIALS_FILE",
        ],
        "credentials": False,
        "profiles": [],
        "region": "us-east-1",
    }


def test_the_supervisor_has_no_credentials_either(account: TrainingAccount, users_home: Path) -> None:
    account.submit("import os, pathlib\nprint(pathlib.Path(f'/proc/{os.getppid()}/environ').read_bytes())")
    account.wait()
    if not Path("/proc/self/environ").exists():
        pytest.skip("reads /proc")

    assert "AKIAEXAMPLE" not in account.log()[0]
    assert "AWS_" not in account.log()[0]


def test_an_endpoint_gets_the_same_clean_environment(users_home: Path) -> None:
    given = clean_environment()

    assert given["HOME"] == str(users_home)
    assert {given[name] for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE", "BOTO_CONFIG")} == {"/dev/null"}
    assert not VARIABLES.keys() & given.keys()
