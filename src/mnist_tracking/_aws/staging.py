"""
The code that the SDK packs: a view of the user's folders, since the SDK packs all that it is given.

In the view, folders are real and files are links, which the SDK follows. What cannot or must not be sent is missing:
see `mnist_tracking._values.files.contents`.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mnist_tracking._values import arguments
from mnist_tracking._values.arguments import LAUNCHER
from mnist_tracking._values.files import contents
from mnist_tracking.errors import ConfigError


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
            self._fill(root, source_dir, readable_contents(Path(source_dir)))
        (root / LAUNCHER).symlink_to(arguments.__file__)
        return str(root)

    def view(self, path: str) -> str:
        """
        Return a path whose name, and contents if it is a folder, are those of *path*.

        That is *path* itself if all of it can be sent, or if it is in S3.

        Raises:
            ConfigError: If a file cannot be read, or *path* is the home of an embedded SageMaker.
        """
        if path.startswith("s3://") or not os.path.isdir(path):
            return path
        listed = readable_contents(Path(path))
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


@contextmanager
def staged() -> Iterator[Stage]:
    """Yield a stage, which is deleted when the block ends."""
    with tempfile.TemporaryDirectory(prefix="mnist-tracking-") as folder:
        yield Stage(Path(folder))


def readable_contents(folder: Path) -> list[Path]:
    """
    Return the `contents` of a folder, with links followed.

    Raises:
        ConfigError: If something in it cannot be read, or it is the home of an embedded SageMaker.
    """
    with read_errors_translated():
        found = list(contents(folder, follow_links=True))
    for path in found:
        if not os.access(path, os.R_OK):
            raise ConfigError(f"{str(path)!r} cannot be read, so it cannot be sent.")
    return found


@contextmanager
def read_errors_translated() -> Iterator[None]:
    """Turn the error for a file that may not be read into a ConfigError that names it."""
    try:
        yield
    except PermissionError as error:
        if error.filename is None:
            raise
        raise ConfigError(f"{os.fsdecode(error.filename)!r} cannot be read, so it cannot be sent.") from error
