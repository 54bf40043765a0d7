"""``mnist-tracking report``: the page of an experiment."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from tests.support.pages import Page

Ask = Callable[..., Result]


@pytest.mark.usefixtures("lines")
def test_it_writes_the_page_and_prints_its_path(ask: Ask, tmp_path: Path) -> None:
    target = tmp_path / "page.html"
    result = ask("report", "lines", "--to", str(target))

    assert (result.exit_code, result.stdout) == (0, f"{target}\n"), result.output
    assert Page(target).data["best"] == "steep"


@pytest.mark.usefixtures("lines")
def test_its_options_choose_the_objective_and_the_curves(ask: Ask, tmp_path: Path) -> None:
    target = tmp_path / "page.html"
    options = ("--objective", "score", "--minimize", "--statistic", "max", "--curves", "1")
    result = ask("report", "lines", "--to", str(target), *options)
    page = Page(target)

    assert result.exit_code == 0, result.output
    assert page.data["best"] == "flat"
    assert list(page.data["curves"]) == ["flat"]


@pytest.mark.usefixtures("lines")
def test_a_missing_folder_is_an_error_in_one_line(ask: Ask, tmp_path: Path) -> None:
    result = ask("report", "lines", "--to", str(tmp_path / "no" / "page.html"))

    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1].endswith(f"the folder {str(tmp_path / 'no')!r} does not exist.")


def test_an_unknown_experiment_is_an_error(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir(exist_ok=True)
    result = ask("report", "nothing", "--to", str(tmp_path / "page.html"))

    assert result.exit_code == 1
    assert "'nothing'" in result.stderr
    assert not (tmp_path / "page.html").exists()


@pytest.mark.usefixtures("lines")
def test_a_metric_that_no_trial_has_is_an_error(ask: Ask, tmp_path: Path) -> None:
    result = ask("report", "lines", "--to", str(tmp_path / "page.html"), "--objective", "scor")

    assert result.exit_code == 1
    assert "No trial has the metric 'scor'. Available: 'score'" in result.stderr
    assert not (tmp_path / "page.html").exists()
