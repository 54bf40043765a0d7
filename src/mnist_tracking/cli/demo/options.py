"""The options of the demo, and the clock of its phases."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs


@attrs.frozen(kw_only=True)
class Options:
    """
    The options of ``mnist-tracking demo``.

    Attributes:
        epochs: How many epochs each model trains.
        channels: Hidden channels of each model.
        data_dir: The folder with MNIST; None finds or downloads it.
        max_parallel: How many models train at the same time.
        keep: Whether to keep everything at the end.
        out: The folder for the results.
    """

    epochs: int
    channels: tuple[int, ...]
    data_dir: Path | None
    max_parallel: int
    keep: bool
    out: Path


class Timings:
    """
    Seconds spent in each phase.

    Args:
        begun: When the total began, on the clock of `time.perf_counter`.
    """

    def __init__(self, begun: float) -> None:
        self._begun = begun
        self.phases: dict[str, float] = {}

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Add the block's time to a phase."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.phases[name] = self.phases.get(name, 0.0) + time.perf_counter() - begun

    def summary(self) -> dict[str, object]:
        """Return the total, the phases and the share that is not training, from 0 to 1."""
        total = time.perf_counter() - self._begun
        phases = {**self.phases, "other": total - sum(self.phases.values())}
        not_training = 1.0 - phases.get("training", 0.0) / total
        return {"total_s": total, "not_training": not_training, "phases_s": phases}

    def __str__(self) -> str:
        total = time.perf_counter() - self._begun
        spent = [f"{name} {seconds:.1f}" for name, seconds in self.phases.items()]
        share = 1.0 - self.phases.get("training", 0.0) / total
        return f"{total:.1f} s, of which {', '.join(spent)}; {share:.0%} is not training"
