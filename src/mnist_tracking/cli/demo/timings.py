"""Where the time went."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Timings:
    """Seconds by phase, from the making of this object on."""

    def __init__(self) -> None:
        self._begun = time.perf_counter()
        self.phases: dict[str, float] = {}

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Count the block's time to a phase."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.phases[name] = self.phases.get(name, 0.0) + time.perf_counter() - begun

    @property
    def total(self) -> float:
        """Seconds so far."""
        return time.perf_counter() - self._begun

    @property
    def overhead(self) -> float:
        """The share of the total that is not training, from 0 to 1."""
        return 1.0 - self.phases.get("training", 0.0) / self.total

    def __str__(self) -> str:
        parts = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in self.phases.items())
        return f"total {self.total:.1f} s: {parts}; {self.overhead:.0%} is not training"

    def write(self, path: Path) -> None:
        """Write the phases as JSON."""
        told = {"total_s": self.total, "not_training": self.overhead, "phases_s": self.phases}
        path.write_text(json.dumps(told, indent=2) + "\n")
