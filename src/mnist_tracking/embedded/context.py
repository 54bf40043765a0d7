"""What the handlers of an embedded SageMaker use."""

from collections.abc import Callable, Mapping

import attrs

from mnist_tracking.embedded.identity import Identity
from mnist_tracking.embedded.jobs.resources import Machine
from mnist_tracking.embedded.lag import Lag, View
from mnist_tracking.embedded.store import Store
from mnist_tracking.embedded.timing import EngineTiming
from mnist_tracking.embedded.waiting import Waiter


@attrs.frozen(kw_only=True)
class Context:
    """
    One embedded SageMaker, as its handlers see it. Built by the engine; the same for all calls.

    Attributes:
        store: Its state: the database, and the contents of S3 objects.
        identity: Its account and region.
        python: The interpreter of new jobs and models.
        quotas: How many instances training jobs may use at once, by instance type.
        trial_quota: How many trials an experiment can have; None for any number.
        component_quota: How many components a trial can have; None for any number.
        machine: Returns what jobs may use of this machine.
        lag: Returns how late things appear.
        now: Returns the time in seconds since the epoch.
        sleep: Sleeps for a number of seconds.
        timing: How long to wait for things.
        disk_reserve_bytes: How much of the disk unpacking leaves free.
        unlinked: When a link of a resource was last removed, by its ARN; filled only if links are late.
    """

    store: Store
    identity: Identity
    python: str
    quotas: Mapping[str, int]
    trial_quota: int | None
    component_quota: int | None
    machine: Callable[[], Machine]
    lag: Callable[[], Lag]
    now: Callable[[], float]
    sleep: Callable[[float], None]
    timing: EngineTiming
    disk_reserve_bytes: int
    unlinked: dict[str, float] = attrs.field(factory=dict)

    @property
    def view(self) -> View:
        """What can be seen now."""
        return View(self.lag(), self.now())

    @property
    def waiter(self) -> Waiter:
        """What waits for processes to end."""
        return Waiter(self.now, self.sleep, self.timing.process_poll_s)
