"""Where code comes from, and what it runs in, as it is found out here."""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mnist_tracking._values import repository, runtime
from mnist_tracking._values.provenance import Provenance, code_in, folder_of_code, take_provenance
from mnist_tracking._values.repository import Checkout, checkout_of, forget_checkouts, without_credentials
from mnist_tracking._values.runtime import command_of, folder_of_program, this_command

pytestmark = pytest.mark.usefixtures("fresh_git")


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=A", "-c", "user.email=a@example.com")
    done = subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True, text=True)
    forget_checkouts()
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository with one commit and one script."""
    folder = tmp_path / "churn"
    folder.mkdir()
    git(folder, "init", "--quiet")
    (folder / "train.py").write_text("print('loss=1')\n")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "First")
    return folder


def test_a_clean_checkout(checkout: Path) -> None:
    git(checkout, "remote", "add", "mirror", "https://mirror.example.com/churn.git")
    git(checkout, "remote", "add", "origin", "https://alice:secret@example.com/churn.git")

    assert checkout_of(checkout) == Checkout(git(checkout, "rev-parse", "HEAD"), False, "https://example.com/churn.git")


def test_code_below_the_top_of_a_repository_of_which_another_file_has_changed(checkout: Path) -> None:
    (checkout / "src").mkdir()
    (checkout / "train.py").write_text("print('loss=2')\n")

    assert checkout_of(checkout / "src") == Checkout(git(checkout, "rev-parse", "HEAD"), True, None)


def test_only_a_script_that_is_not_tracked_makes_code_dirty(checkout: Path) -> None:
    (checkout / "notes.txt").write_text("")
    (checkout / ".gitignore").write_text("generated.py\n")
    (checkout / "generated.py").write_text("")
    assert checkout_of(checkout).is_dirty is False

    (checkout / "src").mkdir()
    (checkout / "src" / "model.py").write_text("")
    forget_checkouts()
    assert checkout_of(checkout).is_dirty is True


def test_a_repository_without_a_commit(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")

    assert checkout_of(tmp_path).commit is None


def test_no_repository(tmp_path: Path) -> None:
    assert checkout_of(tmp_path) == checkout_of(tmp_path / "missing") == Checkout()


def test_without_git_nothing_is_known(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")

    assert checkout_of(checkout) == Checkout()


def test_git_that_takes_too_long_is_given_up(checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = tmp_path / "bin" / "git"
    slow.parent.mkdir()
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", str(slow.parent), prepend=":")
    monkeypatch.setattr(repository, "_TIMEOUT_S", 0.1)

    assert checkout_of(checkout) == Checkout()


@pytest.mark.parametrize(("slow", "is_dirty"), [("status", None), ("ls-files", None), ("config", False)])
def test_what_git_is_too_slow_for_is_unknown_and_the_commit_is_not(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slow: str, is_dirty: bool | None
) -> None:
    commit = git(checkout, "rev-parse", "HEAD")
    fake = tmp_path / "bin" / "git"
    fake.parent.mkdir()
    fake.write_text(f'#!/bin/sh\ncase "$*" in *" {slow} "*) exit 1;; esac\nexec {shutil.which("git")} "$@"\n')
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(fake.parent), prepend=":")

    assert checkout_of(checkout) == Checkout(commit, is_dirty, None)


def test_the_variables_of_a_hook_do_not_lead_to_another_repository(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(tmp_path, "init", "--quiet", "other")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other" / ".git"))
    found = checkout_of(checkout)
    monkeypatch.delenv("GIT_DIR")

    assert found.commit == git(checkout, "rev-parse", "HEAD")


def test_a_repository_runs_no_program_of_its_choice(checkout: Path, tmp_path: Path) -> None:
    git(checkout, "config", "core.fsmonitor", f"touch {tmp_path / 'run'};")

    assert checkout_of(checkout).commit
    assert not (tmp_path / "run").exists()


def test_git_is_asked_once_in_a_while(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([10.0, 10.5, 12.0, 36.0, 36.1])  # begins and ends at half a second, asks twice more
    monkeypatch.setattr(time, "monotonic", lambda: next(times))
    first = checkout_of(checkout)
    (checkout / "train.py").write_text("")

    assert checkout_of(checkout) == first
    assert checkout_of(checkout).is_dirty is True


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://token@github.com/a/b.git", "https://github.com/a/b.git"),
        ("https://a:b@github.com/a/b.git#c", "https://github.com/a/b.git"),
        ("ssh://git@example.com:22/a/b.git", "ssh://example.com:22/a/b.git"),
        ("git@example.com:a/b.git", "git@example.com:a/b.git"),
        ("https://example.com/b.git?private_token=abc", "https://example.com/b.git"),
        ("http://[broken", "http://[broken"),
        ("../b.git", "../b.git"),
    ],
)
def test_a_url_is_shown_without_credentials(url: str, shown: str) -> None:
    assert without_credentials(url) == shown


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["/usr/bin/python3", "train.py", "--lr", "0.1"], "python3 train.py --lr 0.1"),
        (["python", "t.py", "--password", "abc", "--lr=1"], "python t.py --password '***' --lr=1"),
        (["python", "t.py", "--api_key=abc"], "python t.py '--api_key=***'"),
        (["python", "t.py", "WANDB_API_KEY=abc"], "python t.py 'WANDB_API_KEY=***'"),
        (["python", "t.py", "--token", "--lr"], "python t.py --token --lr"),
        (["python", "t.py", "--db", "postgres://a:b@host/x"], "python t.py --db postgres://host/x"),
        (["python", "-c", "a = 1\nb = 2"], "python -c 'a = 1 b = 2'"),
        (["python", "\udcff.py"], "python '?.py'"),
        ([], ""),
    ],
)
def test_a_command_is_one_line_without_secrets(arguments: list[str], shown: str) -> None:
    assert command_of(arguments) == shown


def test_a_long_command_is_shortened() -> None:
    assert len(json.dumps(command_of(["python", "\u00e9" * 10_000]))) <= 1000


def test_the_home_of_the_user_is_not_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/alice")

    assert command_of(["python", "/home/alice/train.py", "--data=/home/alice/x"]) == "python '~/train.py' '--data=~/x'"


def test_this_program() -> None:
    found = runtime.runtime()

    assert found["python"].startswith("CPython 3.")
    assert {"mnist-tracking", "numpy", "sagemaker"} <= found["packages"].keys()
    assert this_command()
    assert folder_of_program().is_dir()


def test_the_folder_of_an_installed_program_is_where_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["__main__"], "__file__", f"{sys.prefix}/bin/tool", raising=False)
    assert folder_of_program() == Path()

    monkeypatch.setattr(sys.modules["__main__"], "__file__", str(Path(__file__)))
    assert folder_of_program() == Path(__file__).parent


def test_code_is_looked_for_where_it_is_sent_from(checkout: Path, tmp_path: Path) -> None:
    assert folder_of_code("train.py", str(checkout)) == folder_of_code(str(checkout / "train.py"), None) == checkout
    assert folder_of_code("train.py", "s3://bucket/code.tar.gz") is None
    assert code_in(checkout)["commit"] == git(checkout, "rev-parse", "HEAD")
    assert code_in(tmp_path).keys() == code_in(None).keys() == {"command", "packages"}


def test_installed_code_has_no_commit_of_the_repository_around_it(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = checkout / ".venv" / "lib" / "package"
    installed.mkdir(parents=True)
    monkeypatch.setattr(sys, "prefix", str(checkout / ".venv"))

    assert "commit" not in code_in(installed)
    assert "commit" in code_in(checkout)


@pytest.mark.parametrize(
    "value", ["", "{", "[1]", 2.0, '{"commit": 1, "packages": [], "is_dirty": "yes", "unknown": "x"}']
)
def test_what_others_wrote_under_our_names_is_harmless(value: str | float) -> None:
    parameters: dict[str, str | float] = {"lr": 0.1, "mnist-tracking:code": value}

    assert take_provenance(parameters, {}) == Provenance()
    assert parameters == {"lr": 0.1}


def test_components_of_one_program_have_packages_of_their_own() -> None:
    """The record of one may be changed without the others."""
    code = json.dumps({"commit": "abc", "packages": {"torch": "2.13"}})
    one, other = (take_provenance({"mnist-tracking:code": code}, {}) for _ in range(2))

    one.packages.clear()  # type: ignore[attr-defined]

    assert other == Provenance(commit="abc", packages={"torch": "2.13"})
    assert take_provenance({"mnist-tracking:code": code}, {}) == other


def test_the_metadata_of_others_is_read() -> None:
    found = take_provenance({}, {"CommitId": "abc", "Repository": "https://example.com/a", "GeneratedBy": "make"})

    assert found == Provenance(commit="abc", repository="https://example.com/a", command="make")
