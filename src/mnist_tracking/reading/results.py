"""Results: what a search returns, fetched lazily, page by page, each page at most once."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Generic, TypeVar, overload

from mnist_tracking._values.tables import Table, Tabular
from mnist_tracking._values.text import html_table, printable
from mnist_tracking.errors import MnistTrackingError, StateError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Results"]

T = TypeVar("T")
_PROGRESS = 100


class Results(Tabular, Sequence[T], Generic[T]):
    """
    The records that a search found, as a lazy sequence.

    Iterating fetches pages as they are needed; ``len``, negative indices, `dataframe`, copying and pickling fetch
    everything. Each page is fetched at most once. **Thread safety.** Use it from one thread.

    Args:
        kind: What the records are, in the plural, such as ``"trials"``.
        source: Yields the records.
        table: Returns the table of records, also of none.
        on_progress: Called after every hundred records with the number read so far.

    Example:
        >>> with Workspace.embedded() as workspace:
        ...     with ExperimentRunner(workspace, "churn").trial({"C": 1.0}, name="baseline"):
        ...         pass
        ...     found = workspace.trials("churn", where=where.param("C") > 0.5)
        ...     found
        ...     [trial.name for trial in found]
        <Results: trials, 0 read so far>
        ['baseline']
    """

    def __init__(
        self,
        kind: str,
        source: Iterator[T],
        table: Callable[[Sequence[T]], Table],
        on_progress: Callable[[int], object] | None = None,
    ) -> None:
        self._kind = kind
        self._source = source
        self._make_table = table
        self._on_progress = on_progress
        self._read: list[T] = []
        self._is_whole = False
        self._error: MnistTrackingError | None = None

    def __getstate__(self) -> dict[str, object]:
        """Return the state for a copy or a pickle: all records, fetched now, without the progress callback."""
        self._reach(None)
        return {**self.__dict__, "_source": iter(()), "_on_progress": None}

    def __iter__(self) -> Iterator[T]:
        place = 0
        while self._reach(place):
            yield self._read[place]
            place += 1

    def __len__(self) -> int:
        self._reach(None)
        return len(self._read)

    def __bool__(self) -> bool:
        return self._reach(0)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[T]: ...
    def __getitem__(self, index: int | slice) -> T | Sequence[T]:
        is_plain = isinstance(index, int) and index >= 0
        self._reach(index if is_plain else None)  # type: ignore[arg-type]  # is_plain says that it is an int
        return self._read[index]

    def _reach(self, place: int | None) -> bool:
        """Fetch up to a position, or everything; return whether there is a record at that position."""
        while not self._is_whole and (place is None or len(self._read) <= place):
            if self._error is not None:  # the rest cannot be fetched any more, and must not look like the end
                raise self._error
            try:
                self._read.append(next(self._source))
            except StopIteration:
                self._is_whole = True
            except MnistTrackingError as error:
                self._error = error
                raise
            except BaseException:
                self._error = StateError(
                    "search for", self._kind, "interrupted", "was interrupted and is incomplete; search again"
                )
                raise
            if self._on_progress is not None and not self._is_whole and len(self._read) % _PROGRESS == 0:
                self._on_progress(len(self._read))
        return place is not None and place < len(self._read)

    def __repr__(self) -> str:
        many = f"{len(self._read)}" if self._is_whole else f"{len(self._read)} read so far"
        return f"<Results: {self._kind}, {many}>"

    def __str__(self) -> str:
        return printable(self.dataframe().to_string(index=False, na_rep="")) if self else f"no {self._kind}"

    def _repr_html_(self) -> str:
        return html_table(self.dataframe()) if self else f"<p>no {self._kind}</p>"

    def dataframe(self) -> "pd.DataFrame":
        """
        Return a row per record, or just the columns without any records. Fetches everything.

        Each column has one type, such as ``string``, ``Int64`` or ``float64``, and the columns of parameters, metrics
        and tags are in order of their names.
        """
        return self._table().dataframe()

    def _table(self) -> Table:
        return self._make_table(list(self))
