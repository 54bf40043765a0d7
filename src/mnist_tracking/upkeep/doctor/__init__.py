"""The doctor: whether an account, or an embedded SageMaker, is ready for use, and what is running there."""

from collections.abc import Callable, Iterator

from mnist_tracking._aws.account import Account
from mnist_tracking._aws.errors import is_denied
from mnist_tracking.errors import AccessDeniedError, MnistTrackingError, UnsupportedOperationError
from mnist_tracking.upkeep.doctor import readiness, running
from mnist_tracking.upkeep.doctor.diagnosis import Check, Diagnosis
from mnist_tracking.upkeep.doctor.readiness import execution_role_policy, minimal_policy

__all__ = ["Check", "Diagnosis", "diagnose", "execution_role_policy", "minimal_policy"]

_CHECKS: dict[str, Callable[[Account], Iterator[Check]]] = {
    "packages": readiness.check_packages,
    "credentials": readiness.check_credentials,
    "region": readiness.check_region,
    "role": readiness.check_role,
    "trust": readiness.check_trust,
    "PassRole": readiness.check_pass_role,
    "permissions": readiness.check_permissions,
    "bucket": readiness.check_bucket,
    "key": readiness.check_kms_key,
    "quotas": readiness.check_quotas,
    "running jobs": running.check_jobs,
    "endpoints": running.check_endpoints,
}


def diagnose(workspace: Account) -> Diagnosis:
    """
    Check whether a workspace is ready for use, and what is running there.

    Only reads: it creates nothing, not even the bucket. A check that fails does not stop the others. A check that the
    caller has no permission for, or that does not apply, is ``"skipped"``.

    Args:
        workspace: The workspace to check.

    Example:
        >>> from mnist_tracking.upkeep.doctor import diagnose
        >>> workspace = Workspace.embedded()
        >>> diagnose(workspace).is_healthy
        True
        >>> workspace.close()
    """
    return Diagnosis(tuple(found for name, check in _CHECKS.items() for found in _run(name, check(workspace))))


def _run(name: str, checks: Iterator[Check]) -> Iterator[Check]:
    try:
        yield from checks
    except UnsupportedOperationError as error:
        yield Check(name, "skipped", f"The embedded SageMaker does not have {error.service}:{error.operation}.")
    except AccessDeniedError as error:
        reason = f"No permission for {error.operation}." if is_denied(error) else "Needs credentials."
        yield Check(name, "skipped", reason)
    except MnistTrackingError as error:
        yield Check(name, "problem", str(error))
