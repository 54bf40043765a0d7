"""How things are said to people: counted, and cut to what fits."""

__all__ = ["cut", "plural"]


def plural(count: int, kind: str) -> str:
    """
    Count things.

    Example:
        >>> plural(1, "trial"), plural(3, "S3 objects")
        ('1 trial', '3 S3 objects')
    """
    return f"{count} {kind}" if count == 1 or kind.endswith("s") else f"{count} {kind}s"


def cut(text: str, most: int) -> str:
    """
    Leave out the middle of a text that is longer than *most*, so that its beginning and its end can be told apart.

    Example:
        >>> cut("digits-20261124-171043-54e4d1", 16)
        'digits-2…-54e4d1'
    """
    if len(text) <= most:
        return text
    end = (most - 1) // 2
    return f"{text[: most - 1 - end]}…{text[-end:]}"
