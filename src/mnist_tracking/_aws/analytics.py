"""The data frames of the SDK's ExperimentAnalytics."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from mnist_tracking._aws.account import Account
from mnist_tracking._aws.errors import translated
from mnist_tracking._aws.sdk import quiet
from mnist_tracking._aws.search import expression_of
from mnist_tracking._values.specs import Objective
from mnist_tracking._values.where import Filter

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = ("TrialComponentName", "DisplayName", "Trials", "Experiments")


def analytics_frame(account: Account, where: Iterable[Filter], objective: Objective | None = None) -> "pd.DataFrame":
    """
    Return the frame of ``ExperimentAnalytics``: best first with an objective, otherwise in order of creation.

    Where the SDK finds no components, its frame has no columns; this one has those that every component has.
    """
    import pandas as pd

    if objective is None:
        order: dict[str, Any] = {"sort_by": "CreationTime", "sort_order": "Ascending"}
    else:
        direction = "Descending" if objective.goal == "maximize" else "Ascending"
        order = {"sort_by": f"metrics.{objective.metric}.{objective.statistic}", "sort_order": direction}
    with quiet(), translated():
        from sagemaker.analytics import ExperimentAnalytics

        frame: pd.DataFrame = ExperimentAnalytics(
            sagemaker_session=account.sagemaker_session,
            search_expression=expression_of(where),
            **order,
        ).dataframe()
    return pd.DataFrame(columns=_COLUMNS) if frame.empty else frame
