"""IAM: the roles of the embedded account, all of which SageMaker may assume."""

import json
from datetime import UTC, datetime
from urllib.parse import quote

from mnist_tracking.embedded.faults import AwsFault
from mnist_tracking.embedded.registry import Call, Response, serves

_SAGEMAKER_MAY_ASSUME_IT = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


@serves("iam", "GetRole")
def get_role(call: Call) -> Response:
    """Describe a role. By default every role exists; with ``roles`` of the engine, only those and its own."""
    name, identity = call.params["RoleName"], call.context.identity
    if not identity.has_role(name):
        raise AwsFault(f"The role with name {name} cannot be found.", code="NoSuchEntity", status=404)
    role = {
        "Path": "/",
        "RoleName": name,
        "RoleId": "AROAEMBEDDEDSAGEMAKER",
        "Arn": identity.role_arn(name),
        "CreateDate": datetime(2026, 1, 1, tzinfo=UTC),
        "AssumeRolePolicyDocument": quote(json.dumps(_SAGEMAKER_MAY_ASSUME_IT)),  # IAM sends it URL-encoded
    }
    return {"Role": role}
