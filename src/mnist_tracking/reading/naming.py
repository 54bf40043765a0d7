"""Find the trial that somebody means: by its name, a part of it, or as the best or the latest one."""

from mnist_tracking._aws.account import Account
from mnist_tracking._aws.experiments import (
    experiment_names_of,
    iter_trial_names,
    require_experiment,
    require_trial,
)
from mnist_tracking._values.specs import Objective
from mnist_tracking._values.text import nearest
from mnist_tracking.errors import ConfigError, NotFoundError
from mnist_tracking.reading.leaderboard import Leaderboard

BEST, LATEST = "best", "latest"
_LISTED = 5


def resolve_trial(
    account: Account, text: str, *, experiment: str | None = None, objective: Objective | str | None = None
) -> str:
    """Return the full name of a trial; see `Workspace.resolve_trial`."""
    if not isinstance(text, str) or not text:
        raise ConfigError(f"trial={text!r}; expected a trial's name, a prefix or suffix of one, 'best' or 'latest'.")
    if experiment is not None:
        experiment = require_experiment(account, experiment)
    if (name := _stored(account, text, experiment)) is not None:
        return name
    if text == BEST:
        return _best(account, experiment or _only_experiment(account), objective)
    names = list(iter_trial_names(account, experiment))
    if text == LATEST and names:
        return names[0]
    return _matching(text, names)


def _stored(account: Account, name: str, experiment: str | None) -> str | None:
    """Return the stored name of a trial, which may differ in case from the given one; None if it does not exist."""
    try:
        found = require_trial(account, name)
    except NotFoundError:
        return None
    return found.name if experiment in (None, found.experiment) else None


def _best(account: Account, experiment: str, objective: Objective | str | None) -> str:
    board = Leaderboard.load(account, experiment, objective=objective)
    if board.objective is None:
        metrics = sorted({repr(name) for trial in board for name in trial.metrics})
        available = f"Available: {', '.join(metrics)}" if metrics else "No trial has metrics yet"
        raise ConfigError(f"The experiment {experiment!r} has no objective; pass objective=, a metric. {available}.")
    if board.unranked:
        raise ConfigError(board.unranked)
    return board.best.name


def _only_experiment(account: Account) -> str:
    names = experiment_names_of(account)
    if len(names) == 1:
        return names[0]
    available = f"Available: {_listed(names)}" if names else "There is no experiment yet"
    raise ConfigError(f"The best trial of which experiment? Pass experiment=, its name. {available}.")


def _matching(text: str, names: list[str]) -> str:
    part = text.lower()
    found = [name for name in names if name.lower().startswith(part)]
    found = found or [name for name in names if name.lower().endswith(part)]
    match found:
        case [name]:
            return name
        case []:
            raise NotFoundError("trial", text, nearest(text, names))
    raise ConfigError(f"{text!r} matches {len(found)} trials: {_listed(found)}. Give more of the name.")


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(map(repr, names[:_LISTED])) + more
