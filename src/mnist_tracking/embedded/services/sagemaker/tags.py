"""Tags of any resource, by its ARN."""

import sqlite3
from collections.abc import Iterable, Mapping

from mnist_tracking.embedded.faults import ValidationFault
from mnist_tracking.embedded.registry import Call, Response, serves
from mnist_tracking.embedded.services.resources import has_arn

MAX_TAGS = 50


def put_tags(connection: sqlite3.Connection, arn: str, tags: Iterable[Mapping[str, str]] | None) -> None:
    """Set tags (``{"Key": ..., "Value": ...}``) on a resource, inside the caller's transaction."""
    connection.executemany(
        "INSERT INTO tags VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
        [(arn, tag["Key"], tag["Value"]) for tag in tags or ()],
    )


def read_tags(connection: sqlite3.Connection, arn: str) -> list[dict[str, str]]:
    """Return a resource's tags, sorted by key."""
    rows = connection.execute("SELECT key, value FROM tags WHERE arn = ? ORDER BY key", (arn,))
    return [{"Key": row["key"], "Value": row["value"]} for row in rows]


def remove_all_tags(connection: sqlite3.Connection, arn: str) -> None:
    """Remove all tags of a resource."""
    connection.execute("DELETE FROM tags WHERE arn = ?", (arn,))


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
    arn = call.params["ResourceArn"]
    with call.context.store.write() as connection:
        connection.executemany(
            "DELETE FROM tags WHERE arn = ? AND key = ?", [(arn, key) for key in call.params["TagKeys"]]
        )
    return {}
