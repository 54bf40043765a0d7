"""Check whether a run can resume from a checkpoint: which settings must match, may differ, or affect rounding."""

from collections.abc import Mapping
from typing import Any

from mnist_tracking.errors import ConfigError
from mnist_tracking.training.hyperparameters import Hyperparameters

__all__ = ["DATA", "check_fit"]

#: The name of the data's checksum among the circumstances.
DATA = "the data's checksum"

# These do not affect the weights, or only through a circumstance that is compared separately.
_FREE = {"recipe", "log_interval", "test_batch_size", "checkpoint_s", "device", "backend"}
_LAST_DIGITS = ("threads",)


def check_fit(
    name: str, content: Mapping[str, Any], hyperparameters: Hyperparameters, circumstances: Mapping[str, int | str]
) -> list[str]:
    """
    Compare a checkpoint with the run that resumes from it.

    Args:
        name: Name of the checkpoint in messages.
        content: The checkpoint.
        hyperparameters: The run's hyperparameters.
        circumstances: Other facts that the run's result depends on, by name.

    Returns:
        A warning for each difference that may change the last digits of results; empty if the resumed run is
        bit-identical.

    Raises:
        ConfigError: If the checkpoint belongs to a different run; the message lists every difference.
    """
    then, now = content["hyperparameters"], hyperparameters.as_dict()
    free = _free(hyperparameters)
    others = _differences(then, {key: value for key, value in now.items() if key not in free})
    around = _differences(content["circumstances"], circumstances)
    wrong = others | {key: pair for key, pair in around.items() if _is_data(key)}
    if wrong:
        listed = "; ".join(f"{key} was {before!r} and is {value!r}" for key, (before, value) in wrong.items())
        raise ConfigError(f"The checkpoint {name!r} belongs to a different run: {listed}. {_advice(wrong)}")
    slight = around | _differences(then, {key: now[key] for key in _LAST_DIGITS})
    return [
        f"The checkpoint {name!r} was written with {key} {before}, but this run uses {value}: results may differ in "
        "the last digits."
        for key, (before, value) in slight.items()
    ]


def _free(hyperparameters: Hyperparameters) -> set[str]:
    """Return the settings that may differ; epochs only if the learning rate does not depend on their number."""
    return _FREE | set(_LAST_DIGITS) | ({"epochs"} if hyperparameters.schedule == "constant" else set())


def _differences(then: Mapping[str, object], now: Mapping[str, object]) -> dict[str, tuple[object, object]]:
    return {key: (then.get(key), value) for key, value in now.items() if then.get(key) != value}


def _is_data(key: str) -> bool:
    return key == DATA or key.endswith("images")


def _advice(wrong: Mapping[str, object]) -> str:
    why = (
        "A triangular schedule depends on the number of epochs, so it cannot change; a constant schedule allows it. "
        if wrong.keys() == {"epochs"}
        else ""
    )
    return f"{why}No file was changed. Use another checkpoint folder, or that run's settings."
