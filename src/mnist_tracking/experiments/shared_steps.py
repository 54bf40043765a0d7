"""The steps of an experiment that all its later trials share."""

from collections.abc import Iterator
from contextlib import contextmanager

from mnist_tracking._aws.account import Account
from mnist_tracking._aws.convert import EXPERIMENT_TAG
from mnist_tracking._aws.experiments import attach, read_component
from mnist_tracking._aws.search import iter_components
from mnist_tracking._values.records import Component
from mnist_tracking._values.shared import latest_good

__all__ = ["SharedSteps"]


class SharedSteps:
    """
    The latest good step of each name that was recorded without a trial.

    Steps recorded earlier are found by Search, which may miss what another program recorded seconds ago.

    Args:
        account: Where the experiment is.
        experiment: Its name.

    Attributes:
        earlier: The steps that were recorded earlier, in order of creation.
    """

    def __init__(self, account: Account, experiment: str) -> None:
        self._account = account
        client = account.client("sagemaker")
        self.earlier = tuple(iter_components(client, **{f"Tags.{EXPERIMENT_TAG}": experiment}))
        self._shared = {component: step for step, component in latest_good(self.earlier).items()}

    @contextmanager
    def adding(self, step: str, component: str) -> Iterator[None]:
        """Share a step with later trials, in place of an earlier one of that name, unless the block fails."""
        self._shared[component] = step
        try:
            yield
        except BaseException:
            del self._shared[component]
            raise

    def _latest(self) -> dict[str, str]:
        """Return the latest component of each step, by the step's name."""
        return {step: component for component, step in list(self._shared.items())}  # other threads may be adding

    def __len__(self) -> int:
        return len(self._latest())

    def attach_to(self, trial: str) -> None:
        """Attach all of them to a trial."""
        for component in self._latest().values():
            attach(self._account, trial, component)

    def find(self, name: str) -> Component | None:
        """Return the shared step of that name; read directly if it is new, since Search lags behind."""
        component = self._latest().get(name)
        if component is None:
            return None
        known = next((step for step in self.earlier if step.name == component), None)
        return known or read_component(self._account, component)
