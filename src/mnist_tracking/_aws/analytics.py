"""The exact frames of the SDK's ExperimentAnalytics."""

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


def analytics_frame(
    account: Account,
    where: Iterable[Filter],
    objective: Objective | None = None,
) -> "pd.DataFrame":
    """
    Return what ``ExperimentAnalytics`` gives: by an objective, best first, or else in order of creation.

    Of nothing it gives a frame without columns; this has those of every component.
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
