"""How an entry point is run: by the interpreter, as a module of a package, or as a command."""

import pytest
from tests.support.archives import archive
from tests.support.training_account import TrainingAccount

SETUP = """
from setuptools import find_packages, setup
packages = find_packages("src")
setup(name="digits", version="1", packages=packages, package_dir={"": "src"}, install_requires=["no-such-package"])
"""
SAYS = "import sys\nfrom digits.sub import word\nprint(word, __name__, sys.argv[1:])\n"
PACKAGE = {"setup.py": SETUP, "src/digits/__init__.py": "", "src/digits/sub.py": "word = 'installed'"}
TORCHRUN = {"sagemaker_torch_distributed_enabled": "true"}


def test_a_shell_script_is_a_command(account: TrainingAccount) -> None:
    """With the same arguments, by the interpreter that it names."""
    account.run(
        code=archive({"train.sh": '#!/usr/bin/env bash\n[[ -n "$BASH" ]] && echo "$0 $1 <$2>"\n'}),
        HyperParameters={"sagemaker_program": '"train.sh"', "lr": '"0.1 $HOME"'},
    )

    assert account.log() == ["./train.sh --lr <0.1 $HOME>"]


def test_any_other_program_is_a_command(account: TrainingAccount) -> None:
    """Even without an interpreter line: a shell runs it."""
    account.run(code=archive({"bin/train": "echo trained"}), HyperParameters={"sagemaker_program": '"bin/train"'})

    assert account.log() == ["trained"]


def test_package_is_installed_for_its_job_only(account: TrainingAccount) -> None:
    """Without its dependencies, since there is no network; the environment of the interpreter is not changed."""
    pytest.importorskip("pip")
    code = archive({**PACKAGE, "src/digits/train.py": SAYS})
    job = account.run(code=code, HyperParameters={"sagemaker_program": '"digits.train.py"', "lr": "0.1"})

    assert (job["TrainingJobStatus"], job.get("FailureReason")) == ("Completed", None)
    assert account.log() == [
        "setup.py is installed without its dependencies; the job uses its Python environment as it is.",
        "installed __main__ ['--lr', '0.1']",
    ]
    with pytest.raises(ImportError):
        __import__("digits.train")


def test_a_package_that_cannot_be_installed_fails_its_job(account: TrainingAccount) -> None:
    pytest.importorskip("pip")
    code = archive({"setup.py": "raise SystemExit('upside down')", "train.py": "print('trained')"})
    job = account.run(code=code)

    assert job["TrainingJobStatus"] == "Failed"
    assert "upside down" in job["FailureReason"]
    assert "trained" not in account.log()


def test_torchrun_rejects_packages(account: TrainingAccount) -> None:
    """The toolkit rejects it, too."""
    code = archive({**PACKAGE, "train.py": "print('trained')"})
    job = account.run(code=code, HyperParameters=TORCHRUN)

    assert job["FailureReason"] == (
        "ClientError: Python packages are not supported for torch_distributed; it runs scripts."
    )
