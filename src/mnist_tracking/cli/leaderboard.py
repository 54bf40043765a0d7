"""``mnist-tracking leaderboard``: the trials of an experiment, best first."""

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import click

from mnist_tracking._values.json import to_json
from mnist_tracking.cli.filters import Filters, filter_options
from mnist_tracking.cli.names import experiment_names, objective_of, objective_options
from mnist_tracking.cli.options import Settings, command, pass_settings
from mnist_tracking.cli.output import (
    Form,
    Page,
    count_on_terminal,
    echo,
    format_option,
    write_csv,
    write_json,
    write_table,
)
from mnist_tracking.cli.trials import shown_metrics, trial_row, write_trials
from mnist_tracking.errors import ConfigError

if TYPE_CHECKING:
    from mnist_tracking.reading.groups import Group, Groups
    from mnist_tracking.reading.leaderboard import Leaderboard

__all__ = ["leaderboard", "write_leaderboard"]


@command(short_help="Rank the trials of experiments, the best first.")
@click.argument("experiments", nargs=-1, required=True, metavar="EXPERIMENT...", shell_complete=experiment_names)
@objective_options
@click.option(
    "--group-by",
    type=click.Choice(["configuration"]),
    help="Show one row per configuration: mean, spread and 95 % interval of its repeats, and which tie with the best.",
)
@click.option(
    "--over",
    multiple=True,
    metavar="NAME",
    help="Hyperparameter in which repeats differ, with --group-by. May be repeated.  [default: seed]",
)
@click.option(
    "--importance",
    is_flag=True,
    help="Show how much each hyperparameter decides whether a trial is among the best, in shares.",
)
@click.option("--costs", is_flag=True, help="Show what each trial cost, at the prices of --prices.")
@filter_options
@format_option()
@pass_settings
def leaderboard(
    settings: Settings,
    /,
    *,
    experiments: tuple[str, ...],
    group_by: str | None,
    over: tuple[str, ...],
    importance: bool,
    costs: bool,
    form: Form,
    **given: Any,
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
      mnist-tracking leaderboard churn --objective f1 --group-by configuration
      mnist-tracking leaderboard churn --objective f1 --format json | jq '.[0]'
    """  # noqa: D301 - click reads the backspace: keep these lines as they are
    from mnist_tracking.reading.leaderboard import Leaderboard

    chosen = objective_of(given.pop("objective"), given.pop("minimize"), given.pop("statistic"))
    wanted = Filters(**given)
    if over and not group_by:
        raise click.UsageError("--over goes with --group-by configuration.")
    if importance and group_by:
        raise click.UsageError("--importance and --group-by are two different tables; pass one of them.")
    with settings.opened() as workspace:
        counted = count_on_terminal("trials")
        board = Leaderboard.load(workspace, experiments, objective=chosen, where=wanted.where(), on_progress=counted)
        if chosen is not None and board.unranked:
            raise ConfigError(board.unranked)
        if importance:
            _write_importance(board, form)
        elif group_by:
            _write_groups(board.groups(over or None), form)
        else:
            write_leaderboard(board, form, wanted.metric_names(), with_costs=costs)
        if costs:
            echo(f"Costs of jobs on AWS, at {workspace.prices}.", err=True)


def _write_importance(board: "Leaderboard", form: Form) -> None:
    shares = board.importance()
    rows: list[dict[str, object]] = [{"hyperparameter": name, "share": share} for name, share in shares.items()]
    match form:
        case "json":
            write_json(shares)
        case "csv":
            write_csv(rows)
        case "table":
            Page().table(rows)


def _write_groups(groups: "Groups", form: Form) -> None:
    from mnist_tracking.reading.groups import groups_table, shown_rows

    match form:
        case "json":
            write_json([_group_record(group) for group in groups])
        case "csv":
            write_table(groups_table(groups))
        case "table":
            echo(groups.note, err=True)
            Page().table(shown_rows(groups))


def _group_record(group: "Group") -> dict[str, Any]:
    """Return a configuration as JSON, with the names of its trials and with what is computed from its values."""
    computed = {"n": group.n, "mean": group.mean, "std_dev": group.std_dev, "interval": group.interval}
    return {**to_json(group), "trials": [trial.name for trial in group.trials], **to_json(computed)}


def write_leaderboard(
    board: "Leaderboard", form: Form, wanted: Collection[str] = (), *, with_costs: bool = False
) -> None:
    """Write the trials, best first; a table has the *wanted* metrics, whatever else it leaves out."""
    match form:
        case "json":
            write_json([_ranked(board, place) for place in range(len(board))])
        case "csv":
            from mnist_tracking.reading.ranked import ranked_table

            write_table(ranked_table(board.trials, board.objective, board.ties))
        case "table":
            _write_table(board, wanted, with_costs=with_costs)


def _is_ranked(board: "Leaderboard") -> bool:
    return board.objective is not None and not board.unranked


def _ranked(board: "Leaderboard", place: int) -> dict[str, Any]:
    from mnist_tracking.reading.scores import score, score_note

    trial = board[place]
    found = {**to_json(trial), "cost_usd": trial.cost}
    if not _is_ranked(board) or board.objective is None:
        return found
    value, note = score(trial, board.objective), score_note(trial, board.objective)
    tied = board.ties.get(trial.name, 0)
    return {"rank": place + 1, "objective": value, "objective_note": note, "tied": tied, **found}


def _write_table(board: "Leaderboard", wanted: Collection[str], *, with_costs: bool) -> None:
    from mnist_tracking.reading.leaderboard import differing
    from mnist_tracking.reading.scores import score

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
        first["note"] = board.note_of(trial)
        if completed:
            del row["status"]
        if with_costs:
            first["cost in USD"] = None if trial.cost is None else f"{trial.cost:.4f}"
        rows.append(first | row)
    write_trials(rows, keep=2)


def _report_order(board: "Leaderboard") -> None:
    from mnist_tracking.reading.trial import logged_metrics

    if board.objective is None:
        available = ", ".join(sorted(logged_metrics(board))) or "no metrics yet"
        echo(f"In order of creation. Pass --objective to rank them; available: {available}.", err=True)
    elif board.unranked:
        echo(f"{board.unranked} In order of creation.", err=True)
    elif board.note:
        echo(board.note, err=True)
