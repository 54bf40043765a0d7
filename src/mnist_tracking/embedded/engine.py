"""The embedded SageMaker: a folder, and boto3 sessions whose calls it answers."""

import os
import pickle
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from copy import copy
from functools import cache
from pathlib import Path
from typing import NoReturn

import boto3
import botocore.session
from botocore.handlers import BUILTIN_HANDLERS, REGISTER_FIRST, REGISTER_LAST
from botocore.hooks import EventAliaser, HierarchicalEmitter
from botocore.loaders import create_loader

from mnist_tracking._values.archives import DISK_RESERVE_BYTES
from mnist_tracking.embedded import services, transport
from mnist_tracking.embedded.collection import collect_if_due
from mnist_tracking.embedded.context import Context
from mnist_tracking.embedded.identity import Identity
from mnist_tracking.embedded.injection import Fault, Injection, Injections
from mnist_tracking.embedded.interrupts import uninterrupted
from mnist_tracking.embedded.jobs.resources import Machine, find_cpus, find_gpus
from mnist_tracking.embedded.lag import Lag
from mnist_tracking.embedded.registry import OPERATIONS
from mnist_tracking.embedded.store import Store
from mnist_tracking.embedded.store.backup import back_up
from mnist_tracking.embedded.timing import EngineTiming
from mnist_tracking.errors import ConfigError

__all__ = ["EmbeddedSageMaker"]

services.load()

_NO_FILES = dict.fromkeys(("config_file", "credentials_file"), (None, None, os.devnull, None))
_SETTINGS = {  # botocore's own defaults, without environment variables and configuration files
    **{name: (None, None, *rest) for name, (_, _, *rest) in botocore.session.Session.SESSION_VARIABLES.items()},
    **_NO_FILES,
}
_SERVICE_MODELS = create_loader()  # parsed once for all sessions of this process


@cache
def _botocores_handlers() -> HierarchicalEmitter:
    """Register botocore's own handlers once for all sessions of this process: it inspects the signature of each."""
    emitter = HierarchicalEmitter()
    events = EventAliaser(emitter)
    how = {REGISTER_FIRST: events.register_first, REGISTER_LAST: events.register_last}
    for event, handler, *order in BUILTIN_HANDLERS:
        register = how[order[0]] if order else events.register
        register(event, handler)
    return emitter


class EmbeddedSageMaker:
    """
    A SageMaker in a folder: its state is a SQLite file and a directory, its jobs and endpoints are subprocesses.

    **Thread and process safety.** Any number of threads and processes may use the same folder at once.
    **Durability.** An acknowledged write survives ``kill -9``; with ``durability="full"`` also a power loss.
    **Isolation.** Nothing it does touches the network or the user's AWS configuration.

    Args:
        home: The folder; created if missing. It must be on a local disk.
        region: The region in ARNs and bucket names.
        account_id: The twelve digits in ARNs and bucket names.
        python: The interpreter of training jobs and endpoints. Defaults to the running one.
        durability: ``"normal"`` or ``"full"``.
        quotas: How many instances training jobs may use at once, by type, such as ``{"ml.m5.xlarge": 2}``; a job that
            needs more fails with ResourceLimitExceeded. Types without an entry have no limit.
        trial_quota: How many trials an experiment can have; None for any number. AWS's default is 300.
        component_quota: How many components a trial can have; None for any number. AWS's default is 50.
        max_jobs: How many training jobs run at once; further ones wait, with the secondary status ``Pending``. Each has
            an equal share of the processors: ``OMP_NUM_THREADS`` and ``SM_NUM_CPUS``. By default, all run at once, and
            see all processors.
        gpus: How many GPUs jobs may use. By default those in ``CUDA_VISIBLE_DEVICES``, or all that ``nvidia-smi``
            lists. A job on a GPU instance has as many GPUs as that has on AWS, or as there are, and waits until they
            are free; others have none.
        roles: The names of the IAM roles that exist besides its own; jobs and models under another one fail. By default
            every role of the account exists.
        lag: How late Search, trial components, metrics and logs show what has happened. By default, they are up to
            date, unlike on AWS.
        timing: How long to wait for things; by default as `EngineTiming` has it.
        disk_reserve_bytes: How much of the disk stays free when the archive of a model or of a script is unpacked; a
            larger archive fails its job or endpoint with the reason "disk full" before it fills anything.
        clock: Returns the time in seconds since the epoch; tests replace it.
        sleep: Sleeps for a number of seconds, such as between the attempts of a call that `inject` makes fail; tests
            replace it.

    Attributes:
        lag: The lag; can be set at any time. It belongs to this engine, in this process.

    Raises:
        ConfigError: If *home* cannot be written or is on a network file system, *disk_reserve_bytes* or *gpus* is
            negative, or *max_jobs* or a quota of trials or components is less than 1.

    Example:
        >>> engine = EmbeddedSageMaker("sagemaker-here")
        >>> client = engine.session().client("sagemaker")
        >>> client.create_experiment(ExperimentName="digits")["ExperimentArn"]
        'arn:aws:sagemaker:us-east-1:000000000000:experiment/digits'
        >>> engine.close()
    """

    def __init__(  # noqa: PLR0913 - one keyword for each thing that a test may want otherwise
        self,
        home: str | os.PathLike[str],
        *,
        region: str = "us-east-1",
        account_id: str = "000000000000",
        python: str | None = None,
        durability: str = "normal",
        quotas: Mapping[str, int] | None = None,
        trial_quota: int | None = None,
        component_quota: int | None = None,
        max_jobs: int | None = None,
        gpus: int | None = None,
        roles: Iterable[str] | None = None,
        lag: Lag | None = None,
        timing: EngineTiming | None = None,
        disk_reserve_bytes: int = DISK_RESERVE_BYTES,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if disk_reserve_bytes < 0:
            raise ConfigError(f"disk_reserve_bytes={disk_reserve_bytes!r}; expected bytes >= 0.")
        if gpus is not None and gpus < 0:
            raise ConfigError(f"gpus={gpus!r}; expected an integer >= 0, or None for those of this machine.")
        counts = {"trial_quota": trial_quota, "component_quota": component_quota, "max_jobs": max_jobs}
        for name, count in counts.items():
            if count is not None and count < 1:
                raise ConfigError(f"{name}={count!r}; expected an integer >= 1, or None for any number.")
        self.home = Path(home).absolute()
        self.identity = Identity(account_id, region, None if roles is None else frozenset(roles))
        self.python = python or sys.executable
        self.quotas = dict(quotas or {})
        self.trial_quota, self.component_quota = trial_quota, component_quota
        self.max_jobs = max_jobs
        self.lag = lag or Lag()
        timing = timing or EngineTiming()
        self.store = uninterrupted(Store, self.home, durability=durability, busy_timeout_s=timing.database_busy_s)
        self._injections = Injections()
        self._context = Context(
            store=self.store,
            identity=self.identity,
            python=self.python,
            quotas=self.quotas,
            trial_quota=trial_quota,
            component_quota=component_quota,
            machine=lambda: Machine(find_cpus(), find_gpus(gpus), max_jobs),
            lag=lambda: self.lag,
            now=clock,
            sleep=sleep,
            timing=timing,
            disk_reserve_bytes=disk_reserve_bytes,
        )
        uninterrupted(collect_if_due, self._context)

    def __repr__(self) -> str:
        return f"<EmbeddedSageMaker home={str(self.home)!r} region={self.identity.region!r}>"

    def __reduce__(self) -> NoReturn:
        raise pickle.PicklingError(
            f"{self!r} cannot be pickled: its faults and its clock belong to this process. "
            "Create another engine on the same folder instead."
        )

    @property
    def shared_cpus(self) -> int | None:
        """The number of processors that all jobs share; None if *max_jobs* gives each job a share of its own."""
        return find_cpus() if self.max_jobs is None else None

    def inject(self, fault: Fault) -> Injection:
        """
        Make calls of this engine's sessions fail with an AWS error, to test how a program handles it.

        As on AWS, a client retries a failed call according to its retry settings; the program sees the error only when
        all attempts have failed. Calls of other processes, such as training jobs, and of other engines on the same
        folder are not affected.

        Args:
            fault: Which calls fail, how often, and with which error.

        Returns:
            The injected fault, which counts the calls that it made fail. It lasts until its ``with`` block ends, or
            until it is removed.

        Raises:
            ConfigError: If the fault names an unknown service or operation.

        Example:
            >>> from mnist_tracking.embedded import Fault
            >>> engine = EmbeddedSageMaker("sagemaker-here", sleep=lambda seconds: None)
            >>> with engine.inject(Fault("ThrottlingException", operation="CreateExperiment", times=2)) as injection:
            ...     response = engine.session().client("sagemaker").create_experiment(ExperimentName="digits")
            >>> injection.failures, response["ResponseMetadata"]["RetryAttempts"]
            (2, 2)
            >>> engine.close()
        """
        return self._injections.add(fault, OPERATIONS)

    def session(self) -> boto3.Session:
        """
        Return a new session whose calls this engine answers.

        The session does not read the user's AWS configuration, credentials or ``AWS_*`` variables.
        """
        core = botocore.session.Session(_SETTINGS, copy(_botocores_handlers()), include_builtin_handlers=False)
        core.register_component("data_loader", _SERVICE_MODELS)
        core.set_credentials("embedded", "embedded")
        core.set_config_variable("region", self.identity.region)
        core.set_config_variable("ignore_configured_endpoint_urls", True)
        self.install(core)
        return boto3.Session(botocore_session=core)

    def install(self, session: botocore.session.Session) -> None:
        """Answer the calls of all clients that a botocore session makes from now on."""
        transport.install(session, self._context, self._injections)

    def backup(self, directory: str | os.PathLike[str]) -> None:
        """
        Copy everything to a new folder while programs continue to write; the copy is a consistent home of its own.

        The folder appears when it is complete. Running jobs and endpoints are not copied; in the copy, they have lost
        their process. While no program is running, a plain copy of the home works as well.

        Args:
            directory: The new folder.

        Raises:
            ConfigError: If *directory* exists already, or it cannot be written.

        Example:
            >>> engine = EmbeddedSageMaker("sagemaker-here")
            >>> _ = engine.session().client("sagemaker").create_experiment(ExperimentName="digits")
            >>> engine.backup("copy")
            >>> with Workspace.embedded("copy") as copy:
            ...     print([experiment.name for experiment in copy.experiments()])
            ['digits']
            >>> engine.close()
        """
        uninterrupted(back_up, self.store, Path(directory).absolute())

    def close(self) -> None:
        """Close this process's connections to the store. Jobs and endpoints continue."""
        uninterrupted(self.store.close)
