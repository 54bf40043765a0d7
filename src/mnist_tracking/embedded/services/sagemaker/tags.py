"""Tags of any resource, by its ARN."""

from mnist_tracking.embedded.faults import ValidationFault
from mnist_tracking.embedded.registry import Call, Response, serves
from mnist_tracking.embedded.store.tags import has_arn, put_tags, read_tags, remove_tags

MAX_TAGS = 50


@serves("sagemaker", "AddTags")
def add_tags(call: Call) -> Response:
    arn = call.params["ResourceArn"]
    with call.context.store.write() as connection:
        if not has_arn(connection, arn):  # as aws/amazon-sagemaker-feedback, issue 108
            raise ValidationFault(f"Could not find resource {arn}.")
        put_tags(connection, arn, call.params["Tags"])
        tags = read_tags(connection, arn)
        if len(tags) > MAX_TAGS:
            raise ValidationFault(
                f"A resource can have at most {MAX_TAGS} tags; with this request it would have {len(tags)}."
            )
    return {"Tags": tags}


@serves("sagemaker", "ListTags")
def list_tags(call: Call) -> Response:
    with call.context.store.read() as connection:
        return {"Tags": read_tags(connection, call.params["ResourceArn"])}


@serves("sagemaker", "DeleteTags")
def delete_tags(call: Call) -> Response:
    with call.context.store.write() as connection:
        remove_tags(connection, call.params["ResourceArn"], call.params["TagKeys"])
    return {}
