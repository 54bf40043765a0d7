"""Leaderboard: the trials of one or several experiments, best first."""

import os
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, cast, overload

import attrs

from mnist_tracking._aws.account import Account
from mnist_tracking._aws.analytics import analytics_frame
from mnist_tracking._aws.experiments import (
    objective_of,
    read_component,
    read_experiment,
    require_experiment,
    training_of,
    trials_not_shown,
)
from mnist_tracking._aws.jobs import describe_job
from mnist_tracking._aws.outcomes import outstanding_metrics, started_training
from mnist_tracking._aws.waiting import is_settled
from mnist_tracking._values.recordable import as_text, comparable
from mnist_tracking._values.specs import Objective
from mnist_tracking._values.tables import Kind, Table
from mnist_tracking._values.text import html_table, main_metrics, plural, printable
from mnist_tracking._values.where import parent
from mnist_tracking.errors import ConfigError, StateError
from mnist_tracking.reading.scores import is_scorable, score, score_note
from mnist_tracking.reading.search import IS_TRAINING, experiment_names, find_trials, listed
from mnist_tracking.reading.trial import (
    Trial,
    last_columns,
    logged_metrics,
    parameter_columns,
    trial_from_component,
    with_log_checked,
)

if TYPE_CHECKING:
    import pandas as pd

    from mnist_tracking.reading.search import OnProgress, Where

__all__ = ["Leaderboard"]

Layout = Literal["tidy", "analytics"]


class _Reports(Protocol):
    """What a leaderboard does not do itself, and the workspace that was read from does."""

    def report(self, experiment: "Leaderboard", path: str | os.PathLike[str], *, curves: int | None = ...) -> Path: ...


@attrs.frozen(repr=False)
class Leaderboard(Sequence[Trial]):
    """
    A snapshot of trials, sorted by an objective: the best first, those without a value for it last.

    **Diverged trials** have no value: the metric of the objective ends with NaN or infinity, so the saved
    weights are worthless, however good an earlier value was. They come after all others that have logged the metric.
    SageMaker keeps finite values only, so this applies only to trials that were *checked*: by the program that trained
    them, or that waited for their job. `check_logs` checks the others.

    **Ties** are won by the trial that was created first. Failed and running trials are kept.

    Attributes:
        trials: The trials, best first.
        objective: What they are ranked by; None leaves them in order of creation.
        experiments: The names of the experiments.

    Example:
        >>> with Workspace.embedded() as workspace:
        ...     runner = ExperimentRunner(workspace, "churn")
        ...     for strength, accuracy in ((0.1, 0.8), (1.0, 0.9)):
        ...         with runner.trial({"C": strength}) as trial:
        ...             trial.log_metric("accuracy", accuracy)
        ...     leaderboard = Leaderboard.load(workspace, "churn", objective="accuracy")
        >>> leaderboard.best.hyperparameters, len(leaderboard)
        ({'C': 1.0}, 2)
    """

    trials: tuple[Trial, ...]
    objective: Objective | None
    experiments: tuple[str, ...]
    _account: Account = attrs.field(eq=False, alias="account")

    @classmethod
    def load(
        cls,
        workspace: Account,
        experiment: str | Sequence[str],
        *,
        objective: Objective | str | None = None,
        where: "Where | Iterable[Where]" = (),
        on_progress: "OnProgress | None" = None,
    ) -> "Leaderboard":
        """
        Read the trials of one or several experiments, and rank them.

        Without filters, the trials are complete: those that Search, which on AWS is behind, does not show yet are read
        one by one. With filters, a trial recorded seconds ago may be missing.

        **Calls.** One for a hundred trials, and one more, with an *objective*: 101 for 10,000 trials. The stored
        objective takes two more for each experiment.

        Args:
            workspace: Where to read.
            experiment: The name of an experiment, or several names.
            objective: What to rank by; the name of a metric stands for its last value, higher is better. Defaults to
                the objective of the experiment's jobs, which is stored with it; without one, or if those of several
                experiments differ, the trials are in order of creation.
            where: Filters, as for `Workspace.trials`.
            on_progress: Called after every hundred trials with the number read so far.

        Raises:
            NotFoundError: If an experiment does not exist; the error lists the nearest names.
            ConfigError: If Search does not support a filter, or a name is empty.
        """
        names, filters = experiment_names(experiment), listed(where)
        if objective is None:
            summaries = [read_experiment(workspace, name) for name in names]
            stored = {objective_of(summary) for summary in summaries}
            chosen = stored.pop() if len(stored) == 1 else None
            names = tuple(dict.fromkeys(summary.name for summary in summaries))
        else:
            chosen = Objective.of(objective)
        newest_first = list(find_trials(workspace, names, filters, on_progress))
        if objective is not None:
            names, others = _stored_names(workspace, names, newest_first)
            if others:
                newest_first += find_trials(workspace, others, filters, on_progress)
                newest_first.sort(key=lambda trial: trial.created, reverse=True)
        board = cls(tuple(_ranked(newest_first[::-1], chosen)), chosen, names, workspace)
        return board if filters else including(board, _not_shown(board))

    @overload
    def __getitem__(self, index: int) -> Trial: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Trial]: ...
    def __getitem__(self, index: int | slice) -> Trial | Sequence[Trial]:
        return self.trials[index]

    def __iter__(self) -> Iterator[Trial]:
        return iter(self.trials)

    def __len__(self) -> int:
        return len(self.trials)

    def __repr__(self) -> str:
        goal = f" by {self.objective.metric}" if self.objective else ""
        said = f"{plural(len(self), 'trial')}{goal}" + (f". {self.unranked}" if self.unranked else "")
        return f"<Leaderboard of {self.experiment_name!r}: {said}>"

    @property
    def experiment_name(self) -> str:
        """The experiment's name, or all names separated by commas."""
        return ", ".join(self.experiments)

    def __str__(self) -> str:
        if not self.trials:
            return repr(self)
        brief = self._brief()
        shown = str(brief.where(brief.notna(), "").to_string(index=False))
        return printable(f"{self.unranked}\n{shown}" if self.unranked else shown)

    def _repr_html_(self) -> str:
        return html_table(self._brief(), title=self.unranked)

    @property
    def unranked(self) -> str:
        """Why the objective ranks no trial at all, which may be a misspelling; empty if it ranks one."""
        there = sorted(logged_metrics(self.trials))
        if self.objective is None or not self.trials or self.objective.metric in there:
            return ""
        available = f"Available: {', '.join(map(repr, there))}" if there else "No trial has metrics yet"
        return f"No trial has the metric {self.objective.metric!r}. {available}."

    def _brief(self) -> "pd.DataFrame":
        """
        Return what fits a screen: the last values of the main metrics, and the hyperparameters that differ.

        The last column has notes on the ranks, if any.
        """
        import pandas as pd

        asked = {self.objective.metric} if self.objective else set[str]()
        metrics = main_metrics(logged_metrics(self.trials), keep=asked)
        several = ["experiment"] if len(self.experiments) > 1 else []
        names = {f"param.{name}": name for name in differing(self.trials)}
        names |= {f"metric.{name}.last": name for name in metrics}
        first = ["trial", *several, "status", "duration_s"]
        names |= {"objective_note": "note"} if any(score_note(trial, self.objective) for trial in self.trials) else {}
        rows = [
            _row(trial, self.objective)
            | {f"param.{name}": as_text(value) for name, value in trial.hyperparameters.items()}
            | {f"metric.{name}.last": last for name, last in trial.last_values.items()}
            for trial in self.trials
        ]
        return pd.DataFrame(rows, columns=[*first, *names], dtype=object).rename(columns=names)

    @cached_property
    def best(self) -> Trial:
        """
        The best completed trial.

        A trial that a time limit has ended is ranked, but never the best: its saved model may not be the one that was
        scored.

        On AWS, the values of a job's metrics may reach its trial some time after the job has ended. Each trial that has
        no value for the objective, or has ended within the last two minutes, is compared with the final values that
        DescribeTrainingJob returns, which is up to date. The value of a trial that ended earlier counts as final. An
        unchecked trial that ended within these minutes is read again before it is returned, since it may have diverged.

        Raises:
            ConfigError: If the leaderboard has no objective.
            StateError: If the final value of a completed trial has not reached it; load the leaderboard again later.
            StateError: If no completed trial has a value for the objective, which a diverged trial has not; the message
                lists the trials' statuses and the available metrics.
        """
        if self.objective is None:
            raise ConfigError("The leaderboard has no objective. Load it with objective='metric name'.")
        if outstanding := [trial.name for trial in self.trials if self._is_outstanding(trial, self.objective.metric)]:
            raise StateError(
                "experiment",
                self.experiment_name,
                "outstanding",
                f"has completed trials that do not show the final value of {self.objective.metric!r} yet: "
                f"{', '.join(outstanding[:5])}; load the leaderboard again later, or choose a trial by its name",
            )
        for trial in filter(self._has_score, self.trials):
            newest = self._newest(trial)
            if self._has_score(newest):
                return newest
        raise StateError(
            "experiment",
            self.experiment_name,
            "no-metric",
            f"has no completed trial with {self.objective.metric!r}{self._statuses()}",
        )

    def _has_score(self, trial: Trial) -> bool:
        return trial.status == "Completed" and self.objective is not None and score(trial, self.objective) is not None

    def _newest(self, trial: Trial) -> Trial:
        """Return a trial as it is now: what was found in its log is recorded after its end, and Search is behind."""
        if trial.is_checked or not trial.job_name or is_settled(self._account, trial.ended):
            return trial
        component = read_component(self._account, trial.component_name)
        return trial_from_component(self._account, component, trial.name, trial.experiment)

    def _is_outstanding(self, trial: Trial, metric: str) -> bool:
        """Whether the final value of a metric has not reached a completed trial; needs a call only if that may be."""
        is_final = metric in trial.metrics and is_settled(self._account, trial.ended)
        if trial.status != "Completed" or not trial.job_name or trial._is_settled or is_final:
            return False
        return metric in outstanding_metrics(describe_job(self._account, trial.job_name), trial.metrics)

    def _statuses(self) -> str:
        if not self.trials:
            return "; it has no trials"
        fates = ", ".join(map(self._fate, self.trials[:5]))
        metrics = ", ".join(map(repr, sorted(logged_metrics(self.trials))))
        return f"; {fates}" + (f"; available metrics: {metrics}" if metrics else "")

    def _fate(self, trial: Trial) -> str:
        last = trial.non_finite.get(self.objective.metric) if self.objective else None
        diverged = f", and {self.objective.metric!r} ends with {last}" if self.objective and last else ""
        limit = f" ({trial.stop_reason})" if trial.stop_reason else ""
        return f"{trial.name} is {trial.status}{limit}{diverged}"

    def check_logs(self) -> "Leaderboard":
        """
        Return a leaderboard whose trials are checked: ranked with what their logs show of their metrics.

        These are NaN and infinite values, and the last values. Needed for trials that another tool trained, or whose
        job no program has waited for: ``objective_note`` is ``"not checked"`` for them, or ``"last values not
        recorded"``. The log of each such job that has ended is read once. Nothing is written, so another leaderboard
        does not show it. A trial remains unchecked if it was trained without a job, if its log was deleted or may not
        be read, or if one of its metrics was not printed.

        Raises:
            ServiceError: If a log cannot be read for another reason.

        Example:
            >>> from pathlib import Path
            >>> _ = Path("train.py").write_text("print('loss=0.4'); print('loss=nan')")
            >>> job = JobSpec("train.py", metrics={"loss": "loss=(.*)"}, objective=Objective("loss", goal="minimize"))
            >>> with Workspace.embedded() as workspace:
            ...     _ = ExperimentRunner(workspace, "churn", job=job).submit(name="baseline")
            ...     lines = list(workspace.submitted("baseline").logs(follow=True))  # which does not wait for the trial
            ...     board = Leaderboard.load(workspace, "churn")
            ...     board.dataframe()["objective_note"].tolist()
            ...     board.check_logs().dataframe()["objective_note"].tolist()
            ['not checked']
            ['ends with nan']
        """

        def is_known(trial: Trial) -> bool:
            return trial.is_checked and (self.objective is None or is_scorable(trial, self.objective))

        checked = (with_log_checked(trial) for trial in self.trials if trial.job_name and not is_known(trial))
        return including(self, checked)

    def report(self, path: str | os.PathLike[str], *, curves: int | None = 100) -> Path:
        """
        Write these trials as one HTML page that needs no network, with everything that was found.

        It shows the leaderboard, sortable and filterable; the hyperparameters against the objective; the learning
        curves; the best trial with its pictures and its lineage; failures, the code that ran, time and cost. Its data
        is inside, as JSON. The page is written atomically, and replaces a file that is there.

        Args:
            path: The file, such as ``"report.html"``, in a folder that exists.
            curves: Of how many trials to read the log, the best first; None for all. On AWS each takes about five
                calls. The curves of the others show the values of the objective that their sweep recorded.

        Returns:
            The path.

        Raises:
            ConfigError: If the file cannot be written, or *curves* is not an integer >= 0. A missing folder is reported
                before anything is read.

        Example:
            >>> with Workspace.embedded() as workspace:
            ...     with ExperimentRunner(workspace, "churn").trial({"C": 1.0}) as trial:
            ...         trial.log_metric("accuracy", 0.9)
            ...     Leaderboard.load(workspace, "churn", objective="accuracy").report("report.html")
            PosixPath('report.html')
        """
        return cast("_Reports", self._account).report(self, path, curves=curves)

    def dataframe(self, layout: Layout = "tidy") -> "pd.DataFrame":
        """
        Return one row per trial, best first.

        Args:
            layout: ``"tidy"`` has trial, experiment, status, duration_s, objective, objective_note, ``param.<name>``,
                ``metric.<name>.<statistic>`` and failure_reason; ``"analytics"`` has exactly the
                columns of the SDK's ``ExperimentAnalytics``, with one row for a training that several trials share.
                objective_note is ``"ends with nan"`` for a diverged trial, ``"not checked"``, or empty. The
                ``last`` of a metric that ends with NaN or infinity is NaN; the other statistics are SageMaker's, which
                has the finite values alone. So are all of ``"analytics"``.

        Raises:
            ConfigError: If *layout* is another value.

        The parameters and metrics are in order of their names. Each column has one type: see `Results.dataframe`.
        """
        if layout == "analytics":
            parents: dict[str, list[tuple[str, str]]] = {}
            for trial in self.trials:
                parents.setdefault(trial.component_name, []).append((trial.name, trial.experiment))
            which = [IS_TRAINING, parent("experiment").isin(self.experiments)]
            return analytics_frame(self._account, parents, which)
        if layout != "tidy":
            raise ConfigError(f"layout={layout!r}; expected 'tidy' or 'analytics'.")
        return leaderboard_table(self).dataframe()


def differing(trials: Iterable[Trial]) -> list[str]:
    """Return the hyperparameters that are not the same for all trials."""
    every = [trial.hyperparameters for trial in trials]
    names = sorted({name for parameters in every for name in parameters})
    return [name for name in names if len({(name in one, comparable(one.get(name))) for one in every}) > 1]


def _ranked(trials: list[Trial], objective: Objective | None) -> list[Trial]:
    if objective is None:
        return trials
    sign = -1.0 if objective.goal == "maximize" else 1.0

    def rank(trial: Trial) -> tuple[bool, bool, float]:
        value = score(trial, objective)
        return (value is None, objective.metric not in trial.non_finite, sign * (value or 0.0))

    return sorted(trials, key=rank)


def including(board: Leaderboard, trials: Iterable[Trial]) -> Leaderboard:
    """Return a leaderboard that also has these trials; they replace those of the same names."""
    newer = {trial.name: trial for trial in trials}
    if not newer:
        return board
    every = [*(trial for trial in board if trial.name not in newer), *newer.values()]
    every.sort(key=lambda trial: trial.created)
    return attrs.evolve(board, trials=tuple(_ranked(every, board.objective)))


def _stored_names(
    account: Account, names: Sequence[str], found: Sequence[Trial]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """
    Return the names that experiments have, and those of them to search again: they differ in case from the given ones.

    What was found shows the names of its experiments, so that there is no call for these.

    Raises:
        NotFoundError: If one does not exist; the error lists the nearest names.
    """
    shown = {trial.experiment.lower(): trial.experiment for trial in found}
    stored = {name: shown.get(name.lower()) or require_experiment(account, name) for name in names}
    unseen = (actual for given, actual in stored.items() if found and given.lower() not in shown and given != actual)
    return tuple(dict.fromkeys(stored.values())), tuple(dict.fromkeys(unseen))


def _not_shown(board: Leaderboard) -> Iterator[Trial]:
    """Read the trained trials of a leaderboard's experiments that it does not have."""
    shown = {trial.name for trial in board}
    for experiment in board.experiments:
        for name in trials_not_shown(board._account, experiment, shown):
            training = training_of(board._account, name) or started_training(board._account, name, experiment)
            if training is not None:
                yield trial_from_component(board._account, training, name, experiment)


_FIRST: dict[str, Kind] = {
    "trial": "string",
    "experiment": "string",
    "status": "string",
    "duration_s": "number",
    "objective": "number",
    "objective_note": "string",
}
_STATISTICS: dict[str, Kind] = {
    **dict.fromkeys(("last", "min", "max", "avg", "std_dev"), "number"),
    "count": "integer",
}


def leaderboard_table(board: Leaderboard) -> Table:
    """Return the tidy table of a leaderboard."""
    metrics = sorted(logged_metrics(board))
    columns: dict[str, Kind] = {
        **_FIRST,
        **parameter_columns(board),
        **{f"metric.{name}.{statistic}": kind for name in metrics for statistic, kind in _STATISTICS.items()},
        "failure_reason": "string",
    }
    return Table(columns, [_row(trial, board.objective) for trial in board])


def _row(trial: Trial, objective: Objective | None) -> dict[str, object]:
    metrics = {
        f"metric.{name}.{statistic}": getattr(metric, statistic)
        for name, metric in trial.metrics.items()
        for statistic in _STATISTICS
    }
    return {
        "trial": trial.name,
        "experiment": trial.experiment,
        "status": trial.status,
        "duration_s": trial.duration_s,
        "objective": score(trial, objective) if objective else None,
        "objective_note": score_note(trial, objective),
        **{f"param.{name}": value for name, value in trial.hyperparameters.items()},
        **metrics,
        **last_columns(trial),
        "failure_reason": trial.failure_reason,
    }
