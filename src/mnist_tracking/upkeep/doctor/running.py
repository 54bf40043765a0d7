"""What runs in the account and what it costs an hour, whoever started it."""

from collections.abc import Iterator

from mnist_tracking._aws.account import Account
from mnist_tracking._aws.inspection import Running, running_endpoints, running_jobs
from mnist_tracking.upkeep.doctor.diagnosis import Check
from mnist_tracking.upkeep.doctor.prices import PRICED_IN, usd_per_hour

_END = {
    "endpoint": "mnist-tracking undeploy {name}, or workspace.endpoint({name!r}).delete()",
    "training job": "workspace.client('sagemaker').stop_training_job(TrainingJobName={name!r})",
    "warm pool": "workspace.client('sagemaker').update_training_job(TrainingJobName={name!r}, "
    "ResourceConfig={{'KeepAlivePeriodInSeconds': 0}})",
}


def check_jobs(account: Account) -> Iterator[Check]:
    """Look for training jobs that run and warm pools that wait."""
    yield from _checks("running jobs", list(running_jobs(account)))


def check_endpoints(account: Account) -> Iterator[Check]:
    """Look for endpoints; each costs until it is deleted."""
    yield from _checks("endpoints", list(running_endpoints(account)))


def _checks(name: str, running: list[Running]) -> Iterator[Check]:
    yield Check(name, "ok", _total(running) if running else "None.")
    for one in running:
        remedy = f"To end it: {_END[one.kind].format(name=one.name)}"
        yield Check(one.kind, "warning" if one.is_ours else "ok", _describe(one), remedy if one.is_ours else "")


def _describe(one: Running) -> str:
    price = _price(one)
    parts = [
        f"{one.name}: " + (" + ".join(f"{count} {kind}" for kind, count in one.instances) or "serverless"),
        f"{price:.2f} USD an hour" if price is not None else "price unknown",
        f"since {one.since:%Y-%m-%d %H:%M}",
        "made by mnist-tracking" if one.is_ours else "made by others",
    ]
    return ", ".join(parts) + "."


def _price(one: Running) -> float | None:
    prices = [usd_per_hour(kind, count) for kind, count in one.instances]
    known = [price for price in prices if price is not None]
    return sum(known) if len(known) == len(prices) else None


def _total(running: list[Running]) -> str:
    prices = [_price(one) for one in running]
    known = [price for price in prices if price is not None]
    unknown = f", and {len(prices) - len(known)} of unknown price" if len(known) < len(prices) else ""
    return f"{len(running)}, about {sum(known):.2f} USD an hour{unknown} (estimated: on demand, {PRICED_IN})."
