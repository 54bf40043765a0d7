"""The data frames of the SDK's ExperimentAnalytics."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from mnist_tracking._aws.account import Account
from mnist_tracking._aws.errors import translated
from mnist_tracking._aws.sdk import quiet
from mnist_tracking._aws.search import expression_of, iter_search
from mnist_tracking._values.where import Filter

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = ("TrialComponentName", "DisplayName", "Trials", "Experiments")
Parents = Iterable[tuple[str, str]]


def analytics_frame(account: Account, components: Mapping[str, Parents], where: Iterable[Filter]) -> "pd.DataFrame":
    """
    Return the frame of ``ExperimentAnalytics`` with a row for each of some components, in their order.

    Without components, the SDK's frame has no columns; this one has those that every component has.

    Args:
        account: Where the components are.
        components: The trials that each belongs to, with their experiments, by the component's name.
        where: Filters that all of them match: Search returns many in one call. Those that it does not show, since it
            lags behind, are read one by one.
    """
    import pandas as pd

    client, expression = account.client("sagemaker"), expression_of(where)
    found = (item["TrialComponent"] for item in iter_search(client, "ExperimentTrialComponent", expression))
    shown = {item["TrialComponentName"]: item for item in (found if components else ())}
    every = [shown.get(name) or _described(client, name, parents) for name, parents in components.items()]
    with quiet(), translated():
        from sagemaker.analytics import ExperimentAnalytics

        analytics = ExperimentAnalytics(sagemaker_session=account.sagemaker_session, search_expression=expression)
        analytics._trial_components = every  # where it keeps what a search of its own would return
        frame: pd.DataFrame = analytics.dataframe()
    return pd.DataFrame(columns=_COLUMNS) if frame.empty else frame


def _described(client: Any, name: str, parents: Parents) -> dict[str, Any]:
    """Read a component in the form that Search would return."""
    with translated():
        found: dict[str, Any] = client.describe_trial_component(TrialComponentName=name)
    return {**found, "Parents": [{"TrialName": trial, "ExperimentName": experiment} for trial, experiment in parents]}
