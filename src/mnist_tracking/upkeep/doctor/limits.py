"""How many instances the account may use at once."""

from collections.abc import Iterator

from mnist_tracking._aws.account import Account
from mnist_tracking._aws.inspection import sagemaker_quotas
from mnist_tracking.upkeep.doctor.diagnosis import Check

LOOKED_AT = {  # by what they are used for: our default first, then what is often asked for
    "training job": ("ml.m5.xlarge", "ml.c5.xlarge", "ml.g4dn.xlarge", "ml.g5.xlarge", "ml.p3.2xlarge"),
    "endpoint": ("ml.m5.large", "ml.c5.xlarge", "ml.g4dn.xlarge", "ml.g5.xlarge"),
}


def check_quotas(account: Account) -> Iterator[Check]:
    """Look up the quotas of common instance types; a new account has none of many."""
    quotas = sagemaker_quotas(account)
    for use, types in LOOKED_AT.items():
        found = {kind: int(quotas.get(f"{kind} for {use} usage", 0)) for kind in types}
        detail = ", ".join(f"{kind} {most}" for kind, most in found.items()) + "."
        if found[types[0]]:
            yield Check(f"{use} quota", "ok", detail)
        else:
            remedy = (
                f"{types[0]} is what is taken unless said otherwise. Choose another, or ask Service Quotas for more."
            )
            yield Check(f"{use} quota", "warning", detail, remedy)
