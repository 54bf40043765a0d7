"""The doctor: whether an account, or a folder, is ready for work, and what is left running there."""

from collections.abc import Callable, Iterator

from mnist_tracking._aws.account import Account
from mnist_tracking.errors import AccessDeniedError, MnistTrackingError, UnsupportedOperationError
from mnist_tracking.upkeep.doctor import access, installation, limits, running
from mnist_tracking.upkeep.doctor.diagnosis import Check, Diagnosis
from mnist_tracking.upkeep.doctor.policy import minimal_policy

__all__ = ["Check", "Diagnosis", "diagnose", "minimal_policy"]

_CHECKS: dict[str, Callable[[Account], Iterator[Check]]] = {
    "packages": installation.check_packages,
    "credentials": access.check_credentials,
    "region": access.check_region,
    "role": access.check_role,
    "trust": access.check_trust,
    "PassRole": access.check_pass_role,
    "permissions": access.check_permissions,
    "bucket": access.check_bucket,
    "key": access.check_key,
    "quotas": limits.check_quotas,
    "running jobs": running.check_jobs,
    "endpoints": running.check_endpoints,
}
_FORBIDDEN = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation")


def diagnose(account: Account) -> Diagnosis:
    """
    Look whether a workspace is ready for work, and what runs there.

    Only reads: nothing is made, not even the bucket. A check that fails never hides the others; what the caller may not
    ask, or what is not there to be asked, is ``"skipped"``.

    Args:
        workspace: The account, or the folder, to look at.

    Example:
        >>> from mnist_tracking.upkeep.doctor import diagnose
        >>> workspace = Workspace.embedded()
        >>> diagnose(workspace).is_healthy
        True
        >>> workspace.close()
    """
    return Diagnosis(tuple(found for name, check in _CHECKS.items() for found in _examine(name, check(account))))


def _examine(name: str, checks: Iterator[Check]) -> Iterator[Check]:
    try:
        yield from checks
    except UnsupportedOperationError as error:
        yield Check(name, "skipped", f"The embedded SageMaker does not have {error.service}:{error.operation}.")
    except AccessDeniedError as error:
        reason = f"Not allowed to ask ({error.operation})." if error.code in _FORBIDDEN else "Needs credentials."
        yield Check(name, "skipped", reason)
    except MnistTrackingError as error:
        yield Check(name, "problem", str(error))
