"""A lineage as a table for people: each thing, and what it was made from."""

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mnist_tracking.reading.lineage_graph import Lineage

__all__ = ["overview"]


def overview(lineage: "Lineage") -> tuple[str, list[dict[str, object]]]:
    """
    Return the folder in S3 that all its locations are below, and a row for each thing, upstream first.

    The folder ends with a slash, and is empty where there is none; the names in the rows do without it.
    """
    folder = _common_folder(node.label for node in lineage.nodes)
    rows: list[dict[str, object]] = []
    for node in lineage.nodes:
        sources = dict.fromkeys(source.kind for source in lineage.upstream(node.id))
        rows.append({"what": node.kind, "made from": ", ".join(sources), "name": node.label.removeprefix(folder)})
    return folder, rows


def _common_folder(labels: Iterable[str]) -> str:
    """Return the folder in S3 that all locations there have in common, with its slash; empty if there is none."""
    common = os.path.commonprefix([label for label in labels if label.startswith("s3://")])  # noqa: RUF071 - cut at a slash below
    folder = common[: common.rfind("/") + 1]
    return folder if folder != "s3://" else ""
