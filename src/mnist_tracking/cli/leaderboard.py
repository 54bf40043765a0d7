"""``mnist-tracking leaderboard``: the trials of an experiment, best first."""

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import click

from mnist_tracking._values.specs import Statistic
from mnist_tracking.cli.completion import experiment_names
from mnist_tracking.cli.counting import count_on_terminal
from mnist_tracking.cli.narrowing import Narrowing, narrowing_options
from mnist_tracking.cli.objective import objective_of, objective_options
from mnist_tracking.cli.output import Form, format_option, to_json, write_csv, write_json
from mnist_tracking.cli.settings import Settings

if TYPE_CHECKING:
    from mnist_tracking.reading.leaderboard import Leaderboard

__all__ = ["leaderboard", "show_leaderboard"]


@click.command(short_help="Rank the trials of experiments, the best first.")
@click.argument("experiments", nargs=-1, required=True, metavar="EXPERIMENT...", shell_complete=experiment_names)
@objective_options
@narrowing_options
@format_option()
@click.pass_obj
def leaderboard(
    settings: Settings,
    /,
    *,
    experiments: tuple[str, ...],
    objective: str | None,
    minimize: bool,
    statistic: Statistic,
    form: Form,
    **narrowing: Any,
) -> None:
    """
    Rank the trials of an experiment, or of several, the best first.

    Those without a value for the objective come last. Without --objective they come in order of creation. The
    conditions are those of mnist-tracking search.

    \b
    Examples:
      mnist-tracking leaderboard mnist-digits --objective validation:accuracy
      mnist-tracking leaderboard churn --objective loss --minimize --statistic min
      mnist-tracking leaderboard churn-1 churn-2 --objective f1 --param depth=4
      mnist-tracking leaderboard churn --objective f1 --format json | jq '.[0]'
    """  # noqa: D301 - click reads the backspace: keep these lines as they are
    from mnist_tracking.reading.leaderboard import Leaderboard

    chosen, wanted = objective_of(objective, minimize, statistic), Narrowing(**narrowing)
    with settings.opened() as workspace:
        told = count_on_terminal("trials")
        where = wanted.filters()
        board = Leaderboard.load(workspace, experiments, objective=chosen, where=where, on_progress=told)
        show_leaderboard(board, form, wanted.metric_names())


def show_leaderboard(board: "Leaderboard", form: Form, wanted: Collection[str] = ()) -> None:
    """Write the trials, best first; a table has the metrics that are *wanted*, whatever else it leaves out."""
    match form:
        case "json":
            write_json([_ranked(board, place) for place in range(len(board))])
        case "csv":
            write_csv(board.dataframe().to_dict("records"))  # type: ignore[arg-type]
        case "table":
            _show_table(board, wanted)


def _ranked(board: "Leaderboard", place: int) -> dict[str, Any]:
    from mnist_tracking.reading.leaderboard import score

    trial = board[place]
    value = score(trial, board.objective) if board.objective else None
    return {"rank": place + 1, "objective": value, **to_json(trial)}


def _show_table(board: "Leaderboard", wanted: Collection[str]) -> None:
    from mnist_tracking.cli.page import Page
    from mnist_tracking.cli.trials import shown_metrics, trial_row
    from mnist_tracking.reading.leaderboard import differing, score

    if not board:
        click.echo("No trials.", err=True)
        return
    objective = board.objective
    _say_order(board)
    asked = {objective.metric} if objective else set[str]()
    others = [name for name in shown_metrics(board, asked.union(wanted)) if name not in asked]
    several, completed = len(board.experiments) > 1, all(trial.status == "Completed" for trial in board)
    rows, parameters = [], differing(board)
    for place, trial in enumerate(board, 1):
        row = trial_row(trial, parameters, others)
        first: dict[str, object] = {"rank": place, "trial": row.pop("trial")}
        if several:
            first["experiment"] = trial.experiment
        if objective:
            first[f"{objective.statistic} {objective.metric}"] = score(trial, objective)
        if completed:
            del row["status"]
        rows.append(first | row)
    Page().table(rows, keep=2)


def _say_order(board: "Leaderboard") -> None:
    if board.objective is None:
        possible = ", ".join(sorted({name for trial in board for name in trial.metrics})) or "there are no metrics yet"
        click.echo(f"In order of creation. Give --objective to rank; possible: {possible}.", err=True)
    elif board.unranked:
        click.echo(board.unranked, err=True)
