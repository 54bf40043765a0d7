"""``mnist-tracking show``: one trial with all that was recorded of it."""

from datetime import datetime
from typing import TYPE_CHECKING

import attrs
import click

from mnist_tracking._values.records import Component
from mnist_tracking.cli.completion import trial_names
from mnist_tracking.cli.output import Form, format_option, to_json, write_csv, write_json
from mnist_tracking.cli.settings import Settings

if TYPE_CHECKING:
    from mnist_tracking.cli.page import Page
    from mnist_tracking.reading.trial import Trial

__all__ = ["show"]

_SDK_OWN = "sagemaker_"
_HISTORY = ("metric", "step", "value", "time")


@click.command(short_help="Show one trial with all that was recorded of it.")
@click.argument("trial", shell_complete=trial_names)
@click.option("--history", is_flag=True, help="Every value of every metric instead, also while the trial runs.")
@format_option()
@click.pass_obj
def show(settings: Settings, *, trial: str, history: bool, form: Form) -> None:
    """
    Show one trial: its outcome, its steps, and what each of them took in and gave.

    \b
    Examples:
      mnist-tracking show lr-0-1
      mnist-tracking show lr-0-1 --format json | jq '.metrics'
      mnist-tracking show lr-0-1 --history --format csv > curves.csv
    """  # noqa: D301 - click reads the backspace: keep these lines as they are
    with settings.opened() as workspace:
        found = workspace.trial(trial)
        if history:
            _show_history(found, form)
        else:
            _show_trial(found, form)


def _show_trial(trial: "Trial", form: Form) -> None:
    match form:
        case "json":
            write_json({**to_json(trial), "steps": to_json(trial.steps)})
        case "csv":
            write_csv(_facts(trial))
        case "table":
            from mnist_tracking.cli.page import Page

            _show_page(trial, Page())


def _facts(trial: "Trial") -> list[dict[str, object]]:
    """Return a row for each parameter, metric, input and output."""
    rows: list[dict[str, object]] = []
    for component in trial.steps:
        step: dict[str, object] = {"step": component.display_name, "component": component.name}
        rows += [step | {"kind": "parameter", "name": n, "value": v} for n, v in component.parameters.items()]
        rows += [step | {"kind": "metric", "name": n, "value": m.last} for n, m in component.metrics.items()]
        for kind, artifacts in (("input", component.inputs), ("output", component.outputs)):
            rows += [step | {"kind": kind, "name": item.name, "value": item.uri} for item in artifacts]
    return rows


def _show_page(trial: "Trial", page: "Page") -> None:
    from mnist_tracking.cli.trials import show_trial

    if trial.status is None:
        page.facts([("trial", trial.name), ("experiment", trial.experiment)])
    else:
        show_trial(trial, page)
    for component in trial.steps:
        is_shown = component.name == trial.component_name
        facts = [*([] if is_shown else _own_facts(component)), *_artifacts(component)]
        if facts:
            page.say(f"\nStep {component.display_name}", bold=True)
            page.facts(facts)


def _own_facts(component: Component) -> list[tuple[str, object]]:
    from mnist_tracking.cli.page import Seconds

    took = component.ended - component.started if component.started and component.ended else None
    return [
        ("status", component.status),
        ("failure", component.message),
        ("took", Seconds(took.total_seconds() if took else None)),
        *((name, value) for name, value in component.parameters.items() if not name.startswith(_SDK_OWN)),
        *((name, metric.last) for name, metric in component.metrics.items()),
    ]


def _artifacts(component: Component) -> list[tuple[str, object]]:
    return [
        *((f"reads {artifact.name}", artifact.uri) for artifact in component.inputs),
        *((f"makes {artifact.name}", artifact.uri) for artifact in component.outputs),
    ]


def _show_history(trial: "Trial", form: Form) -> None:
    series = trial.series()
    if form == "json":
        write_json({name: one.points for name, one in series.items()})
        return
    rows = [{"metric": name, **attrs.asdict(point)} for name, one in series.items() for point in one]
    if form == "csv":
        write_csv(rows)
    elif rows:
        from mnist_tracking.cli.page import Page

        Page().table([{**row, "time": _to_the_second(row["time"])} for row in rows])
    else:
        click.echo("No metrics.", err=True)


def _to_the_second(time: datetime | None) -> str:
    return "" if time is None else f"{time.astimezone():%Y-%m-%d %H:%M:%S}"
