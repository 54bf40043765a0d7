"""
The code that the SDK packs: a view of the user's folders, since the SDK packs all that it is given.

In the view, folders are real and files are links, which the SDK follows. Homes of embedded SageMakers are missing, and
what is no code: git's own files and compiled Python.
"""

import logging
import os
import tempfile
from collections.abc import Container, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mnist_tracking._values import arguments
from mnist_tracking._values.arguments import LAUNCHER
from mnist_tracking._values.files import HOME, contents
from mnist_tracking.errors import ConfigError

_NOT_CODE = frozenset({".git", "__pycache__"})
_SHOWN = 5
_logger = logging.getLogger(__name__)


class Stage:
    """Views of folders, in a temporary folder; see `staged`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = 0

    def with_launcher(self, entry_point: str, source_dir: str | None) -> str:
        """
        Return a folder of a script, or of *source_dir*, and the launcher that calls the script.

        Raises:
            ConfigError: As `view`.
        """
        root = self._new(self._folder / "launched")
        if source_dir is None:
            (root / Path(entry_point).name).symlink_to(os.path.abspath(entry_point))
        else:
            self._fill(root, source_dir, code_files(source_dir))
        (root / LAUNCHER).symlink_to(arguments.__file__)
        return str(root)

    def view(self, path: str) -> str:
        """
        Return a path whose name, and contents if it is a folder, are those of *path*.

        That is *path* itself if all of it can be sent, or if it is in S3.

        Raises:
            ConfigError: If something in it cannot be sent, or *path* is the home of an embedded SageMaker.
        """
        if path.startswith("s3://") or not os.path.isdir(path):
            return path
        listed = code_files(path)
        if _is_whole(path, listed):
            return path
        self._count += 1
        root = self._new(self._folder / f"{self._count}" / os.path.basename(os.path.abspath(path)))
        self._fill(root, path, listed)
        ending = os.path.basename(path)  # by which the SDK decides on the names in the archive
        return os.path.join(root, ending) if ending in ("", ".") else str(root)

    def _new(self, root: Path) -> Path:
        root.mkdir(parents=True)
        return root

    def _fill(self, root: Path, path: str, listed: list[Path]) -> None:
        for file in listed:
            copy = root / file.relative_to(path)
            if file.is_dir():
                copy.mkdir()
            else:
                copy.symlink_to(os.path.abspath(file))


def _is_whole(folder: str, found: list[Path]) -> bool:
    """Whether the SDK finds the same: nothing is left out, and no link leads to a folder, which may lead around."""
    count = sum(len(folders) + len(files) for _, folders, files in os.walk(folder))
    return len(found) == count and not any(path.is_symlink() and path.is_dir() for path in found)


def code_files(folder: str) -> list[Path]:
    """
    Return what is sent of a folder of code.

    Raises:
        ConfigError: As `sendable`.
    """
    return sendable(Path(folder), without=_NOT_CODE)


@contextmanager
def staged() -> Iterator[Stage]:
    """Yield a stage, which is deleted when the block ends."""
    with tempfile.TemporaryDirectory(prefix="mnist-tracking-") as folder:
        yield Stage(Path(folder))


def sendable(folder: Path, *, without: Container[str] = ()) -> list[Path]:
    """
    Return the `contents` of a folder; homes of embedded SageMakers are left out.

    Args:
        folder: The folder.
        without: Names to leave out.

    Raises:
        ConfigError: If something else in it cannot be sent, such as a FIFO, a link to nothing, or a name that is not
            UTF-8; or if the folder is the home of an embedded SageMaker.
    """
    faults: list[tuple[Path, str]] = []

    def note(path: Path, why: str) -> None:
        if why == HOME:
            leave_out_homes(path, why)
        else:
            faults.append((path, why))

    with read_errors_translated():
        found = list(contents(folder, note, without=without))
    check_sendable([*faults, *((path, _fault(path)) for path in found)])
    return found


def check_sendable(found: Iterable[tuple[Path, str]]) -> None:
    """
    Check that nothing of what was found has a fault.

    Raises:
        ConfigError: If something has; the message shows the first ones.
    """
    faults = [f"{str(path)!r} {why}" for path, why in found if why]
    if faults:
        shown = "; ".join(faults[:_SHOWN]) + (f"; and {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else "")
        raise ConfigError(f"{shown}, so {'it' if len(faults) == 1 else 'they'} cannot be sent.")


def leave_out_homes(path: Path, why: str) -> None:
    """
    Accept that homes of embedded SageMakers are left out, and nothing else.

    Raises:
        ConfigError: If *path* is something else that cannot be sent.
    """
    if why != HOME:
        check_sendable([(path, why)])
    _logger.info("Left out: %s, the home of an embedded SageMaker", path)


def check_names(paths: Iterable[Path]) -> None:
    """
    Check that the names of files can be keys in S3.

    Raises:
        ConfigError: If one is not UTF-8.
    """
    check_sendable((path, _fault(path)) for path in paths)


def _fault(path: Path) -> str:
    try:
        path.name.encode()
    except UnicodeEncodeError:
        return "has a name that is not UTF-8"
    return ""


@contextmanager
def read_errors_translated() -> Iterator[None]:
    """Turn the error for a file that may not be read into a ConfigError that names it."""
    try:
        yield
    except PermissionError as error:
        if error.filename is None:
            raise
        raise ConfigError(f"{os.fsdecode(error.filename)!r} cannot be read, so it cannot be sent.") from error
