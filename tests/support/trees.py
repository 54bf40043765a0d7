"""Folders with arbitrary files in them."""

from pathlib import Path

from hypothesis import strategies as st

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=20).filter(
    lambda name: name not in (".", "..", "sagemaker.db") and len(name.encode()) < 100
)
TREES = st.dictionaries(
    st.lists(NAMES, min_size=1, max_size=3).map(lambda parts: "/".join(["root", *parts])), st.binary(max_size=50)
)


def plant(root: Path, tree: dict[str, bytes]) -> dict[str, bytes]:
    """Write the files of a tree, except where a name is already a folder or a file; return those written."""
    written = {}
    for name, content in tree.items():
        path = root / name
        if path.exists() or any(parent.is_file() for parent in path.parents):
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        written[name] = content
    return written
