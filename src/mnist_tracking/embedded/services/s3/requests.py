"""What requests on objects have in common: their key, body, headers, range and conditions."""

import io
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, BinaryIO
from urllib.parse import parse_qsl

from botocore.exceptions import HTTPClientError

from mnist_tracking.embedded.faults import AwsFault
from mnist_tracking.embedded.registry import Call, Params
from mnist_tracking.embedded.services.s3.buckets import require_bucket
from mnist_tracking.embedded.services.s3.checksums import checked
from mnist_tracking.embedded.store.blobs import Body
from mnist_tracking.embedded.store.contents import Content, ContentError
from mnist_tracking.embedded.store.objects import Guard, StoredObject, open_object
from mnist_tracking.embedded.times import as_seconds

CONTENT_HEADERS = ("ContentType", "ContentEncoding", "ContentDisposition", "ContentLanguage", "CacheControl")
STORAGE_HEADERS = ("ServerSideEncryption", "SSEKMSKeyId", "BucketKeyEnabled", "StorageClass", "WebsiteRedirectLocation")
ENCRYPTION = ("ServerSideEncryption", "SSEKMSKeyId", "BucketKeyEnabled")
_NOT_IMPLEMENTED = (
    "SSECustomerAlgorithm",
    "SSECustomerKey",
    "WriteOffsetBytes",
    "ObjectLockMode",
    "ObjectLockLegalHoldStatus",
)
_LONGEST_KEY = 1024
_MOST_TAGS = 10
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


class FilePart(io.RawIOBase):
    """The next bytes of an open file; closing it closes the file."""

    def __init__(self, file: Content, length: int) -> None:
        self._file = file
        self._left = length

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        data = self._file.read(self._left if size is None or size < 0 else min(size, self._left))
        self._left -= len(data)
        return data

    def readinto(self, buffer: Any, /) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()


class CallersBody(io.RawIOBase):
    """
    A file that the caller gave, to be read from its current position.

    An error of the caller's own file is one of botocore's, as when botocore reads it to send it.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        try:
            data: object = self._file.read(-1 if size is None else size)
            if isinstance(data, (bytes, bytearray)):
                return bytes(data)
            raise TypeError(f"read() returned {type(data).__name__}; expected bytes")
        except Exception as error:
            raise HTTPClientError(error=error) from error


def key_of(params: Params) -> str:
    """Return the key that a request writes to."""
    key: str = params["Key"]
    if len(key.encode()) > _LONGEST_KEY:
        raise AwsFault("Your key is too long", code="KeyTooLongError")
    return key


def body_of(params: Params) -> Body:
    """
    Return the content of a request: bytes, or a file to be read from its current position.

    Reading it to its end raises S3's error if it does not match the request's checksums.
    """
    body = params.get("Body", b"")
    if hasattr(body, "signal_transferring"):  # from now on, a transfer counts reads as progress
        body.signal_transferring()
    if isinstance(body, str):
        body = body.encode()
    return checked(body if isinstance(body, (bytes, bytearray)) else CallersBody(body), params)  # type: ignore[arg-type] # it is read like a BinaryIO


def headers_of(params: Params, names: tuple[str, ...] = CONTENT_HEADERS + STORAGE_HEADERS) -> dict[str, Any]:
    """Return the headers, metadata and tags of a request, which are returned when the object is read."""
    if unknown := [name for name in _NOT_IMPLEMENTED if name in params]:
        raise AwsFault(
            f"A header you provided implies functionality that is not implemented: {', '.join(unknown)}.",
            code="NotImplemented",
            status=501,
        )
    headers = {name: params[name] for name in names if params.get(name) is not None}
    if metadata := params.get("Metadata"):
        headers["Metadata"] = {name.lower(): value for name, value in metadata.items()}  # as HTTP headers compare
    if tagging := params.get("Tagging"):
        headers["Tagging"] = checked_tags(dict(parse_qsl(tagging, keep_blank_values=True)))
    return headers


def checked_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Return tags, or raise AWS's error if an object cannot have so many."""
    if len(tags) > _MOST_TAGS:
        raise AwsFault(f"Object tags cannot be greater than {_MOST_TAGS}", code="BadRequest")
    return dict(tags)


def encryption_of(headers: Mapping[str, Any]) -> dict[str, Any]:
    """Return the headers that the response to a write repeats."""
    return {name: headers[name] for name in ENCRYPTION if name in headers}


def require_found(call: Call, found: StoredObject | None, *, is_head: bool = False) -> StoredObject:
    """Return an object, or raise AWS's error if it or the requested version does not exist; no bucket has versions."""
    if found is None:
        if is_head:
            raise AwsFault("Not Found", code="404", status=404)
        raise AwsFault("The specified key does not exist.", code="NoSuchKey", status=404)
    if call.params.get("VersionId", "null") != "null":
        raise AwsFault("The specified version does not exist.", code="NoSuchVersion", status=404)
    return found


def open_found(call: Call, bucket: str, key: str) -> tuple[StoredObject, Content]:
    """Return an object and its open content, or raise AWS's error if it does not exist, or its content is lost."""
    with content_faults():
        opened = open_object(call.context.store, bucket, key)
    if opened is None:
        require_found(call, None)
        raise AssertionError("require_found raises")
    try:
        return require_found(call, opened[0]), opened[1]
    except AwsFault:
        opened[1].close()
        raise


@contextmanager
def content_faults() -> Iterator[None]:
    """Raise AWS's InternalError for a content that is lost or altered."""
    try:
        yield
    except ContentError as error:
        raise AwsFault(str(error), code="InternalError", status=500) from error


def check_read(params: Params, found: StoredObject, *, prefix: str = "", is_head: bool = False) -> None:
    """
    Check the conditions of a read, in the order of RFC 9110, 13.2.2.

    Args:
        params: The request.
        found: The object.
        prefix: The prefix of the names of its conditions.
        is_head: Whether the response has no body, and so no error code.
    """
    modified = int(found.modified)  # HTTP's dates are whole seconds
    if (wanted := params.get(f"{prefix}IfMatch")) is not None:
        is_met = _matches(wanted, found)
    else:
        unmodified_since = params.get(f"{prefix}IfUnmodifiedSince")
        is_met = unmodified_since is None or modified <= as_seconds(unmodified_since)
    if not is_met:
        raise precondition_failed(is_head=is_head)
    if (unwanted := params.get(f"{prefix}IfNoneMatch")) is not None:
        is_new = not _matches(unwanted, found)
    else:
        modified_since = params.get(f"{prefix}IfModifiedSince")
        is_new = modified_since is None or modified > as_seconds(modified_since)
    if not is_new:
        raise precondition_failed() if prefix else AwsFault("Not Modified", code="304", status=304)


def write_guard(call: Call) -> Guard:
    """Return the check of a conditional write: called in its transaction, so that one of two writers wins."""

    def check(old: StoredObject | None) -> None:
        require_bucket(call)
        if (wanted := call.params.get("IfMatch")) is not None and not _matches(wanted, require_found(call, old)):
            raise precondition_failed()
        if call.params.get("IfNoneMatch") is not None and old is not None:
            raise precondition_failed()

    return check


def precondition_failed(*, is_head: bool = False) -> AwsFault:
    """Build the error for a condition that does not hold."""
    message = "At least one of the pre-conditions you specified did not hold"
    return AwsFault(message, code="412" if is_head else "PreconditionFailed", status=412)


def _matches(condition: str, found: StoredObject) -> bool:
    return condition == "*" or condition.strip('"') == found.etag.strip('"')


def range_of(header: str | None, size: int) -> tuple[int, int] | None:
    """
    Return the start and end of a Range header, or None for the whole content: S3 ignores a malformed header.

    Raises:
        AwsFault: InvalidRange, if it starts after the end of the content.

    Example:
        >>> range_of("bytes=2-3", size=10), range_of("bytes=-4", size=10), range_of("bytes=8-99", size=10)
        ((2, 4), (6, 10), (8, 10))
    """
    match = _RANGE.fullmatch(header or "")
    if not match or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if first and last and int(last) < int(first):
        return None
    start = int(first) if first else size - min(size, int(last))
    if start >= size:
        raise AwsFault("The requested range is not satisfiable", code="InvalidRange", status=416)
    return start, min(size, int(last) + 1) if first and last else size
