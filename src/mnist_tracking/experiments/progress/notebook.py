"""The table in a notebook."""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mnist_tracking._values.text import html_table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["NotebookTable"]


class NotebookTable:
    """
    A table below a notebook's cell, replaced as it changes; the last one is saved with the notebook.

    rich draws live tables with ipywidgets, which are often not installed, and leave nothing in a saved notebook.

    Args:
        content: Returns what stands above the table, and its rows.
    """

    def __init__(self, content: "Callable[[], tuple[str, pd.DataFrame]]") -> None:
        self._content = content
        self._shown: dict[str, str] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="progress", daemon=True)

    def start(self) -> None:
        from IPython.display import display

        self._shown = self._drawn()
        self._handle: Any = display(self._shown, raw=True, display_id=True)  # type: ignore[no-untyped-call]
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()
        self._update()

    def _follow(self) -> None:
        while not self._ended.wait(0.5):
            self._update()

    def _update(self) -> None:
        drawn = self._drawn()
        if drawn != self._shown:
            self._handle.update(drawn, raw=True)
            self._shown = drawn

    def _drawn(self) -> dict[str, str]:
        heading, frame = self._content()
        plain = f"{heading}\n{frame.to_string(index=False)}"
        return {"text/plain": plain, "text/html": html_table(frame, title=" · ".join(heading.splitlines()))}
