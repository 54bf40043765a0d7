"""``mnist-tracking show``, ``compare``, ``lineage`` and ``logs``: what was recorded of a trial, or of several."""

import sys
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import attrs
import click

from mnist_tracking._values.json import to_json
from mnist_tracking._values.markers import RESERVED
from mnist_tracking._values.records import Component, MetricSeries
from mnist_tracking._values.sparkline import bars_for, sparkline
from mnist_tracking.cli.names import Choice, choice_options, trial_names
from mnist_tracking.cli.options import Settings, command, pass_settings
from mnist_tracking.cli.output import (
    Form,
    Page,
    Recorded,
    Seconds,
    echo,
    echo_logged,
    format_option,
    write_csv,
    write_json,
)
from mnist_tracking.cli.trials import provenance_facts, write_trial

if TYPE_CHECKING:
    from mnist_tracking.reading.comparison import Difference
    from mnist_tracking.reading.lineage import Lineage
    from mnist_tracking.reading.trial import Trial

__all__ = ["compare", "lineage", "logs", "show"]

_NOT_SHOWN = ("sagemaker_", RESERVED)


@command(short_help="Show everything that was recorded for a trial.")
@click.argument("trial", shell_complete=trial_names)
@click.option(
    "--history",
    is_flag=True,
    help="Show the values and the curve of every metric, also while the trial is training.",
)
@choice_options
@format_option()
@pass_settings
def show(settings: Settings, /, *, trial: str, history: bool, form: Form, **choice: Any) -> None:
    """
    Show one trial: its outcome, its steps, and their inputs and outputs.

    TRIAL is a name, a unique prefix or suffix of one, 'latest' or 'best'.

    \b
    Examples:
      mnist-tracking show baseline
      mnist-tracking show best -e churn --format json | jq '.metrics'
      mnist-tracking show latest --history --format csv > curves.csv
    """  # noqa: D301 - click reads the backspace: keep these lines as they are
    chosen = Choice(**choice)
    with settings.opened() as workspace:
        found = workspace.trial(chosen.find(workspace, trial))
        if history:
            _write_history(found, form)
        else:
            _write_trial(found, form)


def _write_trial(trial: "Trial", form: Form) -> None:
    match form:
        case "json":
            write_json({**_object(trial), "steps": trial.steps})
        case "csv":
            write_csv(_facts(trial))
        case "table":
            _write_page(trial, Page())


def _object(value: object) -> dict[str, Any]:
    """Return a record as the object that JSON shows."""
    found = to_json(value)
    assert isinstance(found, dict)  # noqa: S101 - a record
    return found


def _facts(trial: "Trial") -> list[dict[str, object]]:
    """Return a row for each parameter, metric, input and output."""
    rows: list[dict[str, object]] = []
    for component in trial.steps:
        step: dict[str, object] = {"step": component.display_name, "component": component.name}
        rows += [step | {"kind": "parameter", "name": n, "value": Recorded(v)} for n, v in component.parameters.items()]
        rows += [step | {"kind": "metric", "name": n, "value": last} for n, last in component.last_values.items()]
        for kind, artifacts in (("input", component.inputs), ("output", component.outputs)):
            rows += [step | {"kind": kind, "name": item.name, "value": item.uri} for item in artifacts]
    return rows


def _write_page(trial: "Trial", page: Page) -> None:
    if trial.status is None:
        page.facts([("trial", trial.name), ("experiment", trial.experiment)])
    else:
        write_trial(trial, page)
    for component in trial.steps:
        is_shown = component.name == trial.component_name
        facts = [*([] if is_shown else _own_facts(component, trial)), *_artifacts(component)]
        if facts:
            page.say(f"\nStep {component.display_name}", bold=True)
            page.facts(facts)


def _own_facts(component: Component, trial: "Trial") -> list[tuple[str, object]]:
    took = component.ended - component.started if component.started and component.ended else None
    return [
        ("status", component.status),
        ("failure", component.message),
        ("took", Seconds(took.total_seconds() if took else None)),
        *(provenance_facts(component.provenance) if component.provenance != trial.provenance else ()),
        *((name, Recorded(value)) for name, value in component.parameters.items() if not name.startswith(_NOT_SHOWN)),
        *component.last_values.items(),
    ]


def _artifacts(component: Component) -> list[tuple[str, object]]:
    return [
        *((f"input {artifact.name}", artifact.uri) for artifact in component.inputs),
        *((f"output {artifact.name}", artifact.uri) for artifact in component.outputs),
    ]


def _write_history(trial: "Trial", form: Form) -> None:
    series = trial.series()
    if form == "json":
        write_json({name: one.points for name, one in series.items()})
        return
    rows = [attrs.asdict(point) for one in series.values() for point in one]
    if form == "csv":
        write_csv(rows)
    elif rows:
        page = Page()
        page.table([{**row, "time": _to_the_second(row["time"])} for row in rows])
        page.say("")
        page.table(_curves(series))
    else:
        echo("No metrics.", err=True)


def _curves(series: Mapping[str, MetricSeries]) -> list[dict[str, object]]:
    """Return a row for each metric: how it developed, drawn in a line, and in numbers."""
    bars = bars_for(sys.stdout.encoding)
    return [
        {
            "metric": name,
            "curve": sparkline(one.values, bars=bars),
            "first": one.values[0],
            "last": one.non_finite or one.values[-1],
            "min": min(one.values),
            "max": max(one.values),
            "values": len(one),
        }
        for name, one in series.items()
        if one
    ]


def _to_the_second(time: datetime | None) -> str:
    return "" if time is None else f"{time.astimezone():%Y-%m-%d %H:%M:%S}"


@command(short_help="Show what differs between trials.")
@click.argument("trials", nargs=-1, required=True, metavar="TRIAL TRIAL...", shell_complete=trial_names)
@choice_options
@format_option()
@pass_settings
def compare(settings: Settings, /, *, trials: tuple[str, ...], form: Form, **choice: Any) -> None:
    """
    Show what differs between two or more trials: parameters, data, code, metrics and status of all their steps.

    TRIAL is a name, a unique prefix or suffix of one, 'latest' or 'best'. Whatever all of them share is left out.

    \b
    Examples:
      mnist-tracking compare baseline deeper
      mnist-tracking compare best latest -e churn
      mnist-tracking compare a b c --format json | jq '.differences[].name'
    """  # noqa: D301 - click reads the backspace: keep these lines as they are
    if len(set(trials)) < max(2, len(trials)):
        raise click.UsageError("Give two or more different trials.")
    chosen = Choice(**choice)
    with settings.opened() as workspace:
        found = workspace.compare(*(chosen.find(workspace, trial) for trial in trials))
    rows = [
        {"step": one.step, "kind": one.kind, "name": one.name, **dict(zip(found.trials, _shown(one), strict=True))}
        for one in found.differences
    ]
    match form:
        case "json":
            write_json(found)
        case "csv":
            write_csv(rows)
        case "table" if rows:
            Page().table(rows, keep=3 + len(trials))
        case "table":
            echo("No differences.", err=True)


def _shown(difference: "Difference") -> list[object]:
    """Return the values of a difference; None for what a trial has not."""
    values = zip(difference.values, difference.recorded, strict=True)
    is_parameter = difference.kind == "parameter"
    return [(Recorded(value) if is_parameter else value) if there else None for value, there in values]  # type: ignore[arg-type]


@command(short_help="Trace what went into a model, and what was made from it.")
@click.argument("trial", shell_complete=trial_names)
@choice_options
@format_option()
@pass_settings
def lineage(settings: Settings, /, *, trial: str, form: Form, **choice: Any) -> None:
    """
    Trace a trial's model: the data, the code and the steps that went into it, and where it is deployed.

    TRIAL is a name, a unique prefix or suffix of one, 'latest' or 'best'.

    \b
    Examples:
      mnist-tracking lineage baseline
      mnist-tracking lineage best -e churn --format json | jq '.nodes[].id'
    """  # noqa: D301 - click reads the backspace: keep these lines as they are
    from mnist_tracking.reading.lineage import LineageTracer

    chosen = Choice(**choice)
    with settings.opened() as workspace:
        found = LineageTracer(workspace).trace(chosen.find(workspace, trial))
        match form:
            case "json":
                write_json(found)
            case "csv":
                write_csv(_rows(found))
            case "table":
                _write_lineage(found)


def _rows(found: "Lineage") -> list[dict[str, object]]:
    """Return a row for each node, upstream first, with the ids of what it was made from."""
    return [
        {**attrs.asdict(node), "made_from": [source.id for source in found.upstream(node.id)]} for node in found.nodes
    ]


def _write_lineage(found: "Lineage") -> None:
    from mnist_tracking.reading.lineage import overview

    if not found.nodes:
        echo(f"Nothing is recorded of {found.trial}.", err=True)
        return
    page, (folder, rows) = Page(), overview(found)
    if folder:
        page.say(f"Locations are relative to {folder}\n")
    page.table(rows, keep=3)


@command(short_help="Print the log of a trial's training job.")
@click.argument("trial", shell_complete=trial_names)
@click.option("-f", "--follow", is_flag=True, help="Continue until the job ends.")
@choice_options
@pass_settings
def logs(settings: Settings, /, *, trial: str, follow: bool, **choice: Any) -> None:
    """
    Print the log of a trial's training job.

    TRIAL is a name, a unique prefix or suffix of one, 'latest' or 'best'. Ctrl-C ends the command; the job keeps
    running.

    \b
    Examples:
      mnist-tracking logs baseline
      mnist-tracking logs -f latest
    """  # noqa: D301 - click reads the backspace: keep these lines as they are
    chosen = Choice(**choice)
    with settings.opened() as workspace:
        submitted = workspace.submitted(chosen.find(workspace, trial))
        echo(f"Job {submitted.job_name}", err=True)
        try:
            for line in submitted.logs(follow=follow):
                echo_logged(line)
        except KeyboardInterrupt:
            raise KeyboardInterrupt("The job keeps running.") from None
        echo(f"The job is {submitted.status}.", err=True)
