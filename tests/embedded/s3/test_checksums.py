"""Checksums of a request are verified, as by S3, before anything is stored."""

import base64
import hashlib
import zlib
from collections.abc import Iterable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from mnist_tracking.embedded.engine import EmbeddedSageMaker

DIGITS = b"123456789"  # of which the checks of CRCs are published
SUMS = {
    "ContentMD5": hashlib.md5(DIGITS).digest(),
    "ChecksumMD5": hashlib.md5(DIGITS).digest(),
    "ChecksumCRC32": zlib.crc32(DIGITS).to_bytes(4, "big"),
    "ChecksumCRC32C": bytes.fromhex("e3069283"),
    "ChecksumCRC64NVME": bytes.fromhex("ae8b14860a799888"),
    "ChecksumSHA1": hashlib.sha1(DIGITS).digest(),
    "ChecksumSHA256": hashlib.sha256(DIGITS).digest(),
    "ChecksumSHA512": hashlib.sha512(DIGITS).digest(),
}
PART = b"5" * (5 << 20)


def b64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


def keys(s3: Any) -> list[str]:
    return [item["Key"] for item in s3.list_objects_v2(Bucket="bucket").get("Contents", [])]


@pytest.fixture
def client(engine: EmbeddedSageMaker) -> Any:
    """A client of S3 with a bucket."""
    client = engine.session().client("s3")
    client.create_bucket(Bucket="bucket")
    return client


def skip_unless_botocore_has(client: Any, members: Iterable[str]) -> None:
    """Skip where the installed botocore, being older, sends no such checksum at all."""
    known = client.meta.service_model.operation_model("PutObject").input_shape.members
    if missing := set(members) - set(known):
        pytest.skip(f"this botocore has no {', '.join(sorted(missing))}")


@pytest.mark.parametrize("name", SUMS)
def test_only_a_matching_checksum_is_accepted(client: Any, name: str) -> None:
    skip_unless_botocore_has(client, [name])
    client.put_object(Bucket="bucket", Key="right", Body=DIGITS, **{name: b64(SUMS[name])})
    with pytest.raises(ClientError, match=r"\(BadDigest\).* you specified did not match"):
        client.put_object(Bucket="bucket", Key="wrong", Body=DIGITS[::-1], **{name: b64(SUMS[name])})

    assert keys(client) == ["right"]


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"ContentMD5": "no digest"}, "InvalidDigest"),
        ({"ContentMD5": b64(b"short")}, "InvalidDigest"),
        ({"ChecksumSHA256": "no digest"}, "InvalidRequest"),
        ({"ChecksumCRC32": b64(b"too long")}, "InvalidRequest"),
        ({"ChecksumCRC32": b64(SUMS["ChecksumCRC32"]), "ChecksumSHA1": b64(SUMS["ChecksumSHA1"])}, "InvalidRequest"),
        ({"ChecksumXXHASH64": b64(b"12345678")}, "NotImplemented"),
    ],
)
def test_malformed_checksum_is_rejected(client: Any, given: dict[str, str], code: str) -> None:
    skip_unless_botocore_has(client, given)
    with pytest.raises(ClientError, match=rf"\({code}\)"):
        client.put_object(Bucket="bucket", Key="digits", Body=DIGITS, **given)

    assert keys(client) == []


def test_a_file_is_checked_as_it_is_read(client: Any, tmp_path: Any) -> None:
    (tmp_path / "digits").write_bytes(DIGITS)
    with (tmp_path / "digits").open("rb") as file, pytest.raises(ClientError, match="BadDigest"):
        client.put_object(Bucket="bucket", Key="digits", Body=file, ContentMD5=b64(hashlib.md5(b"").digest()))

    assert keys(client) == []


def test_what_boto3_calculates_itself_is_accepted(client: Any) -> None:
    client.put_object(Bucket="bucket", Key="digits", Body=DIGITS, ChecksumAlgorithm="SHA256")

    assert keys(client) == ["digits"]


def start(client: Any) -> dict[str, str]:
    return {
        "Bucket": "bucket",
        "Key": "whole",
        "UploadId": client.create_multipart_upload(Bucket="bucket", Key="whole")["UploadId"],
    }


def test_a_part_is_checked(client: Any) -> None:
    upload = start(client)
    with pytest.raises(ClientError, match="BadDigest"):
        client.upload_part(**upload, PartNumber=1, Body=PART, ChecksumSHA1=b64(hashlib.sha1(b"").digest()))

    assert "Parts" not in client.list_parts(**upload)


def test_the_whole_of_an_upload_is_checked(client: Any) -> None:
    """The checksum of the whole content, the combined one of the parts, that of each part, and the size."""
    upload = start(client)
    parts = [
        {"PartNumber": number, "ETag": client.upload_part(**upload, PartNumber=number, Body=body)["ETag"]}
        for number, body in ((1, PART), (2, DIGITS))
    ]
    digests = [hashlib.sha256(body).digest() for body in (PART, DIGITS)]
    combined = f"{b64(hashlib.sha256(b''.join(digests)).digest())}-2"
    wrong: list[tuple[str, dict[str, Any]]] = [
        ("BadDigest", {"ChecksumCRC32": b64(b"1234"), "ChecksumType": "FULL_OBJECT"}),
        ("BadDigest", {"ChecksumSHA256": f"{combined[:-1]}3"}),
        ("InvalidRequest", {"MpuObjectSize": 1}),
    ]
    for code, given in wrong:
        with pytest.raises(ClientError, match=code):
            client.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts}, **given)
    spoiled = [parts[0], {**parts[1], "ChecksumSHA256": b64(digests[0])}]
    with pytest.raises(ClientError, match="InvalidPart"):
        client.complete_multipart_upload(**upload, MultipartUpload={"Parts": spoiled})
    assert keys(client) == []
    described = [{**part, "ChecksumSHA256": b64(digest)} for part, digest in zip(parts, digests, strict=True)]
    client.complete_multipart_upload(**upload, MultipartUpload={"Parts": described}, ChecksumSHA256=combined)

    assert client.get_object(Bucket="bucket", Key="whole")["Body"].read() == PART + DIGITS
