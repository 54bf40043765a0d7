"""Prices of instances: the packaged ones, those in a file of the user's, and what jobs cost at them."""

import json
from pathlib import Path
from typing import Any

import attrs
import pytest

from mnist_tracking import ConfigError, JobSpec, Workspace
from mnist_tracking._aws.sdk import quiet
from mnist_tracking._values.prices import Prices, default_prices

GIVEN = {"region": "eu-west-1", "date": "2026-11-01", "source": "contract", "usd_per_hour": {"ml.m5.xlarge": 0.36}}


def test_the_default_prices_show_their_region_and_date() -> None:
    prices = default_prices()

    assert (prices.region, prices.usd_per_hour["ml.m5.xlarge"]) == ("us-east-1", 0.23)
    assert str(prices).startswith(f"prices of us-east-1, {prices.date} (")


def test_a_cost_is_for_all_instances_and_unknown_without_a_price() -> None:
    prices = Prices.of(GIVEN)

    assert prices.cost("ml.m5.xlarge", 2, 100) == pytest.approx(0.02, abs=1e-12)
    assert prices.cost("ml.p5.48xlarge", 1, 100) is None
    assert prices.cost("ml.m5.xlarge, ml.c5.xlarge", 2, 100) is None


def test_the_cost_of_a_job_includes_each_group_of_its_instances(tmp_path: Path) -> None:
    with quiet():
        from sagemaker.instance_group import InstanceGroup

    (tmp_path / "train.py").write_text("")
    prices = attrs.evolve(Prices.of(GIVEN), usd_per_hour={"ml.m5.xlarge": 1.0, "ml.g5.xlarge": 10.0})

    def groups(*types: str) -> JobSpec:
        listed = [InstanceGroup(f"g{place}", kind, 2) for place, kind in enumerate(types)]
        return JobSpec(str(tmp_path / "train.py"), estimator={"instance_groups": listed})

    assert prices.cost_of(JobSpec(str(tmp_path / "train.py"), instance_count=3), 1800) == 1.5
    assert prices.cost_of(groups("ml.m5.xlarge", "ml.g5.xlarge"), 3600) == 22.0
    assert prices.cost_of(groups("ml.m5.xlarge", "ml.p5.48xlarge"), 3600) is None


def test_prices_come_from_the_argument_then_the_environment_then_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = tmp_path / "ours.json", tmp_path / "theirs.json"
    ours.write_text(json.dumps(GIVEN))
    theirs.write_text(json.dumps({**GIVEN, "region": "sa-east-1"}))

    with Workspace.embedded(tmp_path / "home") as workspace:
        assert workspace.prices.region == "us-east-1"
    monkeypatch.setenv("MNIST_TRACKING_PRICES", str(theirs))
    with Workspace.embedded(tmp_path / "home") as workspace:
        assert workspace.prices.region == "sa-east-1"
    with Workspace.embedded(tmp_path / "home", prices=ours) as workspace:
        assert workspace.prices == Prices.of(GIVEN)
        again = workspace._again() if workspace._again else None
    assert again is not None
    assert again.prices == Prices.of(GIVEN)
    again.close()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            {**GIVEN, "usd_per_hour": {"ml.m5.xlarge": -1}},
            "price of 'ml.m5.xlarge' is -1; expected US dollars per hour",
        ),
        ({**GIVEN, "usd_per_hour": {"ml.m5.xlarge": "1"}}, "price of 'ml.m5.xlarge' is '1'"),
        ({**GIVEN, "usd_per_hour": {"ml.m5.xlarge": True}}, "price of 'ml.m5.xlarge' is True"),
        ({**GIVEN, "usd_per_hour": 3}, "expected a mapping"),
        ({**GIVEN, "date": ""}, "date of prices"),
        ({"region": "x"}, r"has \['region'\]; expected an object of date, region, source, usd_per_hour"),
        ([1], r"has \[1\]; expected an object"),
    ],
)
def test_prices_that_are_not_prices_are_rejected(content: Any, message: str, tmp_path: Path) -> None:
    path = tmp_path / "prices.json"
    path.write_text(json.dumps(content))

    with pytest.raises(ConfigError, match=message):
        Workspace.embedded(tmp_path / "home", prices=path)
    assert not (tmp_path / "home").exists()


def test_a_file_of_prices_that_cannot_be_read_is_named_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MNIST_TRACKING_PRICES", str(tmp_path / "none.json"))
    with pytest.raises(ConfigError, match=r"The prices in '.*none.json' cannot be read"):
        Workspace.embedded(tmp_path / "home")
    assert not (tmp_path / "home").exists()
    with pytest.raises(ConfigError, match=r"The prices in '.*none.json' cannot be read"):
        Prices.of(tmp_path / "none.json")
