"""A process's place among several, from SageMaker's or torchrun's settings."""

import pytest

from mnist_tracking.errors import ConfigError
from mnist_tracking.training.membership import Membership, find_membership

TWO = '["algo-1", "algo-2"]'
RUN = {"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "MASTER_ADDR": "::1", "MASTER_PORT": "29400"}


def found(hosts: str = "[]", current: str | None = None, **environment: str) -> Membership | None:
    return find_membership(hosts=hosts, current_host=current, environment=environment)


def test_one_process_is_alone() -> None:
    assert found() is None
    assert found('["algo-1"]', "algo-1") is None
    assert found(TWO, "algo-2", RANK="0", WORLD_SIZE="1") is None


def test_torchrun_takes_precedence_over_sagemaker() -> None:
    here = found(TWO, "algo-2", **RUN)

    assert here == Membership(rank=3, size=4, local_rank=1, host="::1", port=29400)
    assert here is not None
    assert here.place == "[::1]:29400"


@pytest.mark.parametrize(("current", "rank"), [("algo-1", 1), ("algo-2", 0)])
def test_the_master_host_has_rank_0(current: str, rank: int) -> None:
    """Whatever its place in the list."""
    here = found(TWO, current, MASTER_ADDR="algo-2", MASTER_PORT="7777")

    assert here is not None
    assert (here.rank, here.host) == (rank, "algo-2")


@pytest.mark.parametrize(
    ("hosts", "current", "environment", "message"),
    [
        (TWO, "algo-3", {}, "The current host 'algo-3' is not one of the hosts"),
        (TWO, None, {}, "The current host None is not one of the hosts"),
        ('["a", "a"]', "a", {}, "contains a duplicate name"),
        ("[1, 2]", "1", {}, "is not a JSON list of strings"),
        ("[]", None, {**RUN, "RANK": "4"}, "RANK='4'; expected a whole number in 0..3"),
        ("[]", None, {**RUN, "WORLD_SIZE": "many"}, "WORLD_SIZE='many'; expected a whole number at least 1"),
        ("[]", None, {**RUN, "LOCAL_RANK": "-1"}, "LOCAL_RANK='-1'; expected a whole number in 0..3"),
        ("[]", None, {**RUN, "MASTER_PORT": "0"}, "MASTER_PORT='0'; expected a whole number in 1..65535"),
    ],
)
def test_invalid_settings_are_rejected(
    hosts: str, current: str | None, environment: dict[str, str], message: str
) -> None:
    with pytest.raises(ConfigError) as error:
        found(hosts, current, **environment)

    assert message in str(error.value)
