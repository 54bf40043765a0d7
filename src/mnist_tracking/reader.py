"""The part of a workspace that looks at what is there. Reading never writes."""

import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from mnist_tracking._values.records import Component, ExperimentSummary, NamedTrial, TrialResult
    from mnist_tracking.experiments.submission import SubmittedTrial
    from mnist_tracking.reading.comparison import Comparison
    from mnist_tracking.reading.download import ExperimentDownload
    from mnist_tracking.reading.results import Results
    from mnist_tracking.reading.search import OnProgress, Where
    from mnist_tracking.reading.trial import Trial
    from mnist_tracking.serving.endpoint import Endpoint
    from mnist_tracking.serving.formats import Deserializer, Format, Serializer
    from mnist_tracking.upkeep.cleanup import CleanupPlan
    from mnist_tracking.workspace import Workspace

__all__ = ["Reader"]


class Reader:
    """What `Workspace` can look up, whoever made it."""

    def experiments(
        self,
        *,
        name_contains: str | None = None,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        tags: Mapping[str, str] | None = None,
        on_progress: "OnProgress | None" = None,
    ) -> "Results[ExperimentSummary]":
        """
        Find experiments, the newest first.

        Args:
            name_contains: A part of the name; case does not matter.
            created_after: The time after which they were made; it has a time zone.
            created_before: The time before which they were made; likewise.
            tags: What they are tagged with, all of it.
            on_progress: Told after every hundred experiments how many were read so far.

        Returns:
            The experiments, read page by page as they are looked at.

        Raises:
            ConfigError: If Search cannot ask this, or a time has no time zone. Nothing was sent.

        Example:
            >>> workspace = Workspace.embedded()
            >>> _ = ExperimentRunner(workspace, "digits")
            >>> [experiment.name for experiment in workspace.experiments(name_contains="digit")]
            ['digits']
            >>> workspace.close()
        """
        from mnist_tracking.reading.search import find_experiments

        return find_experiments(
            self._workspace,
            name_contains=name_contains,
            created_after=created_after,
            created_before=created_before,
            tags=tags,
            on_progress=on_progress,
        )

    def trials(
        self,
        experiment: str | Sequence[str] | None = None,
        *,
        where: "Where | Iterable[Where]" = (),
        on_progress: "OnProgress | None" = None,
    ) -> "Results[TrialResult]":
        """
        Find trials, the newest first: those that this library made, those of training jobs, and the SDK's runs.

        Args:
            experiment: The experiment, or several; by default all.
            where: What they must satisfy: filters, as in ``metric("test:accuracy") > 0.97``, or a ``SearchExpression``
                as a dictionary; of several all must hold.
            on_progress: Told after every hundred trials how many were read so far.

        Returns:
            The trials, read page by page as they are looked at. On AWS a trial may take some seconds to appear, since
            Search is eventually consistent.

        Raises:
            ConfigError: If Search cannot ask this; the message says what it can. Nothing was sent.
            NotFoundError: When nothing is found: if there is no such experiment; it names the nearest that there are.
        """
        from mnist_tracking.reading.search import find_trials

        return find_trials(self._workspace, experiment, where, on_progress)

    def components(
        self,
        experiment: str | Sequence[str] | None = None,
        *,
        where: "Where | Iterable[Where]" = (),
        on_progress: "OnProgress | None" = None,
    ) -> "Results[Component]":
        """
        Find steps of every kind and source, the newest first: also those of processing jobs, and of no trial at all.

        Args:
            experiment: The experiment, or several; by default all.
            where: What they must satisfy, as for `trials`.
            on_progress: Told after every hundred steps how many were read so far.

        Returns:
            The steps, read page by page as they are looked at.

        Raises:
            ConfigError: If Search cannot ask this; the message says what it can. Nothing was sent.
            NotFoundError: As for `trials`.
        """
        from mnist_tracking.reading.search import find_components

        return find_components(self._workspace, experiment, where, on_progress)

    def trial(self, name: str) -> "Trial":
        """
        Read one trial with all its steps.

        Raises:
            NotFoundError: If there is no such trial; the message names those nearest that there are.
            StateError: If the service does not show all of its steps within a minute.
        """
        from mnist_tracking.reading.trial import read_trial

        return read_trial(self._workspace, name)

    def compare(self, *trials: "NamedTrial | str") -> "Comparison":
        """
        Say what differs between trials, steps included.

        Raises:
            NotFoundError: If there is no such trial.
            ConfigError: If fewer than two are given, or one twice.
        """
        from mnist_tracking._values.records import trial_name_of
        from mnist_tracking.reading.comparison import compare

        names = [trial_name_of(trial) for trial in trials]
        return compare([self.trial(name) for name in names])

    def download(
        self,
        experiment: str,
        directory: str | os.PathLike[str],
        *,
        files: bool = True,
        on_progress: "OnProgress | None" = None,
    ) -> "ExperimentDownload":
        """
        Write a whole experiment to a folder, as files that any program reads, without AWS and without this library.

        The how-to "Keep an experiment as files" has the layout: trials, steps, every value of every metric, lineage and
        tags as CSV and JSON; and models, artifacts and logs. ``experiment.json`` is written last: a folder that has it
        is whole. Called again, it writes the tables anew, and fetches what is new or has changed. Steps are read page
        by page; what is held of them is a row for each trial, and the lineage.

        Args:
            experiment: Its name.
            directory: The folder: a new one, an empty one, or that of an earlier download of this experiment.
            files: Whether models, artifacts and logs come too.
            on_progress: Told how many steps were written so far.

        Raises:
            NotFoundError: If there is no such experiment; the message names those nearest that there are.
            ConfigError: If *directory* is a file, cannot be made, or holds what no download of this experiment wrote.
                Nothing was changed.
            StateError: If an archive is damaged, or would write outside of its folder; if the disk is full; if another
                download is writing to the folder; or if the service does not show all steps within a minute.
            AccessDeniedError: If something may not be read; the message says what.
        """
        from mnist_tracking.reading.download import download_experiment

        return download_experiment(self._workspace, experiment, directory, files=files, on_progress=on_progress)

    def submitted(self, trial_name: str) -> "SubmittedTrial":
        """
        Take up a trial whose job was started before, by this program or another.

        Raises:
            NotFoundError: If there is no such trial.
            StateError: If the trial has no training job.
        """
        from mnist_tracking.experiments.submission import take_up

        return take_up(self._workspace, trial_name)

    def endpoint(
        self,
        name: str,
        *,
        serializer: "Serializer | Format | None" = None,
        deserializer: "Deserializer | Format | None" = None,
    ) -> "Endpoint":
        """
        Find an endpoint of the account, whoever made it.

        Leaving its ``with`` block does not delete it, since it was not made for that; `Endpoint.delete` does.

        Args:
            name: Its name.
            serializer: What the data go as, as in `BestModelDeployer.deploy`; an endpoint of the CNN knows by itself,
                and so does one that was deployed with formats given by their names.
            deserializer: How answers are read.

        Raises:
            ConfigError: If *serializer* or *deserializer* is none, or the name is empty.
            NotFoundError: If there is no such endpoint; the message names those nearest that there are.
        """
        from mnist_tracking._values.query_checks import require_name
        from mnist_tracking.serving.endpoint import attach_to_endpoint

        return attach_to_endpoint(self._workspace, require_name("an endpoint", name), serializer, deserializer)

    def cleanup_plan(
        self,
        experiment: str,
        *,
        trials: "Iterable[NamedTrial | str] | None" = None,
        older_than: "timedelta | datetime | None" = None,
        keep_data: bool = False,
        include_foreign: bool = False,
    ) -> "CleanupPlan":
        """
        List what a cleanup would delete, and what stays and why; nothing is deleted until the plan's ``execute()``.

        Args:
            experiment: The experiment's name.
            trials: Only these, and what is theirs alone; the experiment and the steps that later trials share stay.
            older_than: Only trials made before this time, or longer ago than this.
            keep_data: Leave the uploaded datasets and the step that recorded them, and so the experiment.
            include_foreign: Also what others made in the experiment; endpoints of others never go.

        Raises:
            NotFoundError: If the experiment, or one of *trials*, does not exist; the message names those nearest.
            ConfigError: If one of *trials* is no trial, or *older_than* is a time without a time zone.

        Example:
            >>> with Workspace.embedded() as workspace:
            ...     with ExperimentRunner(workspace, "churn").trial(name="baseline"):
            ...         pass
            ...     workspace.cleanup_plan("churn", trials=["baseline"])
            <CleanupPlan of 'churn': 2 go, 0 stay, 0 B>
        """
        from mnist_tracking.upkeep.cleanup import make_plan

        return make_plan(
            self._workspace,
            experiment,
            trials=trials,
            older_than=older_than,
            keep_data=keep_data,
            include_foreign=include_foreign,
        )

    @property
    def _workspace(self) -> "Workspace":
        return cast("Workspace", self)
