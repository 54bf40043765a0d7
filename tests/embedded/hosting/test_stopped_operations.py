"""Each operation killed or interrupted at each place: nothing half-done stays, and the next look settles the rest."""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.hosting_account import ROLE, HostingAccount
from tests.support.places import Way, stopped
from tests.support.processes import until

from mnist_tracking.embedded.engine import EmbeddedSageMaker

Operation = Callable[[HostingAccount], Any]
WAYS: list[Way] = ["kill", "interrupt"]
TAGS = [{"Key": "team", "Value": "cv"}]


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostingAccount]:
    engine = EmbeddedSageMaker(tmp_path_factory.mktemp("home"))
    account = HostingAccount(engine)
    account.make_model()
    yield account
    account.delete_all()
    engine.close()


def create(account: HostingAccount) -> None:
    account.sagemaker.create_endpoint(EndpointName="digits", EndpointConfigName="digits", Tags=TAGS)


def delete(account: HostingAccount) -> None:
    account.sagemaker.delete_endpoint(EndpointName="digits")


def places(operation: Operation, account: HostingAccount, way: Way, before: Operation) -> Iterator[int]:
    """Yield the number of each place, while the operation is stopped there; count them."""
    number, has_more = 0, True
    while has_more:
        before(account)
        with stopped(lambda: operation(account), account.engine.home, number, way) as has_more:
            yield number
        number += 1
    assert number > 3


def names(account: HostingAccount) -> list[str]:
    """The endpoints, after a look at them."""
    return [endpoint["EndpointName"] for endpoint in account.sagemaker.list_endpoints()["Endpoints"]]


def is_settled(account: HostingAccount) -> bool:
    """Whether no endpoint is on its way to another status, and no killed process still holds a folder."""
    found = account.sagemaker.list_endpoints()["Endpoints"]
    return len(account.folders()) == len(found) and all(
        endpoint["EndpointStatus"] in ("InService", "Failed") for endpoint in found
    )


def assert_nothing_else(account: HostingAccount) -> None:
    """There are folders, tags and processes only of endpoints that exist."""
    with account.engine.store.read() as connection:
        rows = connection.execute("SELECT folder, arn FROM endpoints").fetchall()
        tagged = {row["arn"] for row in connection.execute("SELECT arn FROM tags")}
    assert account.folders() == sorted(row["folder"] for row in rows)
    assert tagged == {row["arn"] for row in rows}
    assert served(account.engine.home) <= {row["folder"] for row in rows}


def served(home: Path) -> set[str]:
    """The folders of the endpoints that any process serves."""
    begin = os.fsencode(f"SAGEMAKER_BASE_DIR={home}/endpoints/")
    found = set[str]()
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):  # it has just ended
            found |= {os.fsdecode(each) for each in path.read_bytes().split(b"\0") if each.startswith(begin)}
    return {each.removeprefix(os.fsdecode(begin)).removesuffix("/ml") for each in found}


@pytest.mark.parametrize("way", WAYS)
def test_creation_that_stops_is_finished_or_undone(account: HostingAccount, way: Way) -> None:
    for _ in places(create, account, way, before=lambda account: None):
        until(lambda: is_settled(account))
        assert_nothing_else(account)
        if names(account):
            delete(account)
        assert_nothing_else(account)
        assert names(account) == account.folders() == []


@pytest.mark.parametrize("way", WAYS)
def test_deletion_that_stops_is_finished(account: HostingAccount, way: Way) -> None:
    """Or was not begun."""
    for _ in places(delete, account, way, before=create):
        until(lambda: is_settled(account))
        assert_nothing_else(account)
        if names(account):
            delete(account)
        assert names(account) == account.folders() == []


VARIANT = {"VariantName": "v", "ModelName": "digits", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
REQUESTS: dict[str, dict[str, Any]] = {
    "model": {"ModelName": "other", "ExecutionRoleArn": ROLE, "PrimaryContainer": {"Image": "image"}},
    "endpoint_config": {"EndpointConfigName": "other", "ProductionVariants": [VARIANT]},
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", REQUESTS)
def test_models_and_configurations_are_there_with_their_tags_or_not_at_all(
    account: HostingAccount, way: Way, kind: str
) -> None:
    request = REQUESTS[kind]
    name = {key: value for key, value in request.items() if key.endswith("Name")}

    def make(account: HostingAccount) -> None:
        if not state()[0]:
            getattr(account.sagemaker, f"create_{kind}")(**request, Tags=TAGS)

    def remove(account: HostingAccount) -> None:
        if state()[0]:
            getattr(account.sagemaker, f"delete_{kind}")(**name)

    def state() -> tuple[bool, bool]:
        with account.engine.store.read() as connection:
            row = connection.execute(f"SELECT arn FROM {kind}s WHERE name = 'other'").fetchone()
            return row is not None, connection.execute("SELECT arn FROM tags").fetchone() is not None

    made = {state() for _ in places(make, account, way, before=remove)}
    removed = {state() for _ in places(remove, account, way, before=make)}
    remove(account)

    assert made == removed == {(False, False), (True, True)}
