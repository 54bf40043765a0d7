"""Reserved parameters of trial components: what this library has found out about a step."""

from collections.abc import Iterable, Mapping

from mnist_tracking._aws.account import Account
from mnist_tracking._aws.errors import translated
from mnist_tracking._values.records import ParameterValue


def mark(account: Account, component: str, values: Mapping[str, ParameterValue], removed: Iterable[str] = ()) -> None:
    """Set reserved parameters of a component, which are strings or true, and remove others."""
    with translated():
        account.client("sagemaker").update_trial_component(
            TrialComponentName=component,
            Parameters={name: {"StringValue": "true" if v is True else str(v)} for name, v in values.items()},
            ParametersToRemove=sorted(removed),
        )
