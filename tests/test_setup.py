"""Set-up: scripts/setup with stand-ins for Python and df, the Makefile, the pins. Nothing is installed here."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# answers as a Python does: its version, which modules it has, `-m venv` (a copy of itself), `-m pip` (kept in a file)
PYTHON = f"""#!/bin/sh
case "$*" in
    *ensurepip*) exit ${{FAKE_NO_VENV:-0}} ;;
    *version_info*) exit ${{FAKE_WRONG_VERSION:-0}} ;;
    *python_version*) echo "${{FAKE_VERSION:-3.11.7}}" ;;
    "-m venv --clear "*) mkdir -p "$4/bin" && touch "$4/pyvenv.cfg" && cp "$0" "$4/bin/python" ;;
    "-m pip "*) echo "$*" >>pip-calls; [ -z "${{FAKE_FULL:-}}" ] || echo "No space left on device" >"$5"
        [ -z "${{FAKE_KILL:-}}" ] || kill -9 $PPID
        exit ${{FAKE_PIP_EXIT:-0}} ;;
    *) exec {sys.executable} "$@" ;;
esac
"""


class Checkout:
    """A copy of what scripts/setup reads, and stand-ins that come first on the PATH."""

    def __init__(self, root: Path) -> None:
        self.root, self.bin = root / "a checkout", root / "bin"
        (self.root / "scripts").mkdir(parents=True)
        self.bin.mkdir()
        for name in ("scripts/setup", "pyproject.toml", "constraints.txt"):
            shutil.copy(ROOT / name, self.root / name)
        for name in ("python3.13", "python3.12", "python3.11", "python3", "python"):
            self.stand_in(name, PYTHON)

    def stand_in(self, name: str, script: str) -> None:
        path = self.bin / name
        path.write_text(script)
        path.chmod(0o755)

    def setup(self, extra: str = "demo", **environment: str) -> subprocess.CompletedProcess[str]:
        kept = {name: value for name, value in os.environ.items() if name not in ("PYTHON", "VENV")}
        path = f"{self.bin}{os.pathsep}{os.environ['PATH']}"
        return subprocess.run(
            [self.root / "scripts" / "setup", extra],
            env={**kept, "PATH": path, **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def pip_calls(self) -> list[str]:
        calls = self.root / "pip-calls"
        return calls.read_text().splitlines() if calls.exists() else []


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def refusal(done: subprocess.CompletedProcess[str]) -> str:
    """Return the one line of a set-up that was refused before it did anything."""
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("setup: ")
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_setup_installs_with_the_constraints(checkout: Checkout) -> None:
    done = checkout.setup("demo")

    assert done.returncode == 0, done.stderr
    assert len(checkout.pip_calls) == 1
    assert checkout.pip_calls[0].endswith("--constraint constraints.txt --editable .[demo]")


def test_the_second_time_does_nothing(checkout: Checkout) -> None:
    checkout.setup()
    again = checkout.setup()

    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    assert len(checkout.pip_calls) == 1


def test_what_tests_need_includes_what_the_demo_needs(checkout: Checkout) -> None:
    checkout.setup("dev")
    checkout.setup("demo")

    assert len(checkout.pip_calls) == 1


def test_what_the_demo_needs_is_not_enough_for_tests(checkout: Checkout) -> None:
    checkout.setup("demo")
    checkout.setup("dev")

    assert len(checkout.pip_calls) == 2


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt"])
def test_a_change_is_installed(checkout: Checkout, name: str) -> None:
    checkout.setup()
    with (checkout.root / name).open("a") as stream:
        stream.write("# changed\n")
    checkout.setup()

    assert len(checkout.pip_calls) == 2


def test_a_moved_checkout_is_installed_again(checkout: Checkout) -> None:
    checkout.setup()
    checkout.root = checkout.root.rename(checkout.root.with_name("moved"))
    checkout.setup()

    assert len(checkout.pip_calls) == 2


def test_a_failed_installation_is_tried_again(checkout: Checkout) -> None:
    failed = checkout.setup(FAKE_PIP_EXIT="1")
    checkout.setup()

    assert failed.returncode == 1
    assert "setup: pip could not install mnist-tracking[demo]" in failed.stderr
    assert len(checkout.pip_calls) == 2


def test_an_installation_that_was_killed_is_done_again(checkout: Checkout) -> None:
    killed = checkout.setup(FAKE_KILL="1")
    checkout.setup()
    checkout.setup()

    assert killed.returncode == -signal.SIGKILL
    assert len(checkout.pip_calls) == 2


def test_python_and_place_can_be_chosen(checkout: Checkout, tmp_path: Path) -> None:
    place = tmp_path / "my environment"
    done = checkout.setup(PYTHON="python3.11", VENV=str(place))

    assert f"Making {place} with python3.11 (3.11.7)" in done.stderr
    assert (place / ".installed-demo").is_file()
    assert not (checkout.root / ".venv").exists()


def test_a_broken_environment_is_made_anew(checkout: Checkout) -> None:
    checkout.setup()
    (checkout.root / ".venv" / "bin" / "python").unlink()
    checkout.setup()

    assert len(checkout.pip_calls) == 2


def test_a_wrong_python_is_one_line(checkout: Checkout) -> None:
    line = refusal(checkout.setup(FAKE_WRONG_VERSION="1", FAKE_VERSION="3.9.6"))

    assert "Python 3.11, 3.12 or 3.13 is needed; python3 is 3.9.6." in line


def test_a_python_that_does_not_exist_is_one_line(checkout: Checkout) -> None:
    line = refusal(checkout.setup(PYTHON="/no/such python"))

    assert "is needed; /no/such python is not a Python that runs." in line


def test_a_missing_venv_module_is_one_line(checkout: Checkout) -> None:
    line = refusal(checkout.setup(FAKE_NO_VENV="1"))

    assert "python3.13 (3.11.7) lacks the venv module. Install it" in line


def test_a_python_with_venv_is_preferred(checkout: Checkout) -> None:
    checkout.stand_in("python3.13", "#!/bin/sh\nexit 127\n")
    checkout.stand_in("python3.12", PYTHON.replace("FAKE_NO_VENV:-0", "FAKE_NO_VENV:-1"))

    assert "Making .venv with python3.11" in checkout.setup().stderr


def test_too_little_disk_is_one_line(checkout: Checkout) -> None:
    checkout.stand_in("df", "#!/bin/sh\necho head\necho /dev/disk 9000000 8000000 1024000 88% /\n")
    line = refusal(checkout.setup())

    assert f"Too little disk: 1000 MB free in {checkout.root}" in line
    assert not (checkout.root / ".venv").exists()


def test_a_disk_that_fills_up_is_said(checkout: Checkout) -> None:
    done = checkout.setup(FAKE_PIP_EXIT="1", FAKE_FULL="1")

    assert done.stderr.splitlines()[-1].startswith("setup: Too little disk: pip needs room in .venv, in ")


def test_an_environment_of_another_python_is_left_alone(checkout: Checkout) -> None:
    checkout.setup()
    (checkout.root / "constraints.txt").write_text("")
    line = refusal(checkout.setup(FAKE_WRONG_VERSION="1", FAKE_VERSION="3.14.0"))

    assert ".venv is Python 3.14.0; 3.11, 3.12 or 3.13 is needed. Delete .venv and try again." in line


def test_a_directory_that_is_no_environment_is_left_alone(checkout: Checkout) -> None:
    (checkout.root / ".venv").mkdir()
    (checkout.root / ".venv" / "thesis.txt").touch()

    assert ".venv is there and is no virtual environment" in refusal(checkout.setup())
    assert (checkout.root / ".venv" / "thesis.txt").exists()


def test_bare_make_lists_the_targets() -> None:
    done = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True)

    listed = re.findall(r"^make (\w+) +\w", done.stdout, re.MULTILINE)
    assert listed == ["demo", "test", "check", "format", "docs", "bench", "clean"]


def test_nothing_names_a_package_index() -> None:
    """Where packages come from is the user's own setting."""
    files = ["Makefile", ".ci/run", "scripts/setup", "scripts/check-package", "constraints.txt", "pyproject.toml"]
    text = "".join((ROOT / name).read_text() for name in files if (ROOT / name).exists())

    assert not re.search(r"index-url|find-links|trusted-host|INDEX_URL|https?://\S*(pypi|simple)", text)


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pairs = (line.split("==") for line in lines if line and not line.startswith("#"))
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in pairs}


def test_every_dependency_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]
    names = {re.match(r"[\w.-]+", one).group().lower() for one in wanted}  # type: ignore[union-attr]

    assert sorted(names - {"mnist-tracking"} - set(pins())) == []


def test_pins_are_public_versions() -> None:
    """So that they hold on every platform: no local versions, no hashes, no markers."""
    assert [pin for pin in pins().items() if not re.fullmatch(r"\d+(\.\d+)*((a|b|rc|\.post)\d+)?", pin[1])] == []
