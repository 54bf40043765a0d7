"""How an error shows a value. Standard library only: this module travels with training jobs."""

__all__ = ["shortened"]


def shortened(value: object) -> str:
    """Return a value as an error shows it, in at most 80 characters."""
    shown = repr(value)
    return shown if len(shown) <= 80 else f"{shown[:77]}..."
