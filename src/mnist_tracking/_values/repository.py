"""
The git repository that code comes from: its commit, whether it was changed since, and where it is published.

Never raises: without git, outside a repository, or in one that git does not trust, nothing is known. Standard library
only.
"""

import os
import re
import subprocess
import time
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit, urlunsplit

__all__ = ["Checkout", "checkout_of", "without_credentials"]

_TIMEOUT_S = 10.0  # a machine under load takes seconds to start a process
_LONGEST_URL = 250
_SHARE = 50  # what was found is used again for that many times as long as it took to find
_REDIRECTS = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_NAMESPACE")  # set in git's hooks
_GIT = ("git", "-c", "core.fsmonitor=false")  # a repository of others must not choose what is run
_USER = re.compile(r"(\b[a-z][a-z0-9+.-]*://)[^/@\s]+@", re.IGNORECASE)


class Checkout(NamedTuple):
    """
    The state of a repository.

    Attributes:
        commit: The commit that is checked out; None before the first one, or outside a repository.
        is_dirty: Whether the code differs from that commit: a tracked file of the repository has changed, or a script
            of the code is not tracked. None if unknown.
        repository: The URL of its remote, without credentials; None without one.
    """

    commit: str | None = None
    is_dirty: bool | None = None
    repository: str | None = None


_found: dict[str, tuple[Checkout, float]] = {}  # by folder, with the time until which it is used


def checkout_of(folder: Path) -> Checkout:
    """
    Return the state of the repository that a folder of code is in.

    Git is called again from time to time, so that it takes at most a fiftieth of a program's time.
    """
    key = os.path.realpath(folder)
    begin = time.monotonic()
    known = _found.get(key)
    if known is None or known[1] < begin:
        state = _read(key)
        end = time.monotonic()
        known = _found[key] = (state, end + _SHARE * (end - begin))
    return known[0]


def forget_checkouts() -> None:
    """Call git again, the next time."""
    _found.clear()


def _read(folder: str) -> Checkout:
    state = _git(folder, "status", "--porcelain=v2", "--branch", "--untracked-files=no")
    if state is None:  # too many files to look at, or no repository
        commit = _git(folder, "rev-parse", "--verify", "--quiet", "HEAD")
        return Checkout(commit.strip(), None, _remote(folder)) if commit else Checkout()
    lines = state.splitlines()
    heads = [line.removeprefix("# branch.oid ") for line in lines if line.startswith("# branch.oid ")]
    is_changed = any(not line.startswith("#") for line in lines)
    return Checkout(
        commit=next((head for head in heads if head != "(initial)"), None),
        is_dirty=is_changed or _has_new_script(folder),
        repository=_remote(folder),
    )


def _has_new_script(folder: str) -> bool | None:
    names = _git(folder, "ls-files", "--others", "--exclude-standard", "--", "*.py")
    return None if names is None else bool(names)


def _remote(folder: str) -> str | None:
    """Return the URL of the remote ``origin``, or else of the first one."""
    listed = _git(folder, "config", "--get-regexp", r"^remote\..*\.url$") or ""
    urls = dict(line.split(" ", 1) for line in listed.splitlines() if " " in line)
    url = urls.get("remote.origin.url") or next(iter(urls.values()), None)
    return without_credentials(url)[:_LONGEST_URL] if url else None


def _git(folder: str, *arguments: str) -> str | None:
    """Return what git prints; None if it fails, or takes too long."""
    environment = {name: value for name, value in os.environ.items() if name not in _REDIRECTS}
    try:
        done = subprocess.run(
            [*_GIT, "-C", folder, *arguments],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=_TIMEOUT_S,
            check=True,
            env={**environment, "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"},
        )
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return done.stdout.decode("utf-8", "replace")


def without_credentials(text: str) -> str:
    """
    Return a URL, or a text with URLs, without user names, passwords, and tokens in a query.

    Example:
        >>> without_credentials("https://alice:secret@example.com/churn.git?token=secret")
        'https://example.com/churn.git'
        >>> without_credentials("git@example.com:churn.git")
        'git@example.com:churn.git'
    """
    plain = _USER.sub(r"\1", text)
    if "://" not in plain or " " in plain:
        return plain
    try:
        parts = urlsplit(plain)
    except ValueError:
        return plain
    return urlunsplit((parts.scheme, parts.netloc, parts.path, "", ""))
