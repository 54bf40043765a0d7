"""Check and Diagnosis: the findings of the doctor."""

import textwrap
from typing import TYPE_CHECKING, Literal

import attrs

from mnist_tracking._values.tables import Table
from mnist_tracking._values.text import html_table, printable

if TYPE_CHECKING:
    import pandas as pd

CheckOutcome = Literal["ok", "warning", "problem", "skipped"]

_LINE_WIDTH = 80


@attrs.frozen
class Check:
    """
    One finding of the doctor.

    Attributes:
        name: What was checked, such as ``"bucket"``.
        outcome: ``"ok"``; ``"warning"``, which may be intended; ``"problem"``, which will make something fail; or
            ``"skipped"``, if it could not be checked.
        detail: What was found.
        remedy: What to do about it; empty if nothing needs to be done.
    """

    name: str
    outcome: CheckOutcome
    detail: str
    remedy: str = ""


@attrs.frozen(repr=False)
class Diagnosis:
    """
    All findings of the doctor. A snapshot: it does not change.

    Attributes:
        checks: The findings, in the order of the checks.
    """

    checks: tuple[Check, ...]

    @property
    def is_healthy(self) -> bool:
        """Whether there is no problem; warnings and skipped checks do not count."""
        return not any(check.outcome == "problem" for check in self.checks)

    def __repr__(self) -> str:
        outcomes = [check.outcome for check in self.checks]
        return f"<Diagnosis: {', '.join(f'{outcomes.count(one)} {one}' for one in dict.fromkeys(outcomes))}>"

    def __str__(self) -> str:
        margin = max((len(check.name) for check in self.checks), default=0) + 2
        return printable("\n".join(line for check in self.checks for line in _lines(check, margin)))

    def _repr_html_(self) -> str:
        return html_table(self.dataframe())

    def dataframe(self) -> "pd.DataFrame":
        """Return a row per check, with the columns name, outcome, detail and remedy."""
        return Table({field.name: "string" for field in attrs.fields(Check)}, self.rows()).dataframe()

    def rows(self) -> list[dict[str, str]]:
        """Return the checks as dictionaries, for ``json.dumps``."""
        return [attrs.asdict(check) for check in self.checks]


def _lines(check: Check, margin: int) -> list[str]:
    """Return a check as lines of at most 80 columns, except for longer words."""
    head = f"{check.outcome:<9}{check.name:<{margin}}"
    wrapped = [line for text in (check.detail, check.remedy) for line in _wrap(text, _LINE_WIDTH - len(head))]
    return [f"{start}{line}" for start, line in zip([head, *[" " * len(head)] * len(wrapped)], wrapped, strict=False)]


def _wrap(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
