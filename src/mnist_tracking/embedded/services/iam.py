"""IAM: the one role there is."""

from datetime import UTC, datetime

from mnist_tracking.embedded.faults import AwsFault
from mnist_tracking.embedded.registry import Call, Response, serves


@serves("iam", "GetRole")
def get_role(call: Call) -> Response:
    name, identity = call.params["RoleName"], call.engine.identity
    if name != identity.role_name:
        raise AwsFault(f"The role with name {name} cannot be found.", code="NoSuchEntity", status=404)
    role = {
        "Path": "/",
        "RoleName": name,
        "RoleId": "AROAEMBEDDEDSAGEMAKER",
        "Arn": identity.role_arn,
        "CreateDate": datetime(2026, 1, 1, tzinfo=UTC),
    }
    return {"Role": role}
