"""The epoch or the step that a training script has reached, read from what it prints."""

import re

__all__ = ["Place"]

_GAP = r"[\W_]{0,4}"  # what stands between the word and its number: "Epoch: 2", "epoch=2", '"epoch": 2', "Epoch [2/10]"
_END = r"(?!\d)"
_EPOCH = re.compile(rf"\bepoch{_GAP}(\d{{1,9}}){_END}(?:/\d+)?(?:\s*\[(\d{{1,18}})/(\d{{1,18}}))?", re.IGNORECASE)
_STEP = re.compile(rf"\b(?:global[ _])?(?:step|iter|iteration){_GAP}(\d{{1,9}}){_END}(?!\.\d)", re.IGNORECASE)


class Place:
    """
    Where a training is: the epoch that its script printed last, or the step if it prints no epochs.

    Words in the plural, as in ``--epochs 10``, are settings, not places.

    Attributes:
        epoch: The epoch; None until one is printed.
        share: How much of the epoch is done, from 0 to 1: a half in ``Epoch: 2 [64/128 (50%)]``; 1.0 if the script does
            not print that.

    Example:
        >>> place = Place()
        >>> for line in ("Epoch: 2 [64/128 (50%)] Train Loss: 0.25;", "Test Accuracy: 97%;"):
        ...     place.read(line)
        >>> place.step, place.share
        (2, 0.5)
    """

    def __init__(self) -> None:
        self.epoch: int | None = None
        self.share = 0.0
        self._step: int | None = None

    @property
    def step(self) -> int | None:
        """The step of what is printed now: the epoch; without epochs the step; None without either."""
        return self._step if self.epoch is None else self.epoch

    def read(self, text: str) -> None:
        """Read another line, or another state of a progress bar."""
        if found := _EPOCH.search(text):
            self.epoch = int(found[1])
            self.share = min(int(found[2]) / max(int(found[3]), 1), 1.0) if found[2] else 1.0
        elif self.epoch is None and (found := _STEP.search(text)):
            self._step = int(found[1])
