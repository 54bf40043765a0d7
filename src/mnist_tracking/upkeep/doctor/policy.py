"""The policy that whoever calls this library needs."""

from mnist_tracking._aws import permissions
from mnist_tracking._aws.account import Account
from mnist_tracking._aws.inspection import describe_account
from mnist_tracking.errors import ConfigError


def minimal_policy(account: Account) -> dict[str, object]:
    """
    Return the smallest IAM policy that allows what this library calls, as a dictionary for ``json.dumps``.

    It is for whoever runs this library, not for the role that jobs run under. It is made from the list of the calls,
    and limited to the workspace's account, region, bucket, prefix, key and role. The statement ``CreateBucket`` may be
    left out once there is a bucket; ``DoctorLists`` and ``DoctorSimulates`` may be too, since only `diagnose` needs
    them. Makes and changes nothing.

    Args:
        account: Whose account, bucket and role. If it knows no role, the policy says ``THE-ROLE-OF-YOUR-JOBS``.

    Raises:
        AccessDeniedError: If there are no credentials that tell the account.

    Example:
        >>> from mnist_tracking.upkeep.doctor import minimal_policy
        >>> workspace = Workspace.embedded()
        >>> sorted(minimal_policy(workspace))
        ['Statement', 'Version']
        >>> workspace.close()
    """
    try:
        scope = describe_account(account, account.role)
    except ConfigError:
        scope = describe_account(account, None)
    return permissions.minimal_policy(scope)
