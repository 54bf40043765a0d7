"""The page: one file that needs no network, with its style, its script and its data inside."""

import base64
import hashlib
import json
import os
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from mnist_tracking._aws.account import Account
from mnist_tracking._values.checks import check_path
from mnist_tracking._values.files import write_atomically
from mnist_tracking._values.specs import Objective
from mnist_tracking._values.text import short_repr
from mnist_tracking._values.version import __version__
from mnist_tracking.errors import ConfigError
from mnist_tracking.reading.leaderboard import Leaderboard
from mnist_tracking.reading.report.contents import Contents, read_contents, to_document
from mnist_tracking.reading.report.markup import Markup, element
from mnist_tracking.reading.report.sections import SECTIONS, figures

if TYPE_CHECKING:
    from mnist_tracking.reading.search import OnProgress

__all__ = ["render", "write_report"]

_UNSAFE = {ord(char): f"\\u{ord(char):04x}" for char in "<>&"}  # which could end the element that the data is in


def write_report(
    account: Account,
    experiment: Leaderboard | str | Sequence[str],
    path: str | os.PathLike[str],
    *,
    objective: Objective | str | None = None,
    curves: int | None,
    on_progress: "OnProgress | None" = None,
) -> Path:
    """Write the page of a leaderboard or of experiments; see `Workspace.report`."""
    target = _check_target(path)
    if curves is not None and (isinstance(curves, bool) or not isinstance(curves, int) or curves < 0):
        raise ConfigError(f"curves={short_repr(curves)}; expected an integer >= 0, or None for all trials.")
    board = _loaded(account, experiment, objective, on_progress)
    content = render(read_contents(board, curves))
    try:
        write_atomically(target, content)
    except OSError as error:
        raise ConfigError(f"{str(target)!r} cannot be written: {error.strerror or error}.") from error
    return target


def _check_target(path: str | os.PathLike[str]) -> Path:
    """
    Return where a page is written.

    Raises:
        ConfigError: If its folder does not exist, or it is a folder itself.
    """
    target = check_path("path", path)
    if os.path.isdir(target):
        raise ConfigError(f"{str(target)!r} is a folder; expected a file such as {str(target / 'report.html')!r}.")
    if not os.path.isdir(target.parent):
        raise ConfigError(f"{str(target)!r} cannot be written: the folder {str(target.parent)!r} does not exist.")
    return target


def _loaded(
    account: Account,
    experiment: Leaderboard | str | Sequence[str],
    objective: Objective | str | None,
    on_progress: "OnProgress | None",
) -> Leaderboard:
    if not isinstance(experiment, Leaderboard):
        board = Leaderboard.load(account, experiment, objective=objective, on_progress=on_progress)
        if objective is not None and board.unranked and any(trial.metrics for trial in board):
            raise ConfigError(board.unranked)
        return board
    if objective is not None:
        raise ConfigError("objective= goes with the name of an experiment; a leaderboard has an objective already.")
    return experiment


def render(contents: Contents) -> str:
    """Return the page."""
    title = f"{contents.board.experiment_name}: report"
    style, script = _resource("page.css"), _resource("page.js")
    head = [
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_policy(style, script)),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="generator", content=f"mnist-tracking {__version__}"),
        element("link", rel="icon", href="data:,"),
        element("title", title),
        element("style", style),
    ]
    body = [
        element("a", "Skip to the leaderboard", class_="skip", href="#board"),
        _header(contents),
        element("main", *(_section(name, title, make(contents)) for name, title, make in SECTIONS)),
        _footer(contents),
        element("output", id="readout", hidden=True),
        element("script", _document(contents), type="application/json", id="data"),
        element("script", script),
    ]
    page = element("html", element("head", *head), element("body", *body), lang="en")
    return f"<!DOCTYPE html>\n{page}\n"


def _resource(name: str) -> Markup:
    return Markup(files("mnist_tracking.reading.report").joinpath(name).read_text("utf-8"))


def _policy(*inlined: str) -> str:
    """Return a policy that forbids every request, and all styles and scripts but these."""
    style, script = (base64.b64encode(hashlib.sha256(one.encode()).digest()).decode() for one in inlined)
    return (
        f"default-src 'none'; style-src 'sha256-{style}'; script-src 'sha256-{script}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _document(contents: Contents) -> Markup:
    written = json.dumps(to_document(contents), allow_nan=False, separators=(",", ":"))
    return Markup(written.translate(_UNSAFE))


def _header(contents: Contents) -> Markup:
    objective = contents.board.objective
    order = "in order of creation"
    if objective is not None:
        better = "higher" if objective.goal == "maximize" else "lower"
        order = f"ranked by the {objective.statistic} {objective.metric}, {better} is better"
    links = (element("li", element("a", title, href=f"#{name}")) for name, title, _ in SECTIONS)
    return element(
        "header",
        element("p", f"Experiment report, {order}", class_="kicker"),
        element("h1", contents.board.experiment_name),
        figures(contents),
        element("nav", element("ul", *links), aria_label="Sections"),
    )


def _section(name: str, title: str, content: Markup) -> Markup:
    heading = element("h2", title, id=f"{name}-title")
    return element("section", heading, content, id=name, aria_labelledby=f"{name}-title")


def _footer(contents: Contents) -> Markup:
    moment = f"{contents.written:%Y-%m-%d %H:%M} UTC"
    return element(
        "footer",
        element("p", f"Written by mnist-tracking {__version__} at {moment}. This file needs no network."),
        element("p", 'Its data is JSON in the element with the id "data".'),
    )
