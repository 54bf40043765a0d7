"""
Prices of instances, from a file that the user can replace, and what jobs cost at them.

The packaged prices were published in 2025 on https://aws.amazon.com/sagemaker/ai/pricing/ and in the price list of
AWS's own samples, https://github.com/aws-samples/foundation-model-benchmarking-tool
(``src/fmbench/configs/pricing.yml``); nobody has compared them with the AWS Price List since. Types whose prices differ
between sources are left out.
"""

import json
import math
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import attrs

from mnist_tracking._values.checks import check_mappings, check_path, check_string
from mnist_tracking._values.specs import JobSpec
from mnist_tracking._values.text import short_repr
from mnist_tracking.errors import ConfigError

__all__ = ["Prices", "default_prices"]

VARIABLE = "MNIST_TRACKING_PRICES"
"""The environment variable with the path of a file of prices."""

_PACKAGED = Path(__file__).with_name("prices.json")


def _checked(prices: Mapping[str, float]) -> Mapping[str, float]:
    check_mappings(usd_per_hour=prices)
    for name, price in prices.items():
        is_price = isinstance(price, int | float) and not isinstance(price, bool) and 0 <= price < math.inf
        if not is_price:
            raise ConfigError(
                f"The price of {name!r} is {short_repr(price)}; expected US dollars per hour, such as 0.23."
            )
    return dict(prices)


@attrs.frozen
class Prices:
    """
    What an hour of each instance type costs, and what jobs cost at these prices.

    They are list prices of on-demand training: discounts, storage and data transfer are not included; a spot job is
    billed for fewer seconds. The packaged prices, of common types in us-east-1, are a starting point: verify them, and
    pass your own, ``Workspace.aws(prices="prices.json")``, or name the file in the
    environment variable ``MNIST_TRACKING_PRICES``; it has the attributes of this class as the members of a JSON object.

    Attributes:
        region: The region they apply to.
        date: When they were collected, such as ``"2026-11-29"``.
        source: Where they come from.
        usd_per_hour: US dollars per hour of one instance, by instance type.

    Raises:
        ConfigError: If one of them is missing or not allowed.

    Example:
        >>> prices = Prices("eu-west-1", "2026-11-29", source="contract", usd_per_hour={"ml.m5.xlarge": 0.2})
        >>> prices.cost("ml.m5.xlarge", 2, 1800), prices.cost("ml.p5.48xlarge", 1, 60)
        (0.2, None)
        >>> print(prices)
        prices of eu-west-1, 2026-11-29 (contract)
    """

    region: str
    date: str
    source: str
    usd_per_hour: Mapping[str, float] = attrs.field(converter=_checked, hash=False)

    def __attrs_post_init__(self) -> None:
        for name, example in (("region", "us-east-1"), ("date", "2026-11-29"), ("source", "price list")):
            check_string(f"The {name} of prices", getattr(self, name), example)

    def __str__(self) -> str:
        return f"prices of {self.region}, {self.date} ({self.source})"

    @classmethod
    def of(cls, value: "Prices | str | os.PathLike[str] | Mapping[str, Any]") -> "Prices":
        """
        Return prices, given them, the path of a file, or the content of one.

        Raises:
            ConfigError: If the file cannot be read, or has no valid prices.
        """
        if isinstance(value, Prices):
            return value
        if isinstance(value, Mapping):
            return _from_content("prices", value)
        path = check_path("prices", value)
        try:
            content = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise ConfigError(f"The prices in {str(path)!r} cannot be read: {error}.") from None
        return _from_content(f"The file of prices {str(path)!r}", content)

    def cost(self, instance_type: str, instance_count: int, seconds: float) -> float | None:
        """Return what seconds of instances cost, in US dollars; None if the price of their type is not known."""
        price = self.usd_per_hour.get(instance_type)
        return None if price is None else price * instance_count * seconds / 3600

    def cost_of(self, job: JobSpec, seconds: float) -> float | None:
        """Return what seconds of a job would cost, in US dollars; None if the price of an instance is not known."""
        groups = job.estimator.get("instance_groups") or (job,)
        costs = [self.cost(group.instance_type, group.instance_count, seconds) for group in groups]
        known = [cost for cost in costs if cost is not None]
        return math.fsum(known) if len(known) == len(costs) else None


def _from_content(label: str, content: object) -> Prices:
    names = {field.name for field in attrs.fields(Prices)}
    if not isinstance(content, Mapping) or content.keys() != names:
        found = sorted(map(str, content)) if isinstance(content, Mapping) else short_repr(content)
        raise ConfigError(f"{label} has {found}; expected an object of {', '.join(sorted(names))}.")
    return Prices(**content)


@cache
def default_prices() -> Prices:
    """Return the packaged prices."""
    return Prices.of(_PACKAGED)
