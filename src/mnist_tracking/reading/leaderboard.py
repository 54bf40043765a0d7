"""Leaderboard: the trials of one or several experiments, best first."""

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
from mnist_tracking._values.checks import require_names
from mnist_tracking._values.recordable import as_text, differing_names
from mnist_tracking._values.specs import Objective
from mnist_tracking._values.tables import Table, Tabular
from mnist_tracking._values.text import did_you_mean, html_table, main_metrics, plural, printable
from mnist_tracking._values.where import parent
from mnist_tracking.errors import ConfigError, StateError
from mnist_tracking.reading.groups import Groups, group_trials
from mnist_tracking.reading.importance import importance_of
from mnist_tracking.reading.ranked import ranked_row, ranked_table
from mnist_tracking.reading.scores import is_scorable, score, score_note
from mnist_tracking.reading.search import IS_TRAINING, experiment_names, find_trials, listed
from mnist_tracking.reading.trial import (
    Trial,
    logged_metrics,
    trial_from_component,
    with_log_checked,
)

if TYPE_CHECKING:
    import pandas as pd

    from mnist_tracking.reading.search import OnProgress, Where

__all__ = ["Leaderboard"]

Layout = Literal["tidy", "analytics"]
_TEST, _VALIDATION = (re.compile(rf"({names})([^a-z]|$)", re.IGNORECASE) for names in ("test", "valid(ation)?|val|dev"))


class _Reports(Protocol):
    """What a leaderboard does not do itself, and the workspace that was read from does."""

    def report(self, experiment: "Leaderboard", path: str | os.PathLike[str], *, curves: int | None = ...) -> Path: ...


@attrs.frozen(repr=False)
class Leaderboard(Tabular, Sequence[Trial]):
    """
    A snapshot of trials, sorted by an objective: the best first, those without a value for it last.

    **Diverged trials** have no value: the metric of the objective ends with NaN or infinity, so the saved
    weights are worthless, however good an earlier value was. They come after all others that have logged the metric.
    SageMaker keeps finite values only, so this applies only to trials that were *checked*: by the program that trained
    them, or that waited for their job. `check_logs` checks the others.

    **Ties** are won by the trial that was created first, and are shown: a column has the number of other trials with
    the same value. Failed, stopped, pruned and running trials are kept, with their reason; the best has completed.

    **A metric of the test set** ranks trials like any other, with a note: the test result of a
    model that was chosen by it is optimistic. Rank by a validation metric, and report the test metric of the best.

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
        brief = self._shown()
        shown = str(brief.where(brief.notna(), "").to_string(index=False))
        return printable(f"{self.note}\n{shown}" if self.note else shown)

    def _repr_html_(self) -> str:
        return html_table(self._shown(), title=self.note)

    @property
    def note(self) -> str:
        """
        What a reader of the ranks must know; empty if there is nothing.

        Either why the objective ranks no trial, or that its metric is of the test set.
        """
        if self.unranked or self.objective is None or not _is_of_test(self.objective.metric):
            return self.unranked
        others = sorted(name for name in logged_metrics(self.trials) if _VALIDATION.match(name))
        instead = f", such as {others[0]!r}" if others else ""
        return (
            f"Ranked by {self.objective.metric!r}, a metric of the test set: the value of the best is optimistic. Rank "
            f"by a validation metric{instead}, and report the test metric of the best."
        )

    @cached_property
    def ties(self) -> Mapping[str, int]:
        """The number of other trials with the same value for the objective, by the name of each trial that is tied."""
        if self.objective is None:
            return {}
        scores = {trial.name: score(trial, self.objective) for trial in self.trials}
        shared = Counter(value for value in scores.values() if value is not None)
        return {name: shared[value] - 1 for name, value in scores.items() if value is not None and shared[value] > 1}

    @property
    def unranked(self) -> str:
        """Why the objective ranks no trial at all, which may be a misspelling; empty if it ranks one."""
        there = sorted(logged_metrics(self.trials))
        if self.objective is None or not self.trials or self.objective.metric in there:
            return ""
        available = f"Available: {', '.join(map(repr, there))}" if there else "No trial has metrics yet"
        return f"No trial has the metric {self.objective.metric!r}. {available}."

    def _shown(self) -> "pd.DataFrame":
        """
        Return what fits a screen: the hyperparameters that differ, the objective, and the last values of main metrics.

        Metrics of the test set follow the objective. The last column has notes on the ranks and reasons, if any.
        """
        import pandas as pd

        objective = self.objective
        asked = {objective.metric} if objective else set[str]()
        metrics = main_metrics(logged_metrics(self.trials), keep=asked)
        metrics.sort(key=lambda name: (name not in asked, not _is_of_test(name)))
        several = ["experiment"] if len(self.experiments) > 1 else []
        names = {f"param.{name}": name for name in differing(self.trials)}
        if objective and objective.statistic != "last":
            names["objective"] = f"{objective.statistic} {objective.metric}"
        names |= {f"metric.{name}.last": name for name in metrics}
        notes = {trial.name: self.note_of(trial) for trial in self.trials}
        names |= {"note": "note"} if any(notes.values()) else {}
        rows = [
            ranked_row(trial, objective, self.ties)
            | {f"param.{name}": as_text(value) for name, value in trial.configuration.items()}
            | {f"metric.{name}.last": last for name, last in trial.last_values.items()}
            | {"note": notes[trial.name]}
            for trial in self.trials
        ]
        first = ["trial", *several, "status", "duration_s"]
        return pd.DataFrame(rows, columns=[*first, *names], dtype=object).rename(columns=names)

    def note_of(self, trial: Trial) -> str:
        """Return what must be known about a trial's rank: a tie, why it has no value, and why it was stopped."""
        tied = self.ties.get(trial.name)
        tie = f"tied with {plural(tied, 'other')}" if tied else ""
        return ", ".join(filter(None, (tie, score_note(trial, self.objective), trial.stop_reason)))

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
        objective = self._require_objective()
        if outstanding := [trial.name for trial in self.trials if self._is_outstanding(trial, objective.metric)]:
            raise StateError(
                "experiment",
                self.experiment_name,
                "outstanding",
                f"has completed trials that do not show the final value of {objective.metric!r} yet: "
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
            f"has no completed trial with {objective.metric!r}{self._statuses()}",
        )

    def _require_objective(self) -> Objective:
        if self.objective is None:
            raise ConfigError("The leaderboard has no objective. Load it with objective='metric name'.")
        return self.objective

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

    def report(self, path: str | os.PathLike[str] = "report.html", *, curves: int | None = 100) -> Path:
        """
        Write these trials as one HTML page that needs no network, with everything that was found.

        It shows the leaderboard, sortable and filterable; the hyperparameters against the objective; the learning
        curves; the best trial with its pictures and its lineage; failures, the code that ran, time and cost. Its data
        is inside, as JSON. The page is written atomically, and replaces an existing file.

        Args:
            path: The file, in a folder that exists.
            curves: The number of trials whose logs are read, the best first; None for all. On AWS each takes about six
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

    def groups(self, over: str | Sequence[str] | None = None) -> Groups:
        """
        Return the configurations of the trials, with the mean, spread and confidence interval of their repeats.

        Args:
            over: The hyperparameters in which the repeats of a configuration differ. Defaults to ``"seed"``, and to
                what the sweeps have repeated by.

        Raises:
            ConfigError: If the leaderboard has no objective, or no trial has a hyperparameter of that name.
        """
        objective = self._require_objective()
        known = {name for trial in self.trials for name in trial.configuration}
        if over is None:
            swept = {trial.sweep.repeat_by for trial in self.trials if trial.sweep}
            return group_trials(self.trials, objective, sorted(known & {"seed", *swept}))
        names = require_names("over", over)
        for name in names:
            if name not in known:
                raise ConfigError(
                    f"over={name!r} is not a hyperparameter of any trial; available: "
                    f"{', '.join(map(repr, sorted(known)))}.{did_you_mean(name, known)}"
                )
        return group_trials(self.trials, objective, sorted(names))

    def importance(self) -> Mapping[str, float]:
        """
        Return how much each hyperparameter decides whether a trial is among the best: shares of 1, the largest first.

        The best are the top tenth of the completed trials, and at least five. The share of a
        hyperparameter measures how much its values among them differ from its values among all trials; one that is the
        same in all trials is left out. Shares are rough if there are few trials, or if a sweep has hardly varied a
        hyperparameter. If ``seed`` has a large share, the differences are noise. Shares show neither interactions nor
        which value is good.

        Computed by Optuna's PED-ANOVA, which needs no model of the trials: https://arxiv.org/abs/2304.10255, and
        https://arxiv.org/abs/2601.20800 for conditional hyperparameters. A range of positive numbers of which the
        largest is at least 100 times the smallest is taken to be logarithmic.

        Raises:
            ConfigError: If the leaderboard has no objective.
            MissingDependencyError: If Optuna is not installed; the message has the command.
            StateError: If fewer than ten completed trials have a value, or their values or hyperparameters do not
                differ.

        Example:
            >>> with Workspace.embedded() as workspace:
            ...     runner = ExperimentRunner(workspace, "churn")
            ...     for number in range(20):
            ...         with runner.trial({"depth": number % 5, "order": number % 2}) as trial:
            ...             trial.log_metric("accuracy", 0.5 + 0.1 * (number % 5))
            ...     shares = Leaderboard.load(workspace, "churn", objective="accuracy").importance()
            >>> max(shares, key=shares.get)
            'depth'
        """
        return importance_of(self.trials, self._require_objective(), self.experiment_name)

    def dataframe(
        self,
        layout: Layout = "tidy",
        *,
        group_by: Literal["configuration"] | None = None,
        over: str | Sequence[str] | None = None,
    ) -> "pd.DataFrame":
        """
        Return one row per trial, best first; or one per configuration.

        Args:
            layout: ``"tidy"`` has trial, experiment, status, duration_s, objective, objective_note, tied (the number of
                other trials with the same value), ``param.<name>``, ``metric.<name>.<statistic>``, failure_reason,
                stop_reason, instance_type, instance_count, billable_s and cost_usd; ``"analytics"`` has exactly the
                columns of the SDK's ``ExperimentAnalytics``, with one row for a training that several trials share.
                objective_note is ``"ends with nan"`` for a diverged trial, ``"not checked"``, ``"last values not
                recorded"``, ``"mean of 3 values"`` if there are fewer than the mean is of, or empty. The
                ``last`` of a metric that ends with NaN or infinity is NaN; the other statistics are SageMaker's, which
                has the finite values alone. So are all of ``"analytics"``.
            group_by: ``"configuration"`` for the frame of `groups`, whose columns `Groups.dataframe` describes.
            over: As for `groups`.

        Raises:
            ConfigError: If *layout* or *group_by* is another value, or they do not go together; or as `groups`.

        The parameters and metrics are in order of their names. Each column has one type: see `Results.dataframe`.
        """
        if group_by is not None or over is not None:
            if group_by != "configuration" or layout != "tidy":
                raise ConfigError(
                    f"group_by={group_by!r} with layout={layout!r}; expected group_by='configuration' and the layout "
                    "'tidy', for which over= names what is repeated."
                )
            return self.groups(over).dataframe()
        if layout == "analytics":
            parents: dict[str, list[tuple[str, str]]] = {}
            for trial in self.trials:
                parents.setdefault(trial.component_name, []).append((trial.name, trial.experiment))
            which = [IS_TRAINING, parent("experiment").isin(self.experiments)]
            return analytics_frame(self._account, parents, which)
        if layout != "tidy":
            raise ConfigError(f"layout={layout!r}; expected 'tidy' or 'analytics'.")
        return self._table().dataframe()

    def _table(self) -> Table:
        return ranked_table(self.trials, self.objective, self.ties)


def differing(trials: Iterable[Trial]) -> list[str]:
    """Return the names in the configurations of trials whose values are not the same for all of them."""
    return differing_names(trial.configuration for trial in trials)


def _ranked(trials: list[Trial], objective: Objective | None) -> list[Trial]:
    if objective is None:
        return trials
    sign = -1.0 if objective.goal == "maximize" else 1.0

    def rank(trial: Trial) -> tuple[bool, bool, float]:
        value = score(trial, objective)
        return (value is None, objective.metric not in trial.non_finite, sign * (value or 0.0))

    return sorted(trials, key=rank)


def _is_of_test(metric: str) -> bool:
    """Whether a metric is of the test set, by its name: ``test:accuracy``, ``test_loss``, ``test/f1``."""
    return _TEST.match(metric) is not None


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
