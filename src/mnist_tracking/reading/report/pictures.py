"""What a trial recorded that can be shown: pictures, and confusion matrices."""

import json
import mimetypes
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

import attrs

from mnist_tracking._aws.storage import download_object, find_object
from mnist_tracking._values.archives import ArchiveError, unpack
from mnist_tracking._values.records import Artifact, Component
from mnist_tracking.errors import AccessDeniedError, NotFoundError
from mnist_tracking.reading.trial import Trial

__all__ = ["Matrix", "Picture", "Shown", "read_shown"]

_IN_ARCHIVE = ".tar.gz#"  # in the URIs that `mnist_tracking.job.log_artifact` records
_IMAGES = ("image/png", "image/jpeg", "image/gif", "image/webp", "image/svg+xml")
_MOST_BYTES = 400_000  # of pictures, in all
_MOST_ARCHIVE_BYTES = 200_000_000
_MOST_CLASSES = 40


@attrs.frozen
class Picture:
    """A picture that a step recorded."""

    step: str
    name: str
    media_type: str
    content: bytes


@attrs.frozen
class Matrix:
    """How often each true class, a row, was predicted as each class, a column."""

    step: str
    name: str
    counts: tuple[tuple[int, ...], ...]


@attrs.frozen
class Shown:
    """
    What a page shows of a trial's artifacts.

    Attributes:
        pictures: The pictures, in order of the steps.
        matrices: The confusion matrices, in SageMaker's format.
        notes: What was left out, as sentences.
    """

    pictures: tuple[Picture, ...] = ()
    matrices: tuple[Matrix, ...] = ()
    notes: tuple[str, ...] = ()


def read_shown(trial: Trial) -> Shown:
    """Read the pictures and the confusion matrices among the outputs of a trial's steps."""
    pictures: list[Picture] = []
    matrices: list[Matrix] = []
    notes: list[str] = []
    room = _MOST_BYTES
    with tempfile.TemporaryDirectory() as scratch:
        files = _Files(trial, Path(scratch))
        for step, artifact, media_type in _candidates(trial.steps):
            content = files.read(artifact)
            if isinstance(content, str):
                notes.append(f"{artifact.name} of step {step.display_name} is not shown: {content}.")
            elif media_type == "application/json":
                matrices += _matrices(step.display_name, artifact.name, content)
            elif len(content) > room:
                notes.append(f"{artifact.name} of step {step.display_name} is not shown: the page would be too large.")
            else:
                room -= len(content)
                pictures.append(Picture(step.display_name, artifact.name, media_type, content))
    return Shown(tuple(pictures), tuple(matrices), tuple(notes))


def _candidates(steps: tuple[Component, ...]) -> Iterator[tuple[Component, Artifact, str]]:
    """Yield the outputs that are pictures, or JSON and called a confusion matrix."""
    for step in steps:
        for artifact in step.outputs:
            media_type = artifact.media_type or ""
            if media_type not in _IMAGES:
                media_type = mimetypes.guess_type(unquote(artifact.uri))[0] or media_type
            is_matrix = "confusion" in f"{artifact.name} {media_type}".replace("-", "").lower()
            if artifact.uri.startswith("s3://") and (media_type in _IMAGES or is_matrix):
                yield step, artifact, "application/json" if is_matrix and media_type not in _IMAGES else media_type


class _Files:
    """The files of a trial, each archive downloaded once."""

    def __init__(self, trial: Trial, scratch: Path) -> None:
        self._account = trial._account
        self._scratch = scratch
        self._archives: dict[str, Path | str] = {}

    def read(self, artifact: Artifact) -> bytes | str:
        """Return the content of an artifact, or why it cannot be read, as the end of a sentence."""
        uri, is_inside, member = artifact.uri.partition(_IN_ARCHIVE)
        if not is_inside:
            path = self._scratch / "object"
            return self._fetch(uri, path, _MOST_BYTES) or path.read_bytes()
        archive = f"{uri}{_IN_ARCHIVE.removesuffix('#')}"
        if archive not in self._archives:
            self._archives[archive] = self._unpacked(archive)
        folder = self._archives[archive]
        if isinstance(folder, str):
            return folder
        return _member(folder, PurePosixPath(unquote(member)))

    def _fetch(self, uri: str, path: Path, most: int) -> str:
        """Download an object, and return why that is not possible; nothing if it is."""
        try:
            found = find_object(self._account, uri)
            if found is None:
                return "it is no longer in S3"
            if found.size > most:
                return f"it is larger than {most // 1000:,} KB"
            download_object(self._account, uri, path)
        except (AccessDeniedError, NotFoundError) as error:
            return str(error).rstrip(".")
        return ""

    def _unpacked(self, uri: str) -> Path | str:
        number = len(self._archives)
        packed, folder = self._scratch / f"{number}.tar.gz", self._scratch / f"{number}"
        if reason := self._fetch(uri, packed, _MOST_ARCHIVE_BYTES):
            return reason
        try:
            unpack(packed, folder, max_bytes=10 * _MOST_ARCHIVE_BYTES)
        except ArchiveError as error:
            return f"its archive cannot be unpacked: {error.reason}"
        return folder


def _member(folder: Path, member: PurePosixPath) -> bytes | str:
    path = folder / member
    if member.is_absolute() or ".." in member.parts or not path.is_file():
        return "it is not in the job's output"
    if path.stat().st_size > _MOST_BYTES:
        return f"it is larger than {_MOST_BYTES // 1000:,} KB"
    return path.read_bytes()


def _matrices(step: str, name: str, content: bytes) -> list[Matrix]:
    """Return the matrix in a file in SageMaker's format; nothing if the file is something else."""
    try:
        found = json.loads(content)
    except ValueError:
        return []
    rows = found.get("confusionMatrix") if isinstance(found, dict) else None
    if not isinstance(rows, list) or not 0 < len(rows) <= _MOST_CLASSES:
        return []
    is_square = all(isinstance(row, list) and len(row) == len(rows) for row in rows)
    if not is_square or not all(isinstance(count, int) and count >= 0 for row in rows for count in row):
        return []
    return [Matrix(step, name, tuple(map(tuple, rows)))]
