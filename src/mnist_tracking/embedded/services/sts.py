"""STS: who is calling."""

from mnist_tracking.embedded.registry import Call, Response, serves


@serves("sts", "GetCallerIdentity")
def get_caller_identity(call: Call) -> Response:
    identity = call.context.identity
    return {"Account": identity.account_id, "Arn": identity.caller_arn, "UserId": "EMBEDDED:SageMaker"}
