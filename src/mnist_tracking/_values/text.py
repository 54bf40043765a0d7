"""How things are said to people: counted, and cut to what fits."""

from collections.abc import Collection, Iterable, Mapping

__all__ = ["cut", "named", "plural", "without_details"]


def named(what: str, values: Mapping[str, object]) -> list[str]:
    """
    Return names and values as one indented line, or none if there are none.

    Example:
        >>> named("metrics", {"loss": 0.25, "epochs": 2})
        ['  metrics loss = 0.25, epochs = 2']
    """
    return [f"  {what} " + ", ".join(f"{name} = {value}" for name, value in values.items())] if values else []


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


def without_details(names: Iterable[str], keep: Collection[str] = ()) -> list[str]:
    """
    Return names in order, without those that say more of another one, unless they are to be kept.

    Example:
        >>> without_details(["loss", "accuracy", "accuracy:0", "accuracy:1"], keep=["accuracy:1"])
        ['accuracy', 'accuracy:1', 'loss']
    """
    known = set(names)
    return [n for n in sorted(known) if n in keep or not any(n.startswith(f"{other}:") for other in known)]
