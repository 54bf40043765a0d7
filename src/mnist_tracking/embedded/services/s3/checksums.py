"""The checksums of a request: rejected, as by S3, if they do not match its content."""

import base64
import binascii
import hashlib
import io
import zlib
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Protocol

from mnist_tracking.embedded.faults import AwsFault
from mnist_tracking.embedded.registry import Params
from mnist_tracking.embedded.store.blobs import Body, Readable

_PREFIX = "Checksum"
_NOT_SUMS = ("ChecksumAlgorithm", "ChecksumType", "ChecksumMode")


class _Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...
    def digest(self) -> bytes: ...


class _Crc:
    """A cyclic redundancy check of reflected bits, with all bits set at the start and inverted at the end."""

    def __init__(self, size: int, step: Callable[[bytes, int], int]) -> None:
        self._size, self._step = size, step
        self._value = 0

    def update(self, data: bytes, /) -> None:
        self._value = self._step(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._size, "big")


@cache
def _table(polynomial: int) -> list[int]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (polynomial if value & 1 else 0)  # noqa: PLW2901 - one bit after another
        table.append(value)
    return table


def _stepper(size: int, polynomial: int) -> Callable[[bytes, int], int]:
    ones = (1 << 8 * size) - 1

    def step(data: bytes, value: int) -> int:
        table, value = _table(polynomial), value ^ ones
        for byte in data:
            value = table[(value ^ byte) & 0xFF] ^ value >> 8
        return value ^ ones

    return step


_ALGORITHMS: Mapping[str, Callable[[], _Hash]] = {
    "CRC32": lambda: _Crc(4, zlib.crc32),
    "CRC32C": lambda: _Crc(4, _stepper(4, 0x82F63B78)),
    "CRC64NVME": lambda: _Crc(8, _stepper(8, 0x9A6C9329AC4BC9B5)),
    "MD5": lambda: hashlib.md5(usedforsecurity=False),
    "SHA1": lambda: hashlib.sha1(usedforsecurity=False),
    "SHA256": hashlib.sha256,
    "SHA512": hashlib.sha512,
}


class CheckedBody(io.RawIOBase):
    """A content that raises S3's error at its end if a checksum does not match."""

    def __init__(self, body: Readable, expected: Mapping[str, tuple[str, bytes]]) -> None:
        self._body = body
        self._expected = [(name, digest, _ALGORITHMS[kind]()) for name, (kind, digest) in expected.items()]

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        data: bytes = self._body.read(-1 if size is None else size)
        for name, digest, found in self._expected:
            found.update(data)
            if not data and found.digest() != digest:
                raise _bad_digest(name)
        return data


def checked(body: Body, params: Params) -> Body:
    """
    Return the content of a request; reading it raises an error if it does not match the request's checksums.

    Raises:
        AwsFault: At once, if a checksum is malformed or its algorithm is not supported.
    """
    expected = {name: (kind, _decoded(name, value, kind)) for name, (kind, value) in _given(params).items()}
    if not expected:
        return body
    whole = io.BytesIO(body) if isinstance(body, (bytes, bytearray)) else body
    return CheckedBody(whole, expected)


def digest_of(body: Readable, kind: str) -> bytes:
    """Return the checksum of a content, read to its end."""
    found = _ALGORITHMS[kind]()
    while data := body.read(1 << 20):
        found.update(data)
    return found.digest()


def combined(digests: list[bytes], kind: str) -> str:
    """Return S3's checksum of an object of several parts: that of the parts' checksums, and their number."""
    found = _ALGORITHMS[kind]()
    found.update(b"".join(digests))
    return f"{encoded(found.digest())}-{len(digests)}"


def encoded(digest: bytes) -> str:
    """Encode a checksum as in S3's headers."""
    return base64.b64encode(digest).decode()


def sum_in(params: Mapping[str, Any]) -> tuple[str, str] | None:
    """
    Return the algorithm and the value of the x-amz-checksum header, or None.

    Raises:
        AwsFault: If there are several, or the algorithm is not supported.
    """
    sums = {name: params[name] for name in params if name.startswith(_PREFIX) and name not in _NOT_SUMS}
    if len(sums) > 1:
        message = "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
        raise AwsFault(message, code="InvalidRequest")
    for name, value in sums.items():
        kind = name.removeprefix(_PREFIX)
        if kind not in _ALGORITHMS:
            message = f"A header you provided implies functionality that is not implemented: {_header(name)}."
            raise AwsFault(message, code="NotImplemented", status=501)
        return kind, value
    return None


def _given(params: Params) -> dict[str, tuple[str, str]]:
    found = {}
    if (md5 := params.get("ContentMD5")) is not None:
        found["ContentMD5"] = ("MD5", md5)
    if (given := sum_in(params)) is not None:
        found[_PREFIX + given[0]] = given
    return found


def _decoded(name: str, value: str, kind: str) -> bytes:
    try:
        digest = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        digest = b""
    if len(digest) == len(_ALGORITHMS[kind]().digest()):
        return digest
    if name == "ContentMD5":
        raise AwsFault("The Content-MD5 you specified was invalid.", code="InvalidDigest")
    raise AwsFault(f"Value for {_header(name)} header is invalid.", code="InvalidRequest")


def _bad_digest(name: str) -> AwsFault:
    if name == "ContentMD5":
        message = "The Content-MD5 you specified did not match what we received."
    else:
        message = f"The {name.removeprefix(_PREFIX)} you specified did not match the calculated checksum."
    return AwsFault(message, code="BadDigest")


def _header(name: str) -> str:
    return f"x-amz-checksum-{name.removeprefix(_PREFIX).lower()}"
