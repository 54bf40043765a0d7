"""SageMaker refuses to delete an endpoint that is still being made or changed; it is deleted all the same."""

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mnist_tracking import BestModelDeployer, ExperimentRunner, JobTimeoutError, ServiceError, StateError, Workspace
from mnist_tracking._aws.endpoints import delete_endpoint
from mnist_tracking.embedded import EmbeddedSageMaker, Fault

IN_PROGRESS = 'Cannot update in-progress endpoint "arn:aws:sagemaker:us-east-1:000000000000:endpoint/mine".'
LOADING = "import threading\nthreading.Event().wait()\n"


def refused(times: int | None) -> Fault:
    return Fault("ValidationException", operation="DeleteEndpoint", message=IN_PROGRESS, times=times)


@pytest.fixture(autouse=True)
def _no_endpoint_stays(engine: EmbeddedSageMaker) -> Iterator[None]:
    yield
    for endpoint in engine.session().client("sagemaker").list_endpoints()["Endpoints"]:
        engine.session().client("sagemaker").delete_endpoint(EndpointName=endpoint["EndpointName"])


@pytest.fixture
def trial(workspace: Workspace, tmp_path: Path) -> str:
    """The name of a trial whose model never finishes loading."""
    script = tmp_path / "loading.py"
    script.write_text(LOADING)
    with ExperimentRunner(workspace, "churn").trial(name="slow") as local:
        local.log_model(script, entry_point=script)
    return local.name


def left(workspace: Workspace) -> list[list[Any]]:
    client = workspace.client("sagemaker")
    return [
        client.list_endpoints()["Endpoints"],
        client.list_endpoint_configs()["EndpointConfigs"],
        client.list_models()["Models"],
    ]


def test_what_took_too_long_is_deleted_once_sagemaker_lets_it(
    engine: EmbeddedSageMaker, workspace: Workspace, trial: str
) -> None:
    with engine.inject(refused(times=2)) as injection, pytest.raises(JobTimeoutError, match="It was deleted again"):
        BestModelDeployer(workspace).deploy(trial, timeout_s=0)

    assert injection.failures == 2
    assert left(workspace) == [[], [], []]


def test_leaving_the_block_early_deletes_it_once_sagemaker_lets_it(
    engine: EmbeddedSageMaker, workspace: Workspace, trial: str
) -> None:
    with engine.inject(refused(times=2)), BestModelDeployer(workspace).deploy(trial, wait=False):
        pass

    assert left(workspace) == [[], [], []]


def test_what_sagemaker_never_lets_go_is_named_and_kept_whole(
    engine: EmbeddedSageMaker, workspace: Workspace, trial: str
) -> None:
    """So that deleting it later finds the configuration and the model as well."""
    endpoint = BestModelDeployer(workspace).deploy(trial, name="mine", wait=False)
    with engine.inject(refused(times=None)), pytest.raises(StateError, match="cannot be deleted yet") as caught:
        delete_endpoint(workspace, "mine", within_s=0)

    assert (caught.value.kind, caught.value.name) == ("endpoint", "mine")
    assert all(left(workspace))
    endpoint.delete()
    assert left(workspace) == [[], [], []]


def test_an_interrupt_while_it_waits_says_what_stays(
    engine: EmbeddedSageMaker, workspace: Workspace, trial: str
) -> None:
    endpoint = BestModelDeployer(workspace).deploy(trial, name="mine", wait=False)

    def interrupt(**_: object) -> None:
        signal.raise_signal(signal.SIGINT)

    workspace.client("sagemaker").meta.events.register("after-call.sagemaker.DeleteEndpoint", interrupt)
    with engine.inject(refused(times=None)), pytest.raises(KeyboardInterrupt) as caught:
        endpoint.delete()

    assert caught.value.__notes__ == [
        "The endpoint 'mine' may still exist; workspace.endpoint('mine').delete() deletes it."
    ]


def test_another_refusal_is_not_waited_out(engine: EmbeddedSageMaker, workspace: Workspace, trial: str) -> None:
    endpoint = BestModelDeployer(workspace).deploy(trial, name="mine", wait=False)
    with (
        engine.inject(Fault("AccessDeniedException", operation="DeleteEndpoint", times=None)) as injection,
        pytest.raises(ServiceError, match="not authorized"),
    ):
        endpoint.delete()

    assert injection.failures == 1
