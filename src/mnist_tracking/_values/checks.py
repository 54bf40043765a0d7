"""
The names of what is recorded: parameters, metrics, inputs and outputs. SageMaker takes any text, in one line.

Standard library only: this module travels with training jobs.
"""

import re
from typing import Literal

from mnist_tracking._values.shown import shortened
from mnist_tracking.errors import ConfigError

__all__ = ["MEDIA_TYPE", "Kind", "check_key"]

#: What SageMaker takes for the type of a file, in at most 64 characters.
MEDIA_TYPE = re.compile(r"(?=.{1,64}$)[-\w]+/[-\w+]+")

Kind = Literal["artifact", "hyperparameter", "input", "metric", "output", "parameter"]
_LONGEST: dict[Kind, int] = {
    "artifact": 128,
    "hyperparameter": 256,
    "input": 128,
    "metric": 255,
    "output": 128,
    "parameter": 320,
}
_OF_THE_SDK = "sagemaker_"  # its own hyperparameters


def check_key(kind: Kind, name: object) -> str:
    """
    Return *name* if something of that kind can be recorded under it.

    Raises:
        ConfigError: If it is no text, empty, too long, of several lines, or the SDK's own.
    """
    is_taken = kind == "hyperparameter" and isinstance(name, str) and name.startswith(_OF_THE_SDK)
    if isinstance(name, str) and len(name) <= _LONGEST[kind] and name.splitlines() == [name] and not is_taken:
        return name
    own = f", which does not begin with {_OF_THE_SDK!r}" if kind == "hyperparameter" else ""
    raise ConfigError(
        f"The {kind} name {shortened(name)} is refused: a text of 1 to {_LONGEST[kind]} characters in one line is "
        f"needed{own}."
    )
