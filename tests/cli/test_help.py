"""Every command's help: it fits a terminal, and its examples are commands that there are."""

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from mnist_tracking.cli.app import cli


def told(*arguments: str) -> str:
    result = CliRunner().invoke(cli, [*arguments, "--help"], terminal_width=80)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.parametrize("command", [None, *cli.commands])
def test_help_fits_a_terminal_and_has_examples_that_parse(command: str | None) -> None:
    text = told(*([command] if command else []))
    examples = re.findall(r"^    (?:.*\| )?mnist-tracking (.*)", text, re.M)

    assert max(map(len, text.splitlines())) <= 80
    assert examples
    for example in examples:
        words = shlex.split(re.split(r"[|>] ", example)[0])
        told(*(words[: words.index("exec") + 1] if "exec" in words else words))  # the rest is another program's


@pytest.mark.parametrize(("typed", "offered"), [("st", "steep"), ("fl", "flat"), ("x", "")])
@pytest.mark.usefixtures("lines")
def test_tab_offers_the_names_that_there_are(tmp_path: Path, typed: str, offered: str) -> None:
    home = tmp_path / "home"
    words = {"COMP_WORDS": f"mnist-tracking --home {home} show {typed}", "COMP_CWORD": "4"}
    result = CliRunner().invoke(
        cli, env={"_MNIST_TRACKING_COMPLETE": "bash_complete", **words}, prog_name="mnist-tracking"
    )

    assert result.stdout.strip() == (f"plain,{offered}" if offered else "")


def test_tab_makes_no_folder(tmp_path: Path) -> None:
    words = {"COMP_WORDS": f"mnist-tracking --home {tmp_path / 'nothing'} show ", "COMP_CWORD": "4"}
    CliRunner().invoke(cli, env={"_MNIST_TRACKING_COMPLETE": "bash_complete", **words}, prog_name="mnist-tracking")

    assert not (tmp_path / "nothing").exists()
