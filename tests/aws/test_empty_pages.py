"""A page may be empty before the last one, as AWS documents for CloudWatch Logs; no listing ends with it."""

from collections.abc import Callable
from typing import Any

import attrs
import pytest
from botocore.loaders import create_loader

from mnist_tracking import Leaderboard, LineageTracer, Workspace
from mnist_tracking._aws.experiments import experiment_names_of, trial_arns
from mnist_tracking._aws.tags import tags_of
from mnist_tracking.embedded.registry import OPERATIONS, Call, Handler

AGAIN = "again:"


def with_empty_pages(handler: Handler, result: str) -> Handler:
    """Return an empty page before each page of a list operation."""

    def answer(call: Call) -> dict[str, Any]:
        token = call.params.get("NextToken", "")
        if not token.startswith(AGAIN):
            return {result: [], "NextToken": AGAIN + token}
        token = token.removeprefix(AGAIN)
        rest = {name: value for name, value in call.params.items() if name != "NextToken"}
        return handler(attrs.evolve(call, params={**rest, **({"NextToken": token} if token else {})}))

    return answer


def everything(workspace: Workspace) -> dict[str, object]:
    """What the library reads from lists."""
    trial = next(iter(workspace.trials("one")))
    arn = workspace.client("sagemaker").describe_experiment(ExperimentName="one")["ExperimentArn"]
    return {
        "experiments": [found.name for found in workspace.experiments()],
        "trials": [found.name for found in workspace.trials()],
        "steps": [found.name for found in workspace.components("one")],
        "steps of a trial": [step.name for step in workspace.trial(trial.name).steps],
        "leaderboard": [found.name for found in Leaderboard.load(workspace, "one", objective="accuracy")],
        "lineage": len(LineageTracer(workspace).trace(trial).nodes),
        "names": experiment_names_of(workspace),
        "ARNs": list(trial_arns(workspace, "one")),
        "tags": tags_of(workspace, arn),
        "plan": sorted(item.name for item in workspace.cleanup_plan("one").to_delete),
    }


@pytest.fixture
def interspersed(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Puts empty pages into every list of SageMaker's."""

    def start() -> None:
        pages = create_loader().load_service_model("sagemaker", "paginators-1")["pagination"]
        for (service, operation), handler in list(OPERATIONS.items()):
            if service == "sagemaker" and operation in pages:
                result = pages[operation]["result_key"]
                monkeypatch.setitem(OPERATIONS, (service, operation), with_empty_pages(handler, result))

    return start


def test_empty_pages_end_no_listing(filled: Workspace, interspersed: Callable[[], None]) -> None:
    expected = everything(filled)
    interspersed()

    assert everything(filled) == expected
