"""
Run a supervisor below its guard: ``python -m mnist_tracking.embedded.guard MODULE ARGUMENTS``.

The guard is this process, and the supervisor its child. They part before the supervisor's modules are imported, so the
guard stays small and the fork takes no time.
"""

import os
import sys
from importlib import import_module

from mnist_tracking.embedded.containment import split


def main(argv: list[str]) -> None:
    """Run ``main`` of a module with the other arguments, in a child of this process; end it without tidying up."""
    module, *arguments = argv
    split()
    import_module(module).main(arguments)
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
