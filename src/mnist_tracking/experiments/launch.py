"""Launch: a trial and its training job, each created once, by any number of programs and attempts."""

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from mnist_tracking._aws.account import Account
from mnist_tracking._aws.convert import JOB_TAG
from mnist_tracking._aws.experiments import claimed_job, create_trial
from mnist_tracking._aws.jobs import start_job, stop_job, tag_component
from mnist_tracking._aws.removal import delete_trial
from mnist_tracking._values.markers import INTERRUPTED
from mnist_tracking._values.names import unique_name
from mnist_tracking._values.records import ParameterValue
from mnist_tracking._values.specs import JobInput
from mnist_tracking.errors import AlreadyExistsError, MnistTrackingError
from mnist_tracking.experiments.submission import SubmittedTrial

MakeEstimator = Callable[..., Any]


@attrs.define
class Launch:
    """
    A trial and the job that trains it.

    SageMaker accepts the name of a trial once, and the trial is created with a tag that holds the name of its job. So
    of several programs that launch a trial of the same name, one creates it, and all of them use the same name for its
    job. SageMaker accepts that name once, too: any program that finds a trial without a job can start it. The name of a
    job is never used again, since jobs cannot be deleted.

    **Idempotence.** After an error, `claim` and `start` may be called again: they continue, and code that was uploaded
    is not uploaded again.

    Attributes:
        account: Where to create them.
        experiment: The experiment's name.
        trial_name: The trial's name.
        hyperparameters: The trial's hyperparameters.
        tags: The tags of the trial and its job.
        code: The provenance of the job's code.
        prepare: Called before the trial is created; returns the inputs of the job, in S3.
        make_estimator: Called with the keywords *job_name* and *is_first*: whether no other launch starts the job.
        attach_steps: Attaches the experiment's shared steps to the trial of that name.
        job_name: The job's name.
        has_started_job: Whether this launch has started the job for sure.
    """

    account: Account
    experiment: str
    trial_name: str
    hyperparameters: Mapping[str, ParameterValue]
    tags: Mapping[str, str]
    code: Mapping[str, Any]
    _prepare: Callable[[], Mapping[str, JobInput]] = attrs.field(alias="prepare")
    _make_estimator: MakeEstimator = attrs.field(alias="make_estimator")
    _attach_steps: Callable[[str], None] = attrs.field(alias="attach_steps")
    job_name: str = attrs.field(init=False)
    has_started_job: bool = attrs.field(init=False, default=False)
    _own_job_name: str = attrs.field(init=False)
    _estimator: Any = attrs.field(init=False)
    _inputs: Mapping[str, JobInput] = attrs.field(init=False, factory=dict)
    _is_ours: bool = attrs.field(init=False, default=False)
    _is_tagged: bool = attrs.field(init=False, default=False)

    def __attrs_post_init__(self) -> None:
        self.job_name = self._own_job_name = unique_name(self.trial_name, "training job")
        self._estimator = self._make_estimator(job_name=self.job_name)  # rejects what is wrong before anything is sent

    def submit(self) -> SubmittedTrial:
        """
        Create the trial and start its job; after any error or interrupt, take back what was created.

        Raises:
            AlreadyExistsError: If the name of the trial is taken.
        """
        try:
            if not self.claim():
                raise AlreadyExistsError("trial", self.trial_name)
            return self.start()
        except AlreadyExistsError:
            raise
        except BaseException as error:
            self.take_back(error)
            raise

    def claim(self) -> bool:
        """
        Create the trial, and return whether it is this launch that created it.

        Otherwise another launch of that name has created it, and ``job_name`` is the name that was chosen there.

        Raises:
            AlreadyExistsError: If the name of the trial is taken by a trial of another experiment, or by one that was
                not launched.
        """
        if self._is_ours:
            return True
        self._inputs = self._prepare()
        chosen = self._own_job_name
        try:
            create_trial(self.account, self.trial_name, self.experiment, {**self.tags, JOB_TAG: chosen}, self.code)
        except AlreadyExistsError:
            found = claimed_job(self.account, self.trial_name, self.experiment)
            if found is None:
                raise
            chosen = found
        self._is_ours = chosen == self._own_job_name
        if chosen != self.job_name:
            self.job_name, self._estimator = chosen, None
        return self._is_ours

    def start(self) -> SubmittedTrial:
        """Start the job of a trial that was claimed, unless another program has started it."""
        if self._estimator is None:
            self._estimator = self._make_estimator(job_name=self.job_name, is_first=self._is_ours)
        self._attach_steps(self.trial_name)
        self.has_started_job = start_job(
            self.account, self._estimator, job_name=self.job_name, trial_name=self.trial_name, inputs=self._inputs
        )
        self._is_tagged = tag_component(self.account, self.job_name, self.tags)
        return self.submitted

    @property
    def submitted(self) -> SubmittedTrial:
        """A handle to the job."""
        tags = self.tags if self._is_ours else None
        return SubmittedTrial(
            self.account, self.trial_name, self.experiment, self.job_name, tags=tags, is_tagged=self._is_tagged
        )

    def stop(self) -> None:
        """Stop the job, unless another launch has created the trial; nothing happens if it does not exist."""
        if self._is_ours:
            stop_job(self.account, self.job_name, INTERRUPTED)

    def take_back(self, error: BaseException) -> None:
        """Delete the trial, or stop its job if that was started; if this fails, it is noted on the error."""
        try:
            is_ours = self._is_ours or claimed_job(self.account, self.trial_name, self.experiment) == self._own_job_name
            if is_ours and not stop_job(self.account, self.job_name, INTERRUPTED):
                delete_trial(self.account, self.trial_name)
        except MnistTrackingError as second:
            error.add_note(f"The trial {self.trial_name!r} could not be deleted again: {second}")
