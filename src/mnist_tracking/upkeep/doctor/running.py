"""
What is running in the account, no matter who started it, and what it costs per hour on AWS: an estimate.

The prices are those of the workspace: see `mnist_tracking.types.Prices`. Training and hosting cost the same for most
types. Storage, traffic, spot and savings plans are not included.
"""

from collections.abc import Iterator

from mnist_tracking._aws.account import Account
from mnist_tracking._aws.inspection import Running, running_endpoints, running_jobs
from mnist_tracking.upkeep.doctor.diagnosis import Check

_HOW_TO_END = {
    "endpoint": "mnist-tracking undeploy {name}, or workspace.endpoint({name!r}).delete()",
    "training job": "workspace.client('sagemaker').stop_training_job(TrainingJobName={name!r})",
    "warm pool": "workspace.client('sagemaker').update_training_job(TrainingJobName={name!r}, "
    "ResourceConfig={{'KeepAlivePeriodInSeconds': 0}})",
}


def check_jobs(account: Account) -> Iterator[Check]:
    """List the training jobs that are running, and the warm pools that ended jobs left."""
    yield from _checks(account, "running jobs", list(running_jobs(account)))


def check_endpoints(account: Account) -> Iterator[Check]:
    """List the endpoints; each runs until it is deleted."""
    yield from _checks(account, "endpoints", list(running_endpoints(account)))


def _checks(account: Account, name: str, running: list[Running]) -> Iterator[Check]:
    yield Check(name, "ok", _total(account, running) if running else "None.")
    for one in running:
        remedy = f"To end it: {_HOW_TO_END[one.kind].format(name=one.name)}"
        detail = _detail(account, one)
        yield Check(one.kind, "warning" if one.is_ours else "ok", detail, remedy if one.is_ours else "")


def _total(account: Account, running: list[Running]) -> str:
    if not account.is_billed:
        return f"{len(running)}, on this machine."
    prices = [_price(account, one) for one in running]
    known = [price for price in prices if price is not None]
    unknown = f", and {len(prices) - len(known)} of unknown price" if len(known) < len(prices) else ""
    return f"{len(running)}, about {sum(known):.2f} USD per hour{unknown} (estimated: {account.prices})."


def _detail(account: Account, one: Running) -> str:
    price = _price(account, one)
    parts = [
        f"{one.name}: " + (" + ".join(f"{count} {kind}" for kind, count in one.instances) or "serverless"),
        *([f"{price:.2f} USD per hour" if price is not None else "price unknown"] if account.is_billed else []),
        f"since {one.since:%Y-%m-%d %H:%M}",
        "created by mnist-tracking" if one.is_ours else "created by others",
    ]
    return ", ".join(parts) + "."


def _price(account: Account, one: Running) -> float | None:
    """Return the price per hour of what is running; None if the price of an instance is not known."""
    prices = [account.prices.cost(kind, count, 3600) for kind, count in one.instances]
    known = [price for price in prices if price is not None]
    return sum(known) if len(known) == len(prices) else None
