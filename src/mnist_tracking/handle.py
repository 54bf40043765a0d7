"""What a workspace is to Python: a handle on a place. A copy is the handle itself; a pickle says how to get another."""

import pickle
from collections.abc import Callable
from typing import Self

__all__ = ["Handle"]


class Handle:
    """
    A handle that another process can make again.

    Its pickle holds the folder, or the profile and the region, and the settings; of a session or an engine of the
    caller's own, which may hold credentials, there is none.
    """

    _again: Callable[[], Self] | None = None

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce__(self) -> tuple[Callable[[], Self], tuple[()]]:
        if self._again is None:
            raise pickle.PicklingError(
                f"{self!r} was made on a session or an engine of your own, which no pickle can hold. Make it with "
                "Workspace.embedded(home) or Workspace.aws(profile=..., region=...), or pass on names and data frames."
            )
        return self._again, ()
