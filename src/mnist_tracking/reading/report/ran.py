"""The sections on what ran: failures with their reasons, code and versions, time and cost."""

import json
from collections.abc import Iterable
from typing import get_args

from mnist_tracking._values.json import to_json
from mnist_tracking._values.text import plural
from mnist_tracking.reading.report.contents import Contents, Row
from mnist_tracking.reading.report.markup import Markup, element, joined
from mnist_tracking.reading.report.parts import data_table, facts_table, scrolling, sentence, total
from mnist_tracking.reading.report.table import cost_text, duration_text
from mnist_tracking.reading.trial import Trial, TrialStatus

__all__ = ["code", "cost", "failures"]

_MOST_REASONS = 50
_MOST_SETTINGS = 10


def failures(contents: Contents) -> Markup:
    """Return why trials failed or were stopped, each reason once."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for row in contents.rows:
        reason = row.trial.failure_reason or row.trial.stop_reason
        if row.state in ("failed", "stopped", "pruned"):
            reasons.setdefault((row.state, reason or "no reason was recorded"), []).append(row.trial.name)
    if not reasons:
        return sentence("No trial failed, and none was stopped.")
    ordered = sorted(reasons.items(), key=lambda item: (item[0][0], -len(item[1])))
    rows = (
        [
            element("span", state, class_=f"state {state}"),
            len(names),
            element("pre", reason),
            ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else ""),
        ]
        for (state, reason), names in ordered[:_MOST_REASONS]
    )
    table = data_table("Reasons, by status", ["status", "trials", "reason", "which"], rows)
    left_out = len(ordered) - _MOST_REASONS
    more = [sentence(f"{plural(left_out, 'other reason')}: the page's data has them.")] if left_out > 0 else []
    return joined([scrolling("Failures", table), *more])


def code(contents: Contents) -> Markup:
    """Return what trials come from and ran in, each combination once, the most frequent first."""
    groups: dict[str, list[Trial]] = {}
    for row in contents.rows:
        groups.setdefault(json.dumps(to_json(row.trial.provenance), sort_keys=True), []).append(row.trial)
    ordered = sorted(groups.values(), key=len, reverse=True)
    tables = [
        facts_table(plural(len(trials), "trial"), dict(_provenance(trials[0]))) or _unknown(trials)
        for trials in ordered[:_MOST_SETTINGS]
    ]
    left_out = len(ordered) - _MOST_SETTINGS
    more = [sentence(f"{plural(left_out, 'other combination')}: the page's data has them.")] if left_out > 0 else []
    return joined([element("div", *tables, class_="columns"), *more])


def _provenance(trial: Trial) -> Iterable[tuple[str, str]]:
    for name, value in to_json(trial.provenance).items():
        if name == "is_dirty" and value is not None:
            yield "uncommitted changes", "yes" if value else "no"
        elif name == "packages" and value:
            yield "packages", ", ".join(f"{package} {version}" for package, version in value.items())
        elif value and isinstance(value, str):
            yield name, value


def _unknown(trials: list[Trial]) -> Markup:
    return sentence(f"Nothing was recorded for {plural(len(trials), 'trial')}.")


def cost(contents: Contents) -> Markup:
    """Return how long trials took, and what they cost."""
    groups = {state: [row for row in contents.rows if row.state == state] for state in get_args(TrialStatus)}
    rows = [_spent(state, rows) for state, rows in groups.items() if rows]
    if len(rows) > 1:
        rows.append(_spent("all", contents.rows))
    headings = ["status", "trials", "duration", "median", "billable", "cost"]
    table = data_table("Time and cost, by status", headings, rows)
    note = f"Costs are billable seconds at the {contents.board._account.prices}."
    priced = any(row.trial.cost is not None for row in contents.rows)
    return joined([scrolling("Time and cost", table), *([sentence(note)] if priced else [])])


def _spent(state: str, rows: Iterable[Row]) -> list[object]:
    trials = [row.trial for row in rows]
    durations = sorted(trial.duration_s for trial in trials if trial.duration_s is not None)
    return [
        state,
        len(trials),
        duration_text(sum(durations)),
        duration_text(durations[len(durations) // 2]) if durations else "",
        duration_text(total(trial.billable_s for trial in trials)),
        cost_text(total(trial.cost for trial in trials)) or "unknown",
    ]
