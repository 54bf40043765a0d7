"""``mnist-tracking leaderboard``: the trials of an experiment, best first."""

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import click

from mnist_tracking._values.json import to_json
from mnist_tracking._values.specs import Statistic
from mnist_tracking.cli.filters import Filters, filter_options
from mnist_tracking.cli.names import experiment_names, objective_of, objective_options
from mnist_tracking.cli.options import Settings, command, pass_settings
from mnist_tracking.cli.output import Form, count_on_terminal, echo, format_option, write_json, write_table
from mnist_tracking.cli.trials import shown_metrics, trial_row, write_trials
from mnist_tracking.errors import ConfigError

if TYPE_CHECKING:
    from mnist_tracking.reading.leaderboard import Leaderboard

__all__ = ["leaderboard", "write_leaderboard"]


@command(short_help="Rank the trials of experiments, the best first.")
@click.argument("experiments", nargs=-1, required=True, metavar="EXPERIMENT...", shell_complete=experiment_names)
@objective_options
@filter_options
@format_option()
@pass_settings
def leaderboard(
    settings: Settings,
    /,
    *,
    experiments: tuple[str, ...],
    objective: str | None,
    minimize: bool,
    statistic: Statistic,
    form: Form,
    **filters: Any,
) -> None:
    """
    Rank the trials of one or several experiments, the best first.

    Without --objective, the objective of the experiment's jobs is used; without either, the trials are listed in
    order of creation, without ranks. Trials without a value for the objective come last. Filters are those of
    mnist-tracking search.

    \b
    Examples:
      mnist-tracking leaderboard mnist-digits
      mnist-tracking leaderboard churn --objective loss --minimize --statistic min
      mnist-tracking leaderboard churn-1 churn-2 --objective f1 --param depth=4
      mnist-tracking leaderboard churn --objective f1 --format json | jq '.[0]'
    """  # noqa: D301 - click reads the backspace: keep these lines as they are
    from mnist_tracking.reading.leaderboard import Leaderboard

    chosen, wanted = objective_of(objective, minimize, statistic), Filters(**filters)
    with settings.opened() as workspace:
        counted = count_on_terminal("trials")
        board = Leaderboard.load(workspace, experiments, objective=chosen, where=wanted.where(), on_progress=counted)
        if chosen is not None and board.unranked:
            raise ConfigError(board.unranked)
        write_leaderboard(board, form, wanted.metric_names())


def write_leaderboard(board: "Leaderboard", form: Form, wanted: Collection[str] = ()) -> None:
    """Write the trials, best first; a table has the *wanted* metrics, whatever else it leaves out."""
    match form:
        case "json":
            write_json([_ranked(board, place) for place in range(len(board))])
        case "csv":
            from mnist_tracking.reading.leaderboard import leaderboard_table

            write_table(leaderboard_table(board))
        case "table":
            _write_table(board, wanted)


def _is_ranked(board: "Leaderboard") -> bool:
    return board.objective is not None and not board.unranked


def _ranked(board: "Leaderboard", place: int) -> dict[str, Any]:
    from mnist_tracking.reading.scores import score, score_note

    trial = board[place]
    if not _is_ranked(board) or board.objective is None:
        return {**to_json(trial)}
    value, note = score(trial, board.objective), score_note(trial, board.objective)
    return {"rank": place + 1, "objective": value, "objective_note": note, **to_json(trial)}


def _write_table(board: "Leaderboard", wanted: Collection[str]) -> None:
    from mnist_tracking.reading.leaderboard import differing
    from mnist_tracking.reading.scores import score, score_note

    if not board:
        echo("No trials.", err=True)
        return
    _report_order(board)
    objective = board.objective if _is_ranked(board) else None
    asked = {objective.metric} if objective else set[str]()
    others = [name for name in shown_metrics(board, asked.union(wanted)) if name not in asked]
    several, completed = len(board.experiments) > 1, all(trial.status == "Completed" for trial in board)
    rows, parameters = [], differing(board)
    for place, trial in enumerate(board, 1):
        row = trial_row(trial, parameters, others)
        first: dict[str, object] = {"rank": place} if objective else {}
        first["trial"] = row.pop("trial")
        if several:
            first["experiment"] = trial.experiment
        if objective:
            first[f"{objective.statistic} {objective.metric}"] = score(trial, objective)
            first["note"] = score_note(trial, objective)
        if completed:
            del row["status"]
        rows.append(first | row)
    write_trials(rows, keep=2)


def _report_order(board: "Leaderboard") -> None:
    from mnist_tracking.reading.trial import logged_metrics

    if board.objective is None:
        available = ", ".join(sorted(logged_metrics(board))) or "no metrics yet"
        echo(f"In order of creation. Pass --objective to rank them; available: {available}.", err=True)
    elif board.unranked:
        echo(f"{board.unranked} In order of creation.", err=True)
