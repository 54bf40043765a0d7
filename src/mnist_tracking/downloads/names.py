"""Names of files for what may be named anything."""

import hashlib
from pathlib import PurePosixPath
from urllib.parse import quote

__all__ = ["Names", "safe_path"]

_LONGEST = 200  # file systems take 255 bytes
_KEPT = " !#$&'()+,;=@[]^`{}~"


def safe_path(key: str) -> str:
    """
    Return a key of S3 as a relative path that stays below any folder.

    Example:
        >>> safe_path("rows/part-1.csv"), safe_path("../../etc//passwd")
        ('rows/part-1.csv', '%2E%2E/%2E%2E/etc/passwd')
    """
    return "/".join(_safe_name(part) for part in key.split("/") if part)


def _safe_name(name: str) -> str:
    """Return a name as one that any file system takes: what stands in the way is percent-encoded."""
    if name.strip(".") == "":
        return "%2E" * len(name) or "%"
    safe = "".join(char if char.isalnum() or char in _KEPT else quote(char, safe="") for char in name)
    if len(safe.encode()) <= _LONGEST:
        return safe
    digest = hashlib.sha256(name.encode()).hexdigest()[:12]
    return f"{safe.encode()[: _LONGEST - 40].decode(errors='ignore')}-{digest}{PurePosixPath(name).suffix[:20]}"


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
        found, number = PurePosixPath(_safe_name(name)), 1
        stem = found.stem
        while found.name.casefold() in self._taken:
            number += 1
            found = found.with_stem(f"{stem}-{number}")
        self._taken.add(found.name.casefold())
        return found.name
