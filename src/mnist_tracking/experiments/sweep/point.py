"""PointTraining: the training of one point of a sweep, by this program or by another one."""

from collections.abc import Mapping
from functools import partial

import attrs

from mnist_tracking._aws.errors import is_fault_of_service
from mnist_tracking._aws.jobs import find_job
from mnist_tracking._values.names import attempt_name
from mnist_tracking._values.records import ParameterValue
from mnist_tracking.errors import JobFailedError
from mnist_tracking.experiments.launch import Launch
from mnist_tracking.experiments.runner import ExperimentRunner, launch_of
from mnist_tracking.experiments.submission import SubmittedTrial, follow
from mnist_tracking.experiments.sweep.running import Running
from mnist_tracking.experiments.sweep.scheduler import Scheduler

_MORE_ATTEMPTS = 2
"""How often a point is trained again after a failure that is the service's."""


@attrs.define(kw_only=True)
class PointTraining:
    """
    The training of one point of a sweep.

    Attributes:
        point: The hyperparameters that the sweep varies.
        hyperparameters: All of them.
        sweep: The name of the sweep; None if its trials have generated names.
        slot: What the trials of this point have in their names, after that of the sweep.
        attempt: Which attempt at the point, from 1.
        submitted: Its trial, if that is known to have a job.
    """

    point: Mapping[str, ParameterValue]
    hyperparameters: Mapping[str, ParameterValue]
    sweep: str | None = None
    slot: str = ""
    attempt: int = 1
    submitted: SubmittedTrial | None = None
    _launch: Launch | None = attrs.field(init=False, default=None)
    _attempts_left: int = attrs.field(init=False, default=_MORE_ATTEMPTS)

    @property
    def trial_name(self) -> str | None:
        """The name of the trial of this attempt; None if it is generated."""
        return None if self.sweep is None else attempt_name(self.sweep, self.slot, self.attempt)

    def train(
        self, runner: ExperimentRunner, scheduler: Scheduler, running: Running, *, is_deferrable: bool = False
    ) -> bool:
        """
        Train the point, and return True; or follow the job of another program that is training it.

        Args:
            runner: The experiment and its job.
            scheduler: Waits for a full quota, and for outages to pass.
            running: Receives the events of the trial.
            is_deferrable: Whether to return False if another program has created the trial, so that other points can be
                trained before its job is waited for.
        """
        train = partial(self._train, runner, scheduler, running, is_deferrable=is_deferrable)
        try:
            return scheduler.outliving(train)
        except BaseException as error:
            if self.sweep is None and self.submitted is None and self._launch is not None:
                self._launch.take_back(error)  # a trial of a named sweep stays: another program may be starting its job
            raise

    def _train(self, runner: ExperimentRunner, scheduler: Scheduler, running: Running, *, is_deferrable: bool) -> bool:
        while True:
            if self.submitted is None:
                self.submitted = self._submit(runner, scheduler, running, is_deferrable=is_deferrable)
            if self.submitted is None:
                return False
            on_poll = None if running.has_launched(self.submitted.name) else scheduler.check
            try:
                follow(self.submitted, self.hyperparameters, running, on_poll=on_poll)
                return True
            except JobFailedError as error:
                if not is_fault_of_service(error.reason) or not self._attempts_left:
                    return True  # recorded as a failed trial, and shown as one
            self.attempt, self._attempts_left = self.attempt + 1, self._attempts_left - 1
            self.submitted = self._launch = None

    def _submit(
        self, runner: ExperimentRunner, scheduler: Scheduler, running: Running, *, is_deferrable: bool
    ) -> SubmittedTrial | None:
        """Start the job of the point, unless another program has; None if the point is deferred."""
        if self._launch is None:
            self._launch = launch_of(runner, self.point, self.trial_name)
        is_ours = self._launch.claim()
        if not is_ours and is_deferrable:
            return None
        return scheduler.start(partial(_start, self._launch, running, is_ours=is_ours))


def _start(launch: Launch, running: Running, *, is_ours: bool) -> SubmittedTrial:
    """
    Start the job of a trial, unless it was started: by another program, or by an earlier call whose response was lost.

    It is looked for first, since its own instances may exhaust the quota.
    """
    may_be_started = not is_ours or running.has_launched(launch.trial_name)
    if may_be_started and find_job(launch.account, launch.job_name):
        return launch.submitted
    running.launching(launch.trial_name, launch.job_name)
    return launch.start()
