"""Workspace: an AWS account or an embedded SageMaker in a folder, and everything that can be looked up there."""

import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Self, Unpack

import attrs

from mnist_tracking._aws.account import Account, Timing, find_boto_session
from mnist_tracking._values.checks import require_name
from mnist_tracking._values.records import Component, ExperimentSummary, NamedTrial, trial_name_of
from mnist_tracking._values.settings import Settings, SettingsOptions
from mnist_tracking.errors import ConfigError

if TYPE_CHECKING:
    import boto3

    from mnist_tracking._values.formats import Deserializer, Format, Serializer
    from mnist_tracking._values.specs import Objective
    from mnist_tracking.embedded import EmbeddedSageMaker
    from mnist_tracking.experiments.submission import SubmittedTrial
    from mnist_tracking.reading.comparison import Comparison
    from mnist_tracking.reading.download.experiment import ExperimentDownload
    from mnist_tracking.reading.leaderboard import Leaderboard
    from mnist_tracking.reading.results import Results
    from mnist_tracking.reading.search import OnProgress, Where
    from mnist_tracking.reading.trial import DeployOptions, Trial
    from mnist_tracking.serving.endpoint import Endpoint
    from mnist_tracking.upkeep.cleanup import CleanupPlan

__all__ = ["Workspace"]

_EMBEDDED = Timing(poll_s=0.1, first_poll_s=0.02, jitter=0.0, log_quiet_s=0.0)


class Workspace(Account):
    """
    Where the calls go. Create one with `Workspace.embedded`, `Workspace.aws` or `Workspace.from_env`.

    A workspace hands out a `boto3.Session`; everything else in this library builds on that, and is the same code
    wherever the calls go.

    **Thread safety.** Safe to share between threads. **Cost.** Creating one makes no call; the role, the account ID
    and the bucket are looked up on first use. **Pickles** hold where to work, and never credentials.

    Attributes:
        boto_session: The session that all calls go through.
        settings: The settings for everything that is created.
        timing: How often and how long to poll.

    Example:
        >>> workspace = Workspace.embedded()
        >>> workspace.bucket
        'sagemaker-us-east-1-000000000000'
        >>> workspace.close()
    """

    _engine: "EmbeddedSageMaker | None" = None

    @classmethod
    def embedded(
        cls,
        home: str | os.PathLike[str] | None = None,
        *,
        engine: "EmbeddedSageMaker | None" = None,
        python: str | None = None,
        max_jobs: int | None = None,
        gpus: int | None = None,
        timing: Timing | None = None,
        **settings: Unpack[SettingsOptions],
    ) -> Self:
        """
        Work on an embedded SageMaker: no account, no Docker, no network.

        It accepts every setting and returns it as AWS does, so that a test can check what is sent; none of them
        encrypts or isolates anything here.

        Args:
            home: The folder that holds everything; created if missing. Defaults to ``MNIST_TRACKING_HOME``, then to
                ``./.mnist-tracking``.
            engine: Your own engine, with quotas or another clock, in place of *home* and what follows.
            python: The interpreter for training jobs and endpoints. Defaults to the one that is running.
            max_jobs: How many training jobs run at once, each with an equal share of the processors; further ones wait.
            gpus: How many GPUs jobs may use; by default those of this machine. See `EmbeddedSageMaker`.
            timing: How often and how long to poll. By default, pauses grow from 20 ms to 0.1 s.
            **settings: As for `aws`. By default, a named bucket is created, and an experiment can have any number of
                trials, and a trial any number of components.

        Raises:
            ConfigError: If *home* cannot be written or is on a network file system, or AWS would reject a setting.
        """
        from mnist_tracking.embedded import EmbeddedSageMaker

        settings.setdefault("trial_quota", None if engine is None else engine.trial_quota)
        settings.setdefault("component_quota", None if engine is None else engine.component_quota)
        checked, is_described = Settings(**settings), engine is None
        if engine is None:
            home = home or os.environ.get("MNIST_TRACKING_HOME") or ".mnist-tracking"
            engine = EmbeddedSageMaker(
                home,
                python=python,
                max_jobs=max_jobs,
                gpus=gpus,
                trial_quota=checked.trial_quota,
                component_quota=checked.component_quota,
            )
        if checked.create_bucket is None:
            checked = attrs.evolve(checked, create_bucket=True)
        workspace = cls(engine.session(), settings=checked, timing=timing or _EMBEDDED)
        workspace._engine, workspace.is_billed, workspace.shared_cpus = engine, False, engine.shared_cpus
        if is_described:
            again = partial(
                cls.embedded,
                engine.home,
                python=python,
                max_jobs=max_jobs,
                gpus=gpus,
                timing=timing,
                **attrs.asdict(checked),
            )
            workspace._again = again
        return workspace

    @classmethod
    def aws(
        cls,
        *,
        boto_session: "boto3.Session | None" = None,
        profile: str | None = None,
        region: str | None = None,
        timing: Timing | None = None,
        **settings: Unpack[SettingsOptions],
    ) -> Self:
        """
        Work on an AWS account.

        The settings apply to every experiment, component, job, model, endpoint and upload. Settings left out fall back
        to the config files of the SageMaker SDK (``SAGEMAKER_ADMIN_CONFIG_OVERRIDE``,
        ``SAGEMAKER_USER_CONFIG_OVERRIDE``), then to AWS's defaults.

        Args:
            boto_session: Your own session; by default one is created from *profile* and *region*.
            profile: A profile of your AWS configuration.
            region: The region; defaults to the session's.
            timing: How often and how long to poll. By default, pauses grow from 2 s to 10 s.
            **settings: ``role``, ``bucket``, ``prefix``, ``create_bucket``, ``kms_key``, ``subnets``,
                ``security_group_ids``, ``network_isolation``, ``encrypt_traffic``, ``tags``, ``prices``,
                ``trial_quota`` and ``component_quota``: see `mnist_tracking.types.Settings`.

        Raises:
            ConfigError: If the region is unknown, the profile does not exist, or AWS would reject a setting.
        """
        checked = Settings(**settings)
        workspace = cls(find_boto_session(boto_session, profile, region), settings=checked, timing=timing or Timing())
        if boto_session is None:
            workspace._again = partial(
                cls.aws, profile=profile, region=workspace.region, timing=timing, **attrs.asdict(checked)
            )
        return workspace

    @classmethod
    def from_env(cls, **settings: Unpack[SettingsOptions]) -> Self:
        """
        Work on the backend in ``MNIST_TRACKING_BACKEND``: ``embedded``, the default, or ``aws``.

        AWS credentials in the environment never select AWS by themselves.

        Args:
            **settings: As for `aws`.

        Raises:
            ConfigError: If the variable has another value, or AWS would reject a setting.
        """
        backend = os.environ.get("MNIST_TRACKING_BACKEND") or "embedded"
        if backend not in ("embedded", "aws"):
            raise ConfigError(f"MNIST_TRACKING_BACKEND is {backend!r}; expected 'embedded' or 'aws'.")
        return cls.embedded(**settings) if backend == "embedded" else cls.aws(**settings)

    def __repr__(self) -> str:
        return f"<Workspace on {self._engine or f'AWS {self.region}'}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close what this process holds open, as leaving a ``with`` block does. Jobs and endpoints keep running."""
        super().close()
        if self._engine is not None:
            self._engine.close()

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
        Find experiments, newest first.

        Args:
            name_contains: A part of the name, in any case.
            created_after: Only experiments created after this time, which needs a time zone.
            created_before: Only experiments created before this time, which needs a time zone.
            tags: Only experiments with all of these tags.
            on_progress: Called after every hundred experiments with the number read so far.

        Returns:
            The experiments, fetched lazily, page by page, each page at most once.

        Raises:
            ConfigError: If Search does not support a condition, or a time has no time zone. Nothing was sent.

        Example:
            >>> workspace = Workspace.embedded()
            >>> _ = ExperimentRunner(workspace, "digits")
            >>> [experiment.name for experiment in workspace.experiments(name_contains="digit")]
            ['digits']
            >>> workspace.close()
        """
        from mnist_tracking.reading.search import find_experiments

        return find_experiments(
            self,
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
    ) -> "Results[Trial]":
        """
        Find trials, newest first: this library's, those of any training job, and the SDK's runs.

        Args:
            experiment: One or several experiments; by default all.
            where: Filters, as in ``where.metric("test:accuracy") > 97`` (in percent), or a ``SearchExpression`` as a
                dictionary; all of them must match.
            on_progress: Called after every hundred trials with the number read so far.

        Returns:
            The trials, fetched lazily, page by page, each page at most once. On AWS a trial may take some seconds to
            appear, since Search is eventually consistent.

        Raises:
            ConfigError: If Search does not support a filter; the message lists what it supports. Nothing was sent.
            NotFoundError: When nothing is found, if an experiment does not exist; the error lists the nearest names.
        """
        from mnist_tracking.reading.search import find_trials

        return find_trials(self, experiment, where, on_progress)

    def components(
        self,
        experiment: str | Sequence[str] | None = None,
        *,
        where: "Where | Iterable[Where]" = (),
        on_progress: "OnProgress | None" = None,
    ) -> "Results[Component]":
        """
        Find steps of every kind and source, newest first, including those of processing jobs and of no trial.

        Args:
            experiment: One or several experiments; by default all.
            where: Filters, as for `trials`.
            on_progress: Called after every hundred steps with the number read so far.

        Returns:
            The steps, fetched lazily, page by page, each page at most once.

        Raises:
            ConfigError: If Search does not support a filter; the message lists what it supports. Nothing was sent.
            NotFoundError: As for `trials`.
        """
        from mnist_tracking.reading.search import find_components

        return find_components(self, experiment, where, on_progress)

    def trial(self, name: str) -> "Trial":
        """
        Read one trial with all its steps.

        Raises:
            NotFoundError: If it does not exist; the error lists the nearest names.
        """
        from mnist_tracking.reading.trial import read_trial

        return read_trial(self, name)

    def resolve_trial(
        self,
        text: str,
        *,
        experiment: str | None = None,
        objective: "Objective | str | None" = None,
    ) -> str:
        """
        Return the full name of a trial, given what identifies it.

        Args:
            text: A trial's name; a unique prefix or suffix of one; ``"latest"`` for the trial created last; or
                ``"best"`` for the best one of an experiment. A full name always wins.
            experiment: Look only in this experiment. ``"best"`` needs it, unless there is only one.
            objective: What ``"best"`` means; defaults to the objective of the experiment's jobs.

        Raises:
            NotFoundError: If no trial matches; the error lists the nearest names.
            ConfigError: If several trials match, or ``"best"`` lacks an experiment or an objective; the message lists
                the candidates.
            StateError: If no trial completed with a value for the objective.

        Example:
            >>> workspace = Workspace.embedded()
            >>> runner = ExperimentRunner(workspace, "churn")
            >>> for name, accuracy in (("shallow-tree", 0.8), ("deep-tree", 0.9)):
            ...     with runner.trial(name=name) as trial:
            ...         trial.log_metric("accuracy", accuracy)
            >>> workspace.resolve_trial("sh"), workspace.resolve_trial("best", objective="accuracy")
            ('shallow-tree', 'deep-tree')
            >>> workspace.close()
        """
        from mnist_tracking.reading.naming import resolve_trial

        return resolve_trial(self, text, experiment=experiment, objective=objective)

    def compare(self, *trials: NamedTrial | str) -> "Comparison":
        """
        Compare trials: parameters, metrics, inputs and code of every step.

        Raises:
            NotFoundError: If a trial does not exist.
            ConfigError: If fewer than two are given, or one twice.
        """
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
        Export an experiment to a folder, as files that any program can read without AWS and without this library.

        The how-to "Export experiments to files" describes the layout: trials, steps, every value of every metric,
        lineage and tags as CSV and JSON, plus models, artifacts and logs. ``experiment.json`` is written last: a folder
        that has it is complete. A second call rewrites the tables, and fetches what is new or has changed. Steps are
        read page by page; only a row per trial and the lineage are held in memory.

        Args:
            experiment: Its name.
            directory: A new folder, an empty one, or that of an earlier download of this experiment.
            files: Whether to fetch models, artifacts and logs too.
            on_progress: Called with the number of steps written so far.

        Raises:
            NotFoundError: If the experiment does not exist; the error lists the nearest names.
            ConfigError: If *directory* is a file, cannot be created, or holds files that no download of this
                experiment wrote. Nothing was changed.
            StateError: If an archive is damaged or would write outside its folder, the disk is full, another download
                is writing to the folder, or Search does not show all steps within a minute.
            AccessDeniedError: If something must not be read; the message names it.
        """
        from mnist_tracking.reading.download.experiment import download_experiment

        return download_experiment(self, experiment, directory, files=files, on_progress=on_progress)

    def report(
        self,
        experiment: "str | Sequence[str] | Leaderboard",
        path: str | os.PathLike[str] = "report.html",
        *,
        objective: "Objective | str | None" = None,
        curves: int | None = 100,
        on_progress: "OnProgress | None" = None,
    ) -> Path:
        """
        Write the trials of one or several experiments as one HTML page that needs no network.

        Args:
            experiment: The name of an experiment, several names, or a `Leaderboard` that was loaded already.
            path: The file, in a folder that exists.
            objective: What to rank by, as for `Leaderboard.load`; a leaderboard has its own.
            curves: The number of trials whose logs are read; see `Leaderboard.report`.
            on_progress: Called after every hundred trials with the number read so far.

        Returns:
            The path.

        Raises:
            NotFoundError: If an experiment does not exist; the error lists the nearest names.
            ConfigError: If the file cannot be written, *curves* is not an integer >= 0, *objective* is given with a
                leaderboard, or no trial has its metric although some have others. A missing folder is
                reported before anything is read.
        """
        from mnist_tracking.reading.report.page import write_report

        return write_report(self, experiment, path, objective=objective, curves=curves, on_progress=on_progress)

    def submitted(self, trial_name: str) -> "SubmittedTrial":
        """
        Attach to a trial whose job was started earlier, by this program or another.

        Raises:
            NotFoundError: If the trial does not exist; the error lists the nearest names.
            StateError: If it has no training job.
        """
        from mnist_tracking.experiments.submission import attach_to_trial

        return attach_to_trial(self, trial_name)

    def endpoint(
        self,
        name: str,
        *,
        serializer: "Serializer | Format | None" = None,
        deserializer: "Deserializer | Format | None" = None,
    ) -> "Endpoint":
        """
        Return an endpoint of the account by its name.

        Leaving its ``with`` block does not delete it; `Endpoint.delete` does, also if an interrupted deployment left
        only its configuration or its model.

        Args:
            name: Its name.
            serializer: How data is sent, as in `BestModelDeployer.deploy`. Not needed for an endpoint with an adapter,
                such as the CNN's, or one that was deployed with formats given by name.
            deserializer: How responses are read.

        Raises:
            ConfigError: If *serializer* or *deserializer* is not valid, or the name is empty.
            NotFoundError: If the endpoint does not exist; the error lists the nearest names.
        """
        from mnist_tracking.serving.endpoint import attach_to_endpoint

        return attach_to_endpoint(self, require_name("an endpoint", name), serializer, deserializer)

    def cleanup_plan(
        self,
        experiment: str,
        *,
        trials: Iterable[NamedTrial | str] | None = None,
        older_than: timedelta | datetime | None = None,
        keep_data: bool = False,
        include_foreign: bool = False,
        ignore_readers: bool = False,
    ) -> "CleanupPlan":
        """
        Plan a cleanup: what it deletes, what it keeps and why. Nothing is deleted before the plan's ``execute()``.

        Args:
            experiment: The experiment's name.
            trials: Only these trials, and what belongs to them alone; the experiment and the shared steps stay.
            older_than: Only trials created before this time, or longer ago than this.
            keep_data: Keep the uploaded datasets and the step that recorded them, and so the experiment.
            include_foreign: Also delete what other tools created in the experiment, and objects that others put below
                its S3 prefix; but no endpoints.
            ignore_readers: Also delete data, models and code that trials of other experiments, or models, use.

        Raises:
            NotFoundError: If the experiment, or one of *trials*, does not exist; the error lists the nearest names.
            ConfigError: If one of *trials* is not a trial, or *older_than* is a time without a time zone.

        Example:
            >>> with Workspace.embedded() as workspace:
            ...     with ExperimentRunner(workspace, "churn").trial(name="baseline"):
            ...         pass
            ...     workspace.cleanup_plan("churn", trials=["baseline"])
            <CleanupPlan of 'churn': 2 to delete, 0 to keep, 0 B>
        """
        from mnist_tracking.upkeep.cleanup import make_plan

        return make_plan(
            self,
            experiment,
            trials=trials,
            older_than=older_than,
            keep_data=keep_data,
            include_foreign=include_foreign,
            ignore_readers=ignore_readers,
        )

    def deploy(self, target: "NamedTrial | str", **options: "Unpack[DeployOptions]") -> "Endpoint":
        """
        Deploy the model of a trial, as ``BestModelDeployer(workspace).deploy`` does, with its keywords.

        Args:
            target: A trial, or its name.
            **options: The keywords of `BestModelDeployer.deploy`.
        """
        from mnist_tracking.serving.deployer import BestModelDeployer

        return BestModelDeployer(self).deploy(target, **options)
