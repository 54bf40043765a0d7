"""Watch a sweep that other programs run: its trials are followed, and nothing is started."""

from collections.abc import Callable

from mnist_tracking._aws.account import Account
from mnist_tracking._aws.waiting import Polling
from mnist_tracking.experiments.observers import Observers
from mnist_tracking.experiments.submission import SubmittedTrial
from mnist_tracking.experiments.sweep.point import has_ended
from mnist_tracking.reading.leaderboard import Leaderboard


def watch_trials(
    account: Account, read: Callable[[], Leaderboard], report: Observers, *, is_complete: Callable[[Leaderboard], bool]
) -> Leaderboard:
    """
    Follow the trials of a sweep until it is complete, or none was running for `Timing.settled_within_s`.

    Args:
        account: Where they run.
        read: Reads the trials of the sweep.
        report: Receives their events, also those of the trials that have ended before.
        is_complete: Whether nothing more is to come.

    Returns:
        The trials, as they are then.
    """
    followed: dict[str, SubmittedTrial] = {}
    seen: set[str] = set()
    quiet_since = account.clock()
    for _ in Polling(account, pause_s=account.timing.poll_s):
        board = read()
        for trial in sorted(board, key=lambda trial: trial.created):
            if trial.name not in seen:
                seen.add(trial.name)
                report.started(trial.name, trial.job_name, trial.hyperparameters)
                if has_ended(trial):
                    report.ended(trial)
                else:
                    followed[trial.name] = SubmittedTrial(account, trial.name, trial.experiment, trial.job_name)
        followed = {name: handle for name, handle in followed.items() if not _has_ended(handle, report)}
        if followed:
            quiet_since = account.clock()
        elif is_complete(board) or account.clock() - quiet_since >= account.timing.settled_within_s:
            break
    return read()


def _has_ended(handle: SubmittedTrial, report: Observers) -> bool:
    """Report the news of a trial, and return whether it has ended."""
    update, name = handle.watch(), handle.name
    report.status_changed(name, update.secondary_status)
    for line in update.lines:
        report.logged(name, line)
    for point in update.points:
        report.reported(name, point)
    if update.is_ended:
        report.ended(handle.wait())
    return update.is_ended
