"""Recipe: a sweep as a file describes it, in the shape of Weights & Biases' sweep configuration."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

import attrs

from mnist_tracking._values.names import check_name
from mnist_tracking._values.records import ParameterValue
from mnist_tracking._values.specs import Goal, JobSpec, Objective, Statistic, check_objective
from mnist_tracking._values.text import did_you_mean, short_repr
from mnist_tracking.experiments.sweep.commands import arguments_of
from mnist_tracking.experiments.sweep.document import Section, read_document
from mnist_tracking.experiments.sweep.parameters import from_parameters
from mnist_tracking.experiments.sweep.rules import StopRules
from mnist_tracking.experiments.sweep.space import Space
from mnist_tracking.experiments.sweep.strategies.make import STRATEGIES
from mnist_tracking.experiments.sweep.strategies.options import PRUNERS, checked_options

__all__ = ["Recipe"]

_BAYES = "tpe"  # what "bayes" stands for: Optuna's default, which needs no torch
_ETA = 3  # Weights & Biases' default

_KEYS = {
    "command",
    "controller",
    "description",
    "early_terminate",
    "entity",
    "apiVersion",
    "kind",
    "max_parallel",
    "method",
    "metric",
    "name",
    "parameters",
    "points",
    "points_first",
    "program",
    "project",
    "repeat_by",
    "repeats",
    "retries",
    "run_cap",
    "seed",
    "stop",
    "warm_start",
}
"""The known keys, also those that concern a server of Weights & Biases alone."""

_UNSUPPORTED = {
    "image_uri": "not supported here; pass JobSpec(image_uri=...).",
    "job": "not supported: a job of Weights & Biases Launch cannot run here. Write program: train.py.",
    "metrics": "not supported: a sweep has one objective. Write metric, with name and goal.",
    "scheduler": "not supported: pass a sampler of Optuna as strategy= in Python.",
}
_METRIC_KEYS = ("name", "goal", "target", "statistic", "regex", "impute", "impute_while_running")


@attrs.frozen(kw_only=True)
class Metric:
    """
    The metric of a sweep file.

    Attributes:
        name: Its name.
        goal: As given; None stands for Weights & Biases' default, ``"minimize"``.
        statistic: As given.
        regex: The regular expression that finds it in the log, if given.
    """

    name: str
    goal: Goal | None = None
    statistic: Statistic | None = None
    regex: str | None = None

    def as_option(self) -> str:
        """Return the metric as ``--metric`` takes it."""
        return self.name if self.regex is None else f"{self.name}={self.regex}"


@attrs.frozen(kw_only=True)
class Recipe:
    """
    A sweep as a file describes it.

    Attributes:
        source: The document, for messages.
        space: What is searched.
        program: The script, if given.
        arguments: The template of its arguments, as `JobSpec` takes it; None for ``--name value``.
        experiment: The experiment's name, if given as the project.
        metric: The metric, if given.
        options: More keywords of `HyperparameterSweep`, those that the file has.
        stop: When it ends early.
    """

    source: Section = attrs.field(repr=False)
    space: Space
    program: str | None = None
    arguments: tuple[str, ...] | None = None
    experiment: str | None = None
    metric: Metric | None = None
    options: Mapping[str, Any] = attrs.field(factory=dict)
    stop: StopRules = attrs.field(factory=StopRules)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Self:
        """
        Read a sweep file, YAML or JSON.

        Raises:
            ConfigError: If the file cannot be read, or a key is unknown, wrong or not supported; the message names the
                line and the key.
        """
        source = read_document(path)
        source.check_keys(_KEYS, _UNSUPPORTED)
        program, arguments = _command(source)
        metric = _metric(source.section("metric")) if "metric" in source.values else None
        return cls(
            source=source,
            space=_space(source),
            program=program,
            arguments=arguments,
            experiment=_experiment(source),
            metric=metric,
            options=_options(source),
            stop=_stop(source),
        )

    def objective(self, job: JobSpec) -> Objective | None:
        """
        Return what makes one trial of the sweep better than another: as the file describes it, or the job.

        Raises:
            ConfigError: If the job does not yield the metric, or the file has no goal, and the job another one than
                Weights & Biases' default.
        """
        metric, own = self.metric, job.objective
        if metric is None:
            return own
        is_same = own is not None and own.metric == metric.name
        if is_same and metric.goal is None and own is not None and own.goal != "minimize":
            raise self.source.error(
                f"the goal is missing: that of the job is {own.goal!r}, but a sweep file's default is 'minimize'. Add "
                "goal: maximize, or goal: minimize.",
                "metric",
            )
        statistic = metric.statistic or (own.statistic if is_same and own is not None else "last")
        with self.source.at("metric", "name"):
            objective = Objective(metric.name, goal=metric.goal or "minimize", statistic=statistic)
            check_objective(objective, job.metrics, job.image_uri)
        return objective

    def check_job(self, job: JobSpec) -> None:
        """
        Check that a job runs the script of the file, with its arguments.

        Raises:
            ConfigError: If it does not.
        """
        if self.program is not None and Path(self.program).name != Path(job.entry_point).name:
            raise self.source.error(f"{self.program!r}, but the script of the job is {job.entry_point!r}.", "program")
        if self.arguments is not None and self.arguments != job.arguments:
            raise self.source.error(f"the job needs arguments={list(self.arguments)}.", "command")

    def keywords(self, job: JobSpec) -> dict[str, Any]:
        """
        Return the keywords of `HyperparameterSweep`, for a sweep of that job.

        Raises:
            ConfigError: If the job runs another script, or does not yield the metric.
        """
        self.check_job(job)
        return {**self.options, "stop": self.stop, "objective": self.objective(job)}


def _space(source: Section) -> Space:
    if "points" in source.values:
        if "parameters" in source.values:
            raise source.error("a sweep has parameters or points, not both.", "points")
        with source.at("points"):
            space = Space.of([section.values for section in source.sections("points")])
    elif "parameters" not in source.values:
        raise source.error("parameters is missing, such as parameters: {lr: {min: 0.001, max: 0.1}}.")
    else:
        given = from_parameters(source.section("parameters"))
        with source.at("parameters"):
            space = Space.of(given)
    if "points_first" in source.values:
        with source.at("points_first"):
            space = Space.of(space, first=[section.values for section in source.sections("points_first")])
    return space


def _command(source: Section) -> tuple[str | None, tuple[str, ...] | None]:
    """Return the script and its arguments."""
    program, command = source.string("program"), source.values.get("command")
    if command is None:
        return program, None
    with source.at("command"):
        script, arguments = arguments_of(command)
    return program or script, arguments


def _experiment(source: Section) -> str | None:
    project = source.string("project")
    if project is None:
        return None
    with source.at("project"):
        return check_name("experiment", project)


def _metric(section: Section) -> Metric:
    section.check_keys(_METRIC_KEYS)
    name = section.string("name")
    if name is None:
        raise section.error("name is missing, such as name: validation:accuracy.")
    for key, default in (("impute", "worst"), ("impute_while_running", "false")):
        if section.values.get(key, default) not in (default, False):
            raise section.error(f"not supported. Write {default}, or leave it out.", key)
    goal, statistic = section.string("goal"), section.string("statistic")
    with section.at():
        Objective(name, goal=goal or "minimize", statistic=statistic or "last")  # type: ignore[arg-type]  # checks both
    return Metric(name=name, goal=goal, statistic=statistic, regex=section.string("regex"))  # type: ignore[arg-type]


def _one_of(section: Section, key: str, allowed: tuple[str, ...]) -> Any:
    found = section.values.get(key)
    if found is not None and found not in allowed:
        hint = did_you_mean(str(found), allowed)
        raise section.error(f"{short_repr(found)}; expected one of {', '.join(map(repr, allowed))}.{hint}", key)
    return found


def _options(source: Section) -> dict[str, Any]:
    """Return the keywords of the sweep that a file has."""
    read: Mapping[str, tuple[str, Callable[[Section, str], Any]]] = {
        "method": ("strategy", _strategy),
        "early_terminate": ("pruner", _pruner),
        "run_cap": ("max_trials", Section.count),
        "max_parallel": ("max_parallel", Section.count),
        "repeats": ("repeats", Section.count),
        "repeat_by": ("repeat_by", Section.string),
        "retries": ("retries", lambda section, key: section.count(key, least=0)),
        "seed": ("seed", lambda section, key: section.count(key, least=0)),
        "name": ("name", _name),
        "warm_start": ("warm_start", _names),
    }
    return {name: reader(source, key) for key, (name, reader) in read.items() if key in source.values}


def _strategy(source: Section, key: str) -> str:
    return _BAYES if source.values[key] == "bayes" else str(_one_of(source, key, STRATEGIES))


def _name(source: Section, key: str) -> str:
    with source.at(key):
        return check_name("sweep", source.values[key])


def _names(source: Section, key: str) -> list[str]:
    found = source.values[key]
    names = found if isinstance(found, list) else [found]
    if not all(isinstance(name, str) for name in names):
        raise source.error(f"expected names of experiments, not {short_repr(found)}.", key)
    return names


def _pruner(source: Section, key: str) -> dict[str, ParameterValue]:
    """
    Return a pruner with its options.

    What Weights & Biases calls hyperband has one bracket, and is Optuna's successive halving: asha.
    """
    section = source.section(key)
    if _one_of(section, "type", tuple(PRUNERS)) is None:
        raise section.error("type is missing, such as type: hyperband.")
    options = dict(section.values)
    if options.get("type") == "hyperband":
        options = _asha(section)
    with section.at():
        checked_options(options)
    return options


def _asha(section: Section) -> dict[str, Any]:
    section.check_keys(("type", "min_iter", "max_iter", "s", "eta", "strict"))
    if not section.values.get("strict", True):
        raise section.error("not supported: only the best trials of each rung continue. Leave it out.", "strict")
    eta = section.number("eta") if "eta" in section.values else _ETA
    first, longest, rungs = (section.count(name) for name in ("min_iter", "max_iter", "s"))
    if first is None and (longest is None or rungs is None):
        raise section.error("min_iter is missing, or max_iter and s.")
    if first is None and longest is not None and rungs is not None:
        first = next(int(longest / eta**rung) for rung in range(rungs, -1, -1) if longest / eta**rung >= 1)
    return {"type": "asha", "min_iter": first, "eta": int(eta) if eta == int(eta) else eta}


def _stop(source: Section) -> StopRules:
    metric = source.values.get("metric", {})
    target = source.section("metric").number("target") if "target" in metric else None
    if "stop" not in source.values:
        return StopRules(target=target)
    section = source.section("stop")
    section.check_keys(attrs.fields_dict(StopRules))
    with section.at():
        return StopRules(**{"target": target, **section.values})
