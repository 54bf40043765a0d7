"""What a script installs is its own: the environment of the user's interpreter is never changed."""

import importlib.metadata
import io
import json
import sys
import zipfile
from pathlib import Path

import attrs
import pytest
from tests.support.archives import archive
from tests.support.training_account import TrainingAccount

from mnist_tracking.embedded.engine import EmbeddedSageMaker

WHEEL = "tinydigits-1.0-py3-none-any.whl"
INSTALLS = """
import subprocess, sys
{install}
import tinydigits
print(tinydigits.__file__)
"""
BY_MODULE = f"subprocess.run([sys.executable, '-m', 'pip', 'install', '-q', '--no-index', './{WHEEL}'], check=True)"
BY_SHELL = f"subprocess.run('pip install -q --no-index ./{WHEEL}', shell=True, check=True)"
UNINSTALLS = """
import subprocess, sys
subprocess.run([sys.executable, "-m", "pip", "uninstall", "-y", "attrs"], check=True)
"""
REPORTS = "import attrs, json, sys\nprint(json.dumps([sys.prefix, attrs.__file__]))"


def wheel(name: str = "tinydigits") -> bytes:
    """Return a wheel with one empty module."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        file.writestr(f"{name}.py", "")
        file.writestr(f"{name}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        file.writestr(f"{name}-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{name}-1.0.dist-info/RECORD", "")
    return content.getvalue()


@pytest.mark.parametrize("install", [BY_MODULE, BY_SHELL], ids=["module", "shell"])
def test_a_script_imports_what_it_installs_and_nobody_else_does(account: TrainingAccount, install: str) -> None:
    pytest.importorskip("pip")
    script = INSTALLS.replace("{install}", install)
    job = account.run(code=archive({"train.py": script, WHEEL: wheel()}))

    assert job.get("FailureReason") is None
    assert account.log()[-1].startswith(str(account.folder()))
    with pytest.raises(importlib.metadata.PackageNotFoundError):
        importlib.metadata.version("tinydigits")


def test_a_script_cannot_uninstall_what_is_the_users(account: TrainingAccount) -> None:
    pytest.importorskip("pip")
    account.run(UNINSTALLS)

    assert any("outside environment" in line or "Can't uninstall" in line for line in account.log())
    assert Path(attrs.__file__).exists()


def test_everything_of_the_users_interpreter_can_be_imported(account: TrainingAccount) -> None:
    account.run(REPORTS)
    prefix, where = json.loads(account.log()[0])

    assert Path(prefix).is_relative_to(account.folder())
    assert where == attrs.__file__


def test_another_interpreter_makes_its_own_environment(tmp_path: Path) -> None:
    """By the same file, since it may be of another version."""
    other = tmp_path / "other-python"
    other.symlink_to(sys.executable)
    engine = EmbeddedSageMaker(tmp_path / "home", python=str(other))
    account = TrainingAccount(engine)
    account.run("import sys\nprint(sys.prefix)")

    assert Path(account.log()[0]).is_relative_to(account.folder())
    engine.close()


def test_interpreter_with_a_start_of_its_own_is_used_as_it_is(tmp_path: Path) -> None:
    """Such as a script that sets variables first; what is installed is put next to the job's script."""
    pytest.importorskip("pip")
    wrapper = tmp_path / "wrapper"
    wrapper.write_text(f'#!/bin/sh\nMARK=set exec {sys.executable} "$@"\n')
    wrapper.chmod(0o755)
    engine = EmbeddedSageMaker(tmp_path / "home", python=str(wrapper))
    account = TrainingAccount(engine)
    script = f"import os\nprint(os.environ['MARK'])\n{INSTALLS.replace('{install}', BY_MODULE)}"
    account.run(code=archive({"train.py": script, WHEEL: wheel()}))

    assert account.log() == ["set", str(account.ml() / "code" / "tinydigits.py")]
    engine.close()
