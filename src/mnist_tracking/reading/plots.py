"""
Plots of trials: metric curves, the effect of a hyperparameter, and a confusion matrix.

Each returns a matplotlib figure, and saves it if given a path. Needs the extra ``plots``. The figures are their own, so
pyplot's global state and backend are left alone.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mnist_tracking._values.records import MetricSeries, ParameterValue
from mnist_tracking._values.text import ellipsize, main_metrics, number, value_text
from mnist_tracking.errors import ConfigError
from mnist_tracking.reading.figures import BAD, GOOD, INK, SavePath, label_axes, new_figure, save
from mnist_tracking.reading.leaderboard import Leaderboard, differing
from mnist_tracking.reading.scores import score
from mnist_tracking.reading.trial import Trial

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["confusion_matrix", "metric_curves", "parameter_effect"]

_STYLES = ("-", "--", ":", "-.")
_COLOURS = (GOOD, "#d98e04", "#4c5f9e", "#8a4f7d")
_PANELS = 4
_LOG_SPAN = 8  # values that span more than this factor are spread evenly
_MOST_CELLS = 30


def metric_curves(
    trials: Trial | Iterable[Trial], *, metrics: Sequence[str] | None = None, path: SavePath | None = None
) -> "Figure":
    """
    Draw how metrics developed while trials trained: a colour per trial, a panel per kind of metric.

    ``train:loss`` and ``validation:loss`` share the panel ``loss`` and differ in their line style. Where one was logged
    more often than another, as a training loss usually is, the last of its values before each value of the other is
    drawn: one point per epoch.

    Args:
        trials: One or several trials, such as a `Leaderboard`.
        metrics: The metrics to draw. Defaults to those that were logged more than once.
        path: Where to save the picture; its ending decides the format. Missing folders are created.

    Raises:
        ConfigError: If there is nothing to draw; the message lists the metrics that were logged.
        MissingDependencyError: If matplotlib is not installed.
    """
    listed = [trials] if isinstance(trials, Trial) else _in_order(list(trials))
    series = {trial.name: trial.series() for trial in listed}
    every = {name for one in series.values() for name in one}
    curves = {name for one in series.values() for name, values in one.items() if len(values) > 1}
    wanted = main_metrics(curves) if metrics is None else list(metrics)
    if not listed or not wanted or (unknown := [name for name in wanted if name not in every]):
        missing = f"metrics={unknown!r}" if listed and wanted else "No metric was logged more than once"
        raise ConfigError(f"Nothing to draw: {missing}. Logged: {', '.join(map(repr, sorted(every))) or 'nothing'}.")
    panels = _panels(wanted)
    figure = new_figure(4.6 * len(panels), 3.8)
    labels, epochs = _labels(listed), _epochs(listed)
    endings = {name: _endings(one, wanted) for name, one in series.items()}
    labels |= {name: f"{labels[name]} ({ending})" for name, ending in endings.items() if ending}
    for axes, (kind, names) in zip(np.ravel(figure.subplots(1, len(panels))), panels.items(), strict=True):
        for trial, colour in zip(listed, _shades(len(listed)), strict=True):
            drawn = {name: series[trial.name][name] for name in names if series[trial.name].get(name)}
            label = labels[trial.name]
            for (points, step), style in zip(_thinned(drawn), _STYLES * len(names), strict=False):
                axes.plot(step, points, color=colour, linestyle=style, marker="o", markersize=3.5, label=label)
                label = "_"  # once in the legend
        _finish_curves(axes, kind, names, "epoch" if epochs else "step")
    _legend(figure, len(listed))
    return save(figure, path)


def _endings(series: Mapping[str, MetricSeries], metrics: Iterable[str]) -> str:
    """Return what metrics end with that is not finite, and cannot be drawn."""
    lasts = dict.fromkeys(series[name].non_finite for name in metrics if name in series)
    return ", ".join(f"ends with {last}" for last in lasts if last)


def _in_order(trials: list[Trial]) -> list[Trial]:
    """Sort trials by the hyperparameters that differ, numbers before anything else, so that colours and legend do."""
    names = differing(trials)

    def place(trial: Trial) -> list[tuple[bool, float, str]]:
        values = [trial.configuration.get(name) for name in names]
        return [(False, float(v), "") if isinstance(v, int | float) else (True, 0.0, str(v)) for v in values]

    return sorted(trials, key=place)


def _panels(names: Sequence[str]) -> dict[str, list[str]]:
    """Group metrics by what stands behind their last colon; of many kinds, the first few."""
    return {
        kind: sorted(
            (name for name in names if name.rsplit(":", 1)[-1] == kind),
            key=lambda name: (not name.startswith("train"), name),
        )
        for kind in sorted(_kinds(names))[:_PANELS]
    }


def _kinds(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(name.rsplit(":", 1)[-1] for name in names))


def _thinned(series: Mapping[str, MetricSeries]) -> list[tuple[list[float], list[float]]]:
    """Return the values and their places: of a metric that was logged more often, the last one of each stretch."""
    fewest = min((len(one) for one in series.values()), default=0)
    curves = []
    for one in series.values():
        often = len(one) // fewest if fewest > 1 and len(one) % fewest == 0 else 1
        values = list(one.values[often - 1 :: often])
        curves.append((values, [place * max(fewest, 1) / len(values) for place in range(1, len(values) + 1)]))
    return curves


def _finish_curves(axes: "Axes", kind: str, names: Sequence[str], unit: str) -> None:
    from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter

    drawn = [value for line in axes.lines for value in np.asarray(line.get_ydata(), float) if np.isfinite(value)]
    if re.search("loss|error", kind) and drawn and min(drawn) > 0 and max(drawn) > _LOG_SPAN * min(drawn):
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    styles = ("solid", "dashed", "dotted", "dash-dotted")
    prefixes = [f"{name.rsplit(':', 1)[0]} {style}" for name, style in zip(names, styles, strict=False) if ":" in name]
    title = f"{kind} ({', '.join(prefixes)})" if len(names) > 1 else names[0]
    label_axes(axes, title, unit, kind)


def _legend(figure: "Figure", count: int) -> None:
    handles, labels = figure.axes[0].get_legend_handles_labels()
    if count > 1:
        figure.legend(
            handles, labels, frameon=False, fontsize=8, labelcolor=INK, loc="outside lower center", ncols=min(count, 5)
        )


def _shades(count: int) -> list[Any]:
    from matplotlib import colormaps

    return list(colormaps["viridis"](np.linspace(0.0, 0.85, max(count, 1))))


def _labels(trials: Sequence[Trial]) -> dict[str, str]:
    """Tell trials apart by the hyperparameters that differ; if none do, by their names."""
    names = differing(trials)[:2]
    return {
        trial.name: ", ".join(f"{name} {value_text(trial.configuration.get(name))}" for name in names)
        or ellipsize(trial.name, 30)
        for trial in trials
    }


def _epochs(trials: Sequence[Trial]) -> bool:
    return all("epochs" in trial.hyperparameters for trial in trials)


def parameter_effect(
    board: Leaderboard,
    parameter: str | None = None,
    *,
    metrics: Sequence[str] | None = None,
    path: SavePath | None = None,
) -> "Figure":
    """
    Draw metrics against a hyperparameter, and mark the trial that the leaderboard ranks first.

    Args:
        board: The trials, with an objective.
        parameter: The hyperparameter. Defaults to the only one that differs.
        metrics: The metrics to draw. Defaults to the objective's, of which the value that counts is drawn; of another
            metric it is the last one.
        path: Where to save the picture; its ending decides the format. Missing folders are created.

    Raises:
        ConfigError: If the hyperparameter is not given and several differ, or no trial has a value to draw.
        MissingDependencyError: If matplotlib is not installed.
    """
    chosen = _the_parameter(board, parameter)
    objective = board.objective
    wanted = list(metrics) if metrics is not None else [objective.metric] if objective else []
    drawn = {name: _effect(board, chosen, name) for name in wanted}
    if not any(drawn.values()):
        raise ConfigError(f"Nothing to draw: no trial has {chosen!r} and one of metrics={wanted!r}.")
    ticks = _ticks([value for pairs in drawn.values() for value, _ in pairs])
    figure = new_figure(5.2, 3.8)
    axes = figure.subplots()
    for place, (name, pairs) in enumerate(drawn.items()):
        colour = _COLOURS[place % len(_COLOURS)]
        axes.plot(*_means(pairs, ticks), color=colour, linewidth=1.5, label=name, linestyle=_STYLES[place % 4])
        places = [ticks[value_text(value)] for value, _ in pairs]
        axes.scatter(places, [y for _, y in pairs], color=colour, s=24, zorder=3)
    _spread(axes, ticks)
    if objective is not None and (best := _best(board, chosen)) is not None and drawn.get(objective.metric):
        _mark(axes, ticks[value_text(best[0])], best[1], f"chosen: {number(best[1])}")
    if len(drawn) > 1:
        axes.legend(frameon=False, fontsize=8, labelcolor=INK, loc="lower right")
    axes.margins(x=0.08, y=0.2)
    label_axes(axes, f"Effect of {chosen}", chosen, wanted[0] if len(wanted) == 1 else " and ".join(_kinds(wanted)))
    return save(figure, path)


def _the_parameter(board: Leaderboard, parameter: str | None) -> str:
    if parameter is not None:
        return parameter
    names = differing(board)
    if len(names) == 1:
        return names[0]
    available = f"Available: {', '.join(map(repr, names))}" if names else "All trials have the same ones"
    raise ConfigError(f"The effect of which hyperparameter? Pass parameter=. {available}.")


def _effect(board: Leaderboard, parameter: str, metric: str) -> list[tuple[ParameterValue, float]]:
    pairs = []
    for trial in board:
        value = _value(board, trial, metric)
        if parameter in trial.configuration and value is not None and np.isfinite(value):
            pairs.append((trial.configuration[parameter], value))
    return pairs


def _value(board: Leaderboard, trial: Trial, metric: str) -> float | None:
    if board.objective is not None and board.objective.metric == metric:
        return score(trial, board.objective)
    last = trial.last_values.get(metric)
    return None if isinstance(last, str) else last


def _best(board: Leaderboard, parameter: str) -> tuple[ParameterValue, float] | None:
    """Return the hyperparameter and the value of the trial that `Leaderboard.best` is; None without one."""
    for trial in board:
        value = score(trial, board.objective) if board.objective else None
        if trial.status == "Completed" and value is not None and parameter in trial.configuration:
            return trial.configuration[parameter], value
    return None


def _ticks(values: Sequence[ParameterValue]) -> dict[str, float]:
    """Place values on an axis: numbers as they are, anything else, and what spans a wide range, evenly."""
    numbers = [float(v) for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    if len(numbers) < len(values):
        return {text: float(place) for place, text in enumerate(sorted({value_text(v) for v in values}))}
    ordered = sorted(set(numbers))
    if ordered[0] > 0 and ordered[-1] > _LOG_SPAN * ordered[0]:
        return {number(value): float(np.log2(value)) for value in ordered}
    return {number(value): value for value in ordered}


def _means(
    pairs: Sequence[tuple[ParameterValue, float]], ticks: Mapping[str, float]
) -> tuple[list[float], list[float]]:
    by_place: dict[float, list[float]] = {}
    for value, y in pairs:
        by_place.setdefault(ticks[value_text(value)], []).append(y)
    places = sorted(by_place)
    return places, [float(np.mean(by_place[place])) for place in places]


def _spread(axes: "Axes", ticks: Mapping[str, float]) -> None:
    if len(ticks) <= 12:
        axes.set_xticks(list(ticks.values()), labels=list(ticks))


def _mark(axes: "Axes", x: float, y: float, text: str) -> None:
    axes.scatter([x], [y], s=130, facecolors="none", edgecolors=BAD, linewidths=1.8, zorder=4)
    axes.annotate(
        text,
        (x, y),
        xytext=(0, 11),
        textcoords="offset points",
        ha="center",
        color=BAD,
        fontsize=9,
        fontweight="bold",
    )


def confusion_matrix(
    truth: ArrayLike,
    predictions: ArrayLike,
    *,
    labels: Sequence[object] | None = None,
    path: SavePath | None = None,
) -> "Figure":
    """
    Draw how often each class was predicted for each true class. The colour shows the share within the true class.

    Args:
        truth: (N,) true classes: integers or strings.
        predictions: (N,) predicted classes.
        labels: The classes, in the order to draw. Defaults to all that occur, sorted.
        path: Where to save the picture; its ending decides the format. Missing folders are created.

    Raises:
        ConfigError: If there are no predictions, their number differs from that of the true classes, or a class is not
            in *labels*.
        MissingDependencyError: If matplotlib is not installed.
    """
    true, guessed = np.ravel(np.asarray(truth)), np.ravel(np.asarray(predictions))
    if not len(true) == len(guessed) > 0:
        raise ConfigError(f"Got {len(true)} true classes and {len(guessed)} predictions; expected as many of each.")
    classes = np.unique(np.concatenate([true, guessed])) if labels is None else np.asarray(list(labels))
    if unknown := sorted({str(one) for one in (*true, *guessed)} - {str(one) for one in classes}):
        raise ConfigError(f"labels= lacks the classes {', '.join(unknown[:5])}.")
    counts = _counted(true, guessed, classes)
    side = min(max(0.5 * len(classes) + 1.2, 3.2), 12.0)
    figure = new_figure(side + 0.6, side)
    axes = figure.subplots()
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="GnBu", vmin=0.0, vmax=1.0)
    if len(classes) <= _MOST_CELLS:
        for (row, column), count in np.ndenumerate(counts):
            colour = "white" if shares[row, column] > 0.6 else BAD if row != column else INK
            if count:
                axes.text(column, row, str(count), ha="center", va="center", color=colour, fontsize=8)
    right = int((true == guessed).sum())
    label_axes(axes, f"{right} of {len(true)} right ({right / len(true):.1%})", "predicted", "true")
    axes.grid(visible=False)
    axes.set_xticks(range(len(classes)), labels=[str(one) for one in classes])
    axes.set_yticks(range(len(classes)), labels=[str(one) for one in classes])
    return save(figure, path)


def _counted(true: NDArray[Any], guessed: NDArray[Any], classes: NDArray[Any]) -> NDArray[np.int64]:
    places = {str(one): place for place, one in enumerate(classes)}
    counts = np.zeros((len(classes), len(classes)), np.int64)
    np.add.at(counts, ([places[str(one)] for one in true], [places[str(one)] for one in guessed]), 1)
    return counts
