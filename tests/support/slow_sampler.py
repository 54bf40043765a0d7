"""A sampler that waits until a pruner has stopped a trial."""

import threading
from pathlib import Path
from typing import Any

import optuna
from optuna.pruners import BasePruner
from optuna.samplers import RandomSampler

PRUNED = threading.Event()
WAITED: list[bool] = []
_LONGEST_S = 10


class SlowSampler(RandomSampler):
    """Creates the file *asking*, and chooses a positive value once a trial was pruned."""

    def __init__(self, asking: str) -> None:
        super().__init__(0)
        self._asking = asking

    def sample_independent(self, *_: Any) -> float:
        Path(self._asking).touch()
        WAITED.append(PRUNED.wait(_LONGEST_S))
        return 0.5


class Noticing(BasePruner):
    """Stops a trial whose last value is negative."""

    def prune(self, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> bool:
        del study
        is_hopeless = trial.intermediate_values[trial.last_step or 0] < 0
        if is_hopeless:
            PRUNED.set()
        return is_hopeless
