"""Names of files for what may be named anything."""

import hashlib
from pathlib import PurePosixPath
from urllib.parse import quote

__all__ = ["Names", "Paths", "safe_name"]

_LONGEST = 200  # file systems take 255 bytes
_KEPT = " !#$&'()+,;=@[]^`{}~"


def safe_name(name: str) -> str:
    """
    Return a name as one that any file system takes: what stands in the way is percent-encoded, and ``%`` is no name.

    Example:
        >>> safe_name("why?.csv"), safe_name(".."), safe_name("")
        ('why%3F.csv', '%2E%2E', '%')
    """
    if name.strip(".") == "":
        return "%2E" * len(name) or "%"
    safe = "".join(char if char.isalnum() or char in _KEPT else quote(char, safe="") for char in name)
    if len(safe.encode()) <= _LONGEST:
        return safe
    digest = hashlib.sha256(name.encode()).hexdigest()[:12]
    return f"{safe.encode()[: _LONGEST - 40].decode(errors='ignore')}-{digest}{PurePosixPath(name).suffix[:20]}"


class Paths:
    """Keys below one prefix as relative paths that stay below any folder, each its own."""

    def __init__(self) -> None:
        self._files: set[str] = set()

    def free(self, key: str) -> str:
        """
        Return the path of a key; keys come in S3's order. Only there can one be a file and the folder of another.

        Example:
            >>> paths = Paths()
            >>> [paths.free(key) for key in ("../up", "a", "a/b", "rows//1", "rows/1")]
            ['%2E%2E/up', 'a', 'a%/b', 'rows/%/1', 'rows/1']
        """
        *folders, name = map(safe_name, key.split("/"))
        place = ""
        for folder in folders:
            place += f"{folder}%/" if f"{place}{folder}" in self._files else f"{folder}/"
        self._files.add(f"{place}{name}")
        return f"{place}{name}"


class Names:
    """The names in one folder, told apart also where upper and lower case are the same."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def free(self, name: str) -> str:
        """
        Return a file name for *name*, and take it.

        Example:
            >>> names = Names()
            >>> names.free("rows.csv"), names.free("ROWS.csv"), names.free("a/b")
            ('rows.csv', 'ROWS-2.csv', 'a%2Fb')
        """
        found, number = PurePosixPath(safe_name(name)), 1
        stem = found.stem
        while found.name.casefold() in self._taken:
            number += 1
            found = found.with_stem(f"{stem}-{number}")
        self._taken.add(found.name.casefold())
        return found.name
