"""PointTraining: the training of one trial of a sweep, by this program or by another one."""

from functools import partial
from typing import Protocol

import attrs

from mnist_tracking._aws.convert import component_of_job
from mnist_tracking._aws.errors import is_fault_of_service
from mnist_tracking._aws.jobs import ENDED, describe_job, find_job
from mnist_tracking._values.names import attempt_name, digest_of
from mnist_tracking._values.recordable import comparable_items
from mnist_tracking._values.records import MetricPoint, ParameterValue
from mnist_tracking._values.specs import JobSpec, Objective
from mnist_tracking._values.sweeps import SweepPlace
from mnist_tracking.errors import AlreadyExistsError
from mnist_tracking.experiments.launch import Launch
from mnist_tracking.experiments.runner import ExperimentRunner, launch_of
from mnist_tracking.experiments.submission import SubmittedTrial
from mnist_tracking.experiments.sweep.applying import JOB
from mnist_tracking.experiments.sweep.running import Running
from mnist_tracking.experiments.sweep.scheduler import Cancelled, Scheduler
from mnist_tracking.experiments.sweep.space import Point, Space
from mnist_tracking.experiments.sweep.spec import SweepSpec
from mnist_tracking.reading.trial import Trial, trial_from_component


@attrs.frozen(kw_only=True)
class Driver:
    """
    What the trials of a sweep are trained with.

    Attributes:
        runner: The experiment.
        job: What each trial trains, before a point changes it.
        spec: The sweep.
        sweep: Its name.
        is_private: Whether no other program runs it, since its name was generated.
        retries: How often a trial is retried after a fault of the infrastructure.
        scheduler: Waits for a full quota, and for outages to pass.
        running: Receives the events of the trials.
    """

    runner: ExperimentRunner
    job: JobSpec
    spec: SweepSpec
    sweep: str
    is_private: bool
    retries: int
    scheduler: Scheduler
    running: Running


class Listener(Protocol):
    """What is called while a trial of a sweep trains."""

    def began(self, training: "PointTraining") -> None:
        """Called once the trial is known to have a job, with the point of that job."""

    def reported(self, training: "PointTraining", point: MetricPoint) -> str:
        """Called with each value of a metric; returns why to stop the trial, or an empty string."""
        ...

    def expired(self) -> str:
        """Called now and then; returns why to stop every trial, or an empty string."""
        ...


@attrs.define(kw_only=True, eq=False)
class PointTraining:
    """
    The training of one trial of a sweep.

    Attributes:
        number: The number of its configuration.
        repeat: Which repeat of the configuration it is, from 0.
        point: The values of the configuration.
        is_fixed: Whether the job must have this point; otherwise another program may choose it.
        is_awaited: Whether to wait for the job of another program, rather than leave it for later.
        attempt: Which attempt at the trial, from 1.
        submitted: Its trial, if that is known to have a job.
        costs: What each attempt that has ended has cost, in US dollars, by trial; None if that is not known.
    """

    number: int
    repeat: int
    point: Point
    is_fixed: bool = True
    is_awaited: bool = False
    attempt: int = 1
    submitted: SubmittedTrial | None = None
    costs: dict[str, float | None] = attrs.field(init=False, factory=dict)
    _launch: Launch | None = attrs.field(init=False, default=None)
    _retries: int = attrs.field(init=False, default=0)
    _reason: str = attrs.field(init=False, default="")
    _is_stopped: bool = attrs.field(init=False, default=False)

    def slot(self, driver: Driver) -> str:
        """Return its slot: its number in the sweep, or the digest of its hyperparameters in a grid."""
        if not driver.spec.is_grid:
            return str(self.number * driver.spec.repeats + self.repeat)
        return digest_of(driver.runner.name, {**self._applied(driver)[1], **of_job(self.point)})

    def _applied(self, driver: Driver) -> tuple[JobSpec, dict[str, ParameterValue]]:
        return driver.spec.applied(driver.job, self.point, self.repeat)

    def train(self, driver: Driver, listener: Listener) -> Trial | None:
        """
        Train the trial, or follow the job of another program that is training it, and return it once it has ended.

        Return None if another program has created it, and it is not awaited.
        """
        try:
            return driver.scheduler.outliving(partial(self._train, driver, listener))
        except BaseException as error:
            if driver.is_private and self.submitted is None and self._launch is not None:
                self._launch.take_back(error)  # a trial of a named sweep stays: another program may be starting its job
            raise

    def _train(self, driver: Driver, listener: Listener) -> Trial | None:
        while True:
            if self.submitted is None:
                self.submitted = self._submit(driver, listener)
            if self.submitted is None:
                return None
            listener.began(self)
            trial = self._follow(self.submitted, driver, listener)
            self.costs[trial.name] = trial.cost
            if self._retries >= driver.retries or not is_fault_of_infrastructure(trial, _failure(trial)):
                return trial  # a failure of the script is recorded, and shown as one
            self.attempt, self._retries = self.attempt + 1, self._retries + 1
            self.submitted, self._launch, self.is_fixed = None, None, True
            self._reason, self._is_stopped = "", False

    def _submit(self, driver: Driver, listener: Listener) -> SubmittedTrial | None:
        """Start the job, unless another program has; None if the trial is left for later."""
        if self._launch is None:
            self._launch = self._new_launch(driver)
        try:
            is_ours = self._launch.claim()
        except AlreadyExistsError as error:
            error.add_note(
                f"The sweep {driver.sweep!r} needs this name for a trial, and the names of trials are unique in the "
                "account. Choose another name for the sweep."
            )
            raise
        if not is_ours and not self.is_awaited:
            return None
        submitted = driver.scheduler.start(partial(_start, self._launch, driver.running, listener, is_ours=is_ours))
        if not self.is_fixed and not self._launch.has_started_job:
            self.point = point_of(trial_of(submitted), driver.spec.space) or self.point
        return submitted

    def _new_launch(self, driver: Driver) -> Launch:
        spec, slot = driver.spec, self.slot(driver)
        job, hyperparameters = self._applied(driver)
        place = SweepPlace(
            driver.sweep,
            slot,
            objective=spec.objective.metric if spec.objective else "",
            repeat=self.repeat,
            repeat_by=spec.repeat_by if spec.repeats > 1 else "",
            job=of_job(self.point),
        )
        name = attempt_name(driver.sweep, slot, self.attempt)
        return launch_of(driver.runner, hyperparameters, name, job=job, place=place)

    def _follow(self, submitted: SubmittedTrial, driver: Driver, listener: Listener) -> Trial:
        """Wait until the job ends."""
        name, running = submitted.name, driver.running
        running.started(name, submitted.job_name, self._applied(driver)[1])
        trial = submitted.wait(
            on_line=partial(running.logged, name),
            on_status=partial(running.status_changed, name),
            on_point=partial(self._see, submitted, running, listener),
            on_poll=partial(self._check, submitted, driver, listener),
        )
        running.ended(trial)
        return trial

    def _see(self, submitted: SubmittedTrial, running: Running, listener: Listener, point: MetricPoint) -> None:
        """Report a value, and stop the job if that is hopeless; a value after the stop changes nothing."""
        running.reported(submitted.name, point)
        reason = listener.reported(self, point)
        if reason and not self._reason:
            self._stop(submitted, reason)
            running.pruned(submitted.name, reason)

    def _stop(self, submitted: SubmittedTrial, reason: str) -> None:
        """Stop the job, for the first of several reasons; after an outage, the same call is made again."""
        self._reason = self._reason or reason
        if not self._is_stopped:
            submitted.stop(reason=self._reason)
            self._is_stopped = True

    def _check(self, submitted: SubmittedTrial, driver: Driver, listener: Listener) -> None:
        """Stop the job if the time is over; one of another program is only not waited for, also after an error."""
        is_ours = driver.running.has_launched(submitted.name)
        if not is_ours:
            driver.scheduler.check()
        expired = listener.expired()
        if expired and not is_ours:
            raise Cancelled
        if reason := self._reason or expired:
            self._stop(submitted, reason)


def of_job(point: Point) -> dict[str, ParameterValue]:
    """Return what a point changes of the job itself."""
    return {name: value for name, value in point.items() if name.startswith(JOB)}


def _failure(trial: Trial) -> str:
    """Return why the job of a trial failed, which the component of the trial may show later."""
    job = {} if trial.status != "Failed" else describe_job(trial._account, trial.job_name)
    return str(job.get("FailureReason", ""))


def _start(launch: Launch, running: Running, listener: Listener, *, is_ours: bool) -> SubmittedTrial:
    """
    Start the job of a trial, unless it was started: by another program, or by an earlier call whose response was lost.

    It is looked for first, since its own instances may exhaust the quota. None is started once the time is over, which
    may be while a full quota is waited for.
    """
    may_be_started = not is_ours or running.has_launched(launch.trial_name)
    if may_be_started and find_job(launch.account, launch.job_name):
        return launch.submitted
    if listener.expired():
        raise Cancelled
    running.launching(launch.trial_name, launch.job_name)
    return launch.start()


def trial_of(submitted: SubmittedTrial) -> Trial:
    """Return a trial as its job shows it, which is never behind."""
    account = submitted._account
    component = component_of_job(describe_job(account, submitted.job_name))
    return trial_from_component(account, component, submitted.name, submitted.experiment)


def point_of(trial: Trial, space: Space) -> Point | None:
    """Return the point of a space that a trial has trained; None if it is not in the space."""
    values = trial.configuration
    if space.explicit:
        trained = comparable_items(values)
        listed = [dict(point) for point in space.explicit if comparable_items(point) <= trained]
        return max(listed, key=len, default=None)
    try:
        point = {name: values[name] for name in space.draw(lambda name, _: values[name])}  # fixed ones may differ
    except KeyError:
        return None
    return point if space.contains(point) else None


def values_of(trial: Trial, objective: Objective | None) -> dict[int, float]:
    """Return the values of an objective that a trial has reported, by step; none if it reported another one."""
    is_same = trial.sweep is not None and objective is not None and trial.sweep.objective == objective.metric
    return dict(trial.reported) if is_same else {}


def belongs_to(trial: Trial, sweep: str, spec: SweepSpec) -> bool:
    """Whether a trial, which has a name as those of a sweep have, is one of them; in a grid, its digest shows that."""
    return spec.is_grid or (trial.sweep is not None and trial.sweep.sweep.lower() == sweep.lower())


def is_fault_of_infrastructure(trial: Trial, reason: str) -> bool:
    """Whether a trial failed, for that reason, or was stopped for lack of instances or by an internal error."""
    return is_fault_of_service(reason) or trial.stop_reason == "MaxWaitTimeExceeded"


def has_ended(trial: Trial) -> bool:
    """Whether the training of a trial has ended."""
    return trial.status in ENDED
