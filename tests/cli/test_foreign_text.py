"""Text of others reaches a terminal without its control characters, and as data it stays what it is."""

import ast
import csv
import json
import re
import sys
import warnings
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

import mnist_tracking
from mnist_tracking import ExperimentRunner, JobSpec, Workspace
from mnist_tracking._values.text import CONTROLS, printable
from mnist_tracking.cli.app import cli
from mnist_tracking.cli.output import Page, warn_printably, write_bytes
from mnist_tracking.experiments.progress import Planned, Progress

TITLE, CLEAR, CSI, HIDE, BACK = "\x1b]0;pwned\x07", "\x1b[2J\x1b[H", "\x9b31m", "\x1b[8m", "\b" * 9
HOSTILE = f"good{TITLE}{CLEAR}{CSI}{HIDE}{BACK}\u202egnp.exe\r\x07[bold]x[/bold]"
NAME = HOSTILE.replace("\r", "")  # a name is a single line
GONE = "\N{REPLACEMENT CHARACTER}"
SHOWN = f"good{GONE * 10}gnp.exe\n{GONE}[bold]x[/bold]"
PRINTS = f"""
import sys
print({HOSTILE!r})
print("score=1.0;")
sys.exit("it failed: " + {HOSTILE!r}) if "--fail" in sys.argv else None
"""


@pytest.fixture
def on_terminal(tmp_path: Path) -> Callable[..., Result]:
    """Runs a command line as on a terminal, whose own colours are left out of the output."""

    def run(*arguments: str, form: str = "") -> Result:
        words = ["--home", str(tmp_path / "home"), *arguments, *(["--format", form] if form else [])]
        return CliRunner().invoke(cli, words, color=True, env={"FORCE_COLOR": "1", "COLUMNS": "200"})

    return run


@pytest.fixture
def recorded(workspace: Workspace, tmp_path: Path) -> ExperimentRunner:
    """An experiment of somebody who means no good: in parameters, names, tags, messages and lines of logs."""
    (tmp_path / "train.py").write_text(PRINTS)
    job = JobSpec(tmp_path / "train.py", metrics={"score": "score=(.*?);"})
    runner = ExperimentRunner(workspace, "lines", description=f"Lines {TITLE}{CLEAR}", job=job, tags={"team": "cv"})
    for name in ("one", "two"):
        with runner.trial({"text": HOSTILE + name, NAME: 1.0}, name=name) as trial:
            trial.log_metric("score", 0.5)
            trial.log_output(NAME, "s3://bucket/key")
    with pytest.raises(RuntimeError), runner.trial({"a": 1}, name="failed"):
        raise RuntimeError(HOSTILE)
    return runner


def controls_in(text: str) -> set[str]:
    """Return the control characters in what a terminal gets, without the colours of tables."""
    return set(re.sub(r"\x1b\[[\d;]*m", "", text)) & set(map(chr, CONTROLS))


@pytest.mark.parametrize(
    "words",
    [
        "search",
        "list",
        "show one",
        "show failed",
        "show one --history",
        "compare one two",
        "lineage one",
        "leaderboard lines",
        "cleanup lines --dry-run",
        "show nothing-of-that-name",
    ],
)
def test_no_command_sends_control_characters(
    recorded: ExperimentRunner, on_terminal: Callable[..., Result], words: str
) -> None:
    result = on_terminal(*words.split())

    assert controls_in(result.output) == set()
    assert "pwned" not in result.output
    assert result.exit_code == ("nothing" in words)


@pytest.mark.parametrize("words", ["search", "show one", "compare one two"])
def test_data_stays_what_it_is(recorded: ExperimentRunner, on_terminal: Callable[..., Result], words: str) -> None:
    """In JSON they are escaped, so that not even a terminal obeys them; in CSV they go to a pipe as they are."""
    as_json, as_csv = (on_terminal(*words.split(), form=form).stdout for form in ("json", "csv"))

    assert controls_in(as_json) == set()
    assert json.dumps(HOSTILE)[1:-1] in json.dumps(json.loads(as_json))
    assert any(HOSTILE in cell for row in csv.reader(StringIO(as_csv, newline="")) for cell in row)


def test_lines_of_a_log(recorded: ExperimentRunner, on_terminal: Callable[..., Result], tmp_path: Path) -> None:
    script = str(tmp_path / "train.py")
    followed = on_terminal("run", script, "-e", "logs", "--name", "followed", "--metric", "score=score=(.*?);")
    failed = on_terminal("run", script, "-e", "logs", "--param", "fail=1", "--name", "failing")
    logged = on_terminal("logs", "followed", "-e", "logs")

    assert [result.exit_code for result in (followed, failed, logged)] == [0, 1, 0]
    for result in (followed, failed, logged):
        assert controls_in(result.output) == set()
        assert SHOWN in result.output


def test_objects_are_printed_without_them(recorded: ExperimentRunner, workspace: Workspace) -> None:
    trial = workspace.trial("one")
    shown = [trial, trial.lineage(), workspace.compare("one", "two"), workspace.trials(experiment="lines")]

    assert [controls_in(str(value)) for value in shown] == [set()] * len(shown)


def test_bytes_of_an_endpoint_are_text_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_bytes(HOSTILE.encode())
    assert capsys.readouterr().out == HOSTILE

    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    write_bytes(HOSTILE.encode())
    assert capsys.readouterr().out == f"{SHOWN}\n"


def test_markup_is_text() -> None:
    """Rich would read it as styles, and links, in headings and in cells."""
    file = StringIO()
    console = Console(file=file, force_terminal=True, color_system=None, width=200)
    rows = [{"trial": "[red]x[/red]", "[b]c[/b]": "[bold]d"}]
    Page(console).table(rows)
    Page(console).facts([("[red]name[/red]", "[/]")])
    console.print(
        Progress(console, JobSpec(__file__), Planned([{"[red]lr[/red]": f"[red]{CLEAR}"}], ["[red]lr[/red]"]))
    )

    for text in ("[red]x[/red]", "[b]c[/b]", "[bold]d", "[red]name[/red]", "[/]", "[red]lr[/red]"):
        assert text in file.getvalue()
    assert controls_in(file.getvalue()) == set()


def test_warnings_are_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)
    warn_printably()

    assert controls_in(warnings.formatwarning(HOSTILE, UserWarning, "file.py", 1, "")) == set()


@given(text=st.text(st.sampled_from("\x1b[]()#;0m\x07\x9b\x9d\x9cPKx\n\r\t\u202e\u2066\ud800")))
def test_nothing_that_is_printable_moves_a_cursor(text: str) -> None:
    """Also where the removal of a sequence joins what is around it."""
    shown = printable(text)

    assert set(shown) & set(map(chr, CONTROLS)) == set()
    assert printable(shown) == shown


def test_command_line_writes_in_one_place() -> None:
    """`echo`, `Page` and the writers of data in `cli.output`."""
    root = Path(mnist_tracking.__file__).parent / "cli"
    writers = re.compile(r"click\.s?echo|print|sys\.std\w+\.write")
    calls = [
        ast.unparse(node)
        for path in root.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if path.name != "output.py" and isinstance(node, ast.Call) and writers.fullmatch(ast.unparse(node.func))
    ]

    assert calls == ["sys.stderr.write('mnist-tracking: interrupted.\\n')"]
