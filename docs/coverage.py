"""
Write the page of the operations that the embedded SageMaker supports, from its table of handlers.

    python docs/coverage.py            prints the page
    python docs/coverage.py --write    writes docs/reference/embedded-coverage.rst
"""

import inspect
import re
import sys
from itertools import groupby
from pathlib import Path

from mnist_tracking.embedded import services
from mnist_tracking.embedded.registry import OPERATIONS, Handler

PAGE = Path(__file__).parent / "reference" / "embedded-coverage.rst"
HEAD = """\
.. Written by docs/coverage.py. Do not edit: run `python docs/coverage.py --write`.

Operations of the embedded SageMaker
====================================

The embedded SageMaker supports these {count} operations of {services} services. Any other operation raises
:exc:`mnist_tracking.UnsupportedOperationError` with its name; no call ever reaches the network.

Requests are checked against AWS's own service model, and responses have its shapes. The notes below an operation are
the docstring of its handler: where it differs from AWS, or where AWS leaves a choice.
"""


def render() -> str:
    """Return the page: a section for each service, an entry for each operation."""
    services.load()
    named = groupby(sorted(OPERATIONS.items()), key=lambda item: item[0][0])
    sections = {service: [(operation, handler) for (_, operation), handler in found] for service, found in named}
    page = [HEAD.format(count=len(OPERATIONS), services=len(sections))]
    for service, operations in sections.items():
        page.append(f"{service}\n{'-' * len(service)}\n")
        page += [_entry(*operation) for operation in operations]
    return "\n".join(page)


def _entry(operation: str, handler: Handler) -> str:
    described = re.sub("`+", "``", inspect.getdoc(handler) or "").splitlines()
    return f"- ``{operation}``\n" + "".join(f"\n  {line}".rstrip(" ") for line in described) + "\n" * bool(described)


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        PAGE.write_text(render(), encoding="utf-8")
    else:
        sys.stdout.write(render())
