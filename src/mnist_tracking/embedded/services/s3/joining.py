"""The parts of an upload made one: which are chosen, whether they are what the caller says, and the joined content."""

import io
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mnist_tracking.embedded.faults import AwsFault
from mnist_tracking.embedded.services.s3.checksums import checked, combined, digest_of, encoded, sum_in
from mnist_tracking.embedded.services.s3.streams import JoinedFiles
from mnist_tracking.embedded.store.blobs import Blob, Blobs

_SMALLEST_PART = 5 << 20  # of all but the last


def choose_parts(parts: Iterable[sqlite3.Row], asked: Sequence[Mapping[str, Any]], blobs: Blobs) -> list[sqlite3.Row]:
    """Return the parts that a call names, if they are there, as it describes them, in order and large enough."""
    by_number = {part["number"]: part for part in parts}
    chosen = []
    for item in asked:
        part = by_number.get(item.get("PartNumber"))
        if part is None or part["etag"] != item.get("ETag", "").strip('"') or not _is_as_said(part, item, blobs):
            said = "One or more of the specified parts could not be found. The part may not have been uploaded, or the "
            raise AwsFault(f"{said}specified entity tag may not match the part's entity tag.", code="InvalidPart")
        chosen.append(part)
    if not chosen:
        raise AwsFault("You must specify at least one part", code="MalformedXML")
    numbers = [part["number"] for part in chosen]
    if numbers != sorted(set(numbers)):
        raise AwsFault("The list of parts was not in ascending order.", code="InvalidPartOrder")
    if any(part["size"] < _SMALLEST_PART for part in chosen[:-1]):
        raise AwsFault("Your proposed upload is smaller than the minimum allowed size", code="EntityTooSmall")
    return chosen


def _is_as_said(part: sqlite3.Row, item: Mapping[str, Any], blobs: Blobs) -> bool:
    given = sum_in(item)
    return given is None or encoded(_digest(part, given[0], blobs)) == given[1]


def _digest(part: sqlite3.Row, kind: str, blobs: Blobs) -> bytes:
    with blobs.path(part["blob"]).open("rb") as content:
        return digest_of(content, kind)


def join_parts(parts: Sequence[sqlite3.Row], params: Mapping[str, Any], blobs: Blobs) -> Blob:
    """
    Store the content of parts as one, if it is what a call says of the whole.

    Raises:
        AwsFault: If it is not.
        FileNotFoundError: If a part is gone meanwhile.
    """
    size, given = sum(part["size"] for part in parts), sum_in(params)
    if params.get("MpuObjectSize", size) != size:
        said = f"The provided 'x-amz-mp-object-size' header value {params['MpuObjectSize']} does not match"
        raise AwsFault(f"{said} what was computed: {size}", code="InvalidRequest")
    if given is not None and "-" in given[1]:
        _check_combined(parts, *given, blobs)
        given = None
    described = {} if given is None else {f"Checksum{given[0]}": given[1]}
    with io.BufferedReader(JoinedFiles(blobs.path(part["blob"]) for part in parts), 1 << 20) as whole:
        return blobs.put(checked(whole, described))


def _check_combined(parts: Sequence[sqlite3.Row], kind: str, value: str, blobs: Blobs) -> None:
    if combined([_digest(part, kind, blobs) for part in parts], kind) != value:
        said = f"The {kind} you specified did not match the calculated checksum."
        raise AwsFault(said, code="BadDigest")
