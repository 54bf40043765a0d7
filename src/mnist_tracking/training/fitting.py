"""Whether a checkpoint is of this run: what must be the same, what may differ, and what changes the last digits."""

from collections.abc import Mapping
from typing import Any

from mnist_tracking.errors import ConfigError
from mnist_tracking.training.hyperparameters import Hyperparameters

__all__ = ["DATA", "check_fit"]

#: What the circumstances call the contents of the data.
DATA = "the data's checksum"

# These change no weight, or only by way of a circumstance that is compared by itself.
_FREE = {"recipe", "log_interval", "test_batch_size", "checkpoint_s", "device", "backend"}
_LAST_DIGITS = ("threads",)


def check_fit(
    name: str, content: Mapping[str, Any], hyperparameters: Hyperparameters, circumstances: Mapping[str, int | str]
) -> list[str]:
    """
    Compare a checkpoint with the run that shall go on from it.

    Args:
        name: Of the checkpoint, for the messages.
        content: The checkpoint.
        hyperparameters: The run's.
        circumstances: What else its result depends on, by name.

    Returns:
        What may change the last digits, in words; nothing if the rest will be bit-equal.

    Raises:
        ConfigError: If it is of another run: it says all that differs.
    """
    then, now = content["hyperparameters"], hyperparameters.as_dict()
    free = _free(hyperparameters)
    others = _differences(then, {key: value for key, value in now.items() if key not in free})
    around = _differences(content["circumstances"], circumstances)
    wrong = others | {key: pair for key, pair in around.items() if _is_data(key)}
    if wrong:
        listed = "; ".join(f"{key} was {before!r} and is {value!r}" for key, (before, value) in wrong.items())
        raise ConfigError(f"The checkpoint {name!r} is of another run: {listed}. {_advice(wrong)}")
    slight = around | _differences(then, {key: now[key] for key in _LAST_DIGITS})
    return [
        f"The checkpoint {name!r} was written with {key} {before}, and this run has {value}: the rest may differ in "
        "the last digits."
        for key, (before, value) in slight.items()
    ]


def _free(hyperparameters: Hyperparameters) -> set[str]:
    """A constant learning rate does not depend on how many epochs there will be; a triangular one does."""
    return _FREE | set(_LAST_DIGITS) | ({"epochs"} if hyperparameters.schedule == "constant" else set())


def _differences(then: Mapping[str, object], now: Mapping[str, object]) -> dict[str, tuple[object, object]]:
    return {key: (then.get(key), value) for key, value in now.items() if then.get(key) != value}


def _is_data(key: str) -> bool:
    return key == DATA or key.endswith("images")


def _advice(wrong: Mapping[str, object]) -> str:
    why = (
        "A triangular schedule depends on the number of epochs, so none can be added; under a constant one they can. "
        if wrong.keys() == {"epochs"}
        else ""
    )
    return f"{why}Nothing was changed there. Take another checkpoint folder, or the settings of that run."
