"""
What is running in the account, no matter who started it, and what it costs per hour on AWS: an estimate.

The prices are the on-demand prices in us-east-1, in US dollars, published in 2025 on
https://aws.amazon.com/sagemaker/ai/pricing/ and in the price list of AWS's own samples,
https://github.com/aws-samples/foundation-model-benchmarking-tool (``src/fmbench/configs/pricing.yml``). Training and
hosting cost the same for these types. Storage, traffic, spot and savings plans are not included; other regions differ.
"""

from collections.abc import Iterator

from mnist_tracking._aws.account import Account
from mnist_tracking._aws.inspection import Running, running_endpoints, running_jobs
from mnist_tracking.upkeep.doctor.diagnosis import Check

_PRICED_IN = "us-east-1, 2025"
USD_PER_HOUR = {
    "ml.m5.large": 0.115,
    "ml.m5.xlarge": 0.23,
    "ml.m5.2xlarge": 0.461,
    "ml.m5.4xlarge": 0.922,
    "ml.c5.large": 0.102,
    "ml.c5.xlarge": 0.204,
    "ml.c5.2xlarge": 0.408,
    "ml.c5.4xlarge": 0.816,
    "ml.g4dn.xlarge": 0.7364,
    "ml.g4dn.2xlarge": 0.94,
    "ml.g4dn.4xlarge": 1.505,
    "ml.g4dn.8xlarge": 2.72,
    "ml.g4dn.12xlarge": 4.89,
    "ml.g5.xlarge": 1.408,
    "ml.g5.2xlarge": 1.515,
    "ml.g5.12xlarge": 7.09,
    "ml.g5.24xlarge": 10.18,
    "ml.g5.48xlarge": 20.36,
    "ml.p3.2xlarge": 3.825,
    "ml.p3.8xlarge": 14.688,
    "ml.p4d.24xlarge": 37.688,
}

_HOW_TO_END = {
    "endpoint": "mnist-tracking undeploy {name}, or workspace.endpoint({name!r}).delete()",
    "training job": "workspace.client('sagemaker').stop_training_job(TrainingJobName={name!r})",
    "warm pool": "workspace.client('sagemaker').update_training_job(TrainingJobName={name!r}, "
    "ResourceConfig={{'KeepAlivePeriodInSeconds': 0}})",
}


def check_jobs(account: Account) -> Iterator[Check]:
    """List the training jobs that are running, and the warm pools that ended jobs left."""
    yield from _checks("running jobs", list(running_jobs(account)), is_billed=account.is_billed)


def check_endpoints(account: Account) -> Iterator[Check]:
    """List the endpoints; each runs until it is deleted."""
    yield from _checks("endpoints", list(running_endpoints(account)), is_billed=account.is_billed)


def _checks(name: str, running: list[Running], *, is_billed: bool) -> Iterator[Check]:
    yield Check(name, "ok", _total(running, is_billed=is_billed) if running else "None.")
    for one in running:
        remedy = f"To end it: {_HOW_TO_END[one.kind].format(name=one.name)}"
        detail = _detail(one, is_billed=is_billed)
        yield Check(one.kind, "warning" if one.is_ours else "ok", detail, remedy if one.is_ours else "")


def _total(running: list[Running], *, is_billed: bool) -> str:
    if not is_billed:
        return f"{len(running)}, on this machine."
    prices = [_price(one) for one in running]
    known = [price for price in prices if price is not None]
    unknown = f", and {len(prices) - len(known)} of unknown price" if len(known) < len(prices) else ""
    return f"{len(running)}, about {sum(known):.2f} USD per hour{unknown} (estimated: on demand, {_PRICED_IN})."


def _detail(one: Running, *, is_billed: bool) -> str:
    price = _price(one)
    parts = [
        f"{one.name}: " + (" + ".join(f"{count} {kind}" for kind, count in one.instances) or "serverless"),
        *([f"{price:.2f} USD per hour" if price is not None else "price unknown"] if is_billed else []),
        f"since {one.since:%Y-%m-%d %H:%M}",
        "created by mnist-tracking" if one.is_ours else "created by others",
    ]
    return ", ".join(parts) + "."


def _price(one: Running) -> float | None:
    prices = [usd_per_hour(kind, count) for kind, count in one.instances]
    known = [price for price in prices if price is not None]
    return sum(known) if len(known) == len(prices) else None


def usd_per_hour(instance_type: str, count: int) -> float | None:
    """Return the price per hour of instances; None for a type that is not in the table."""
    price = USD_PER_HOUR.get(instance_type)
    return None if price is None else price * count
