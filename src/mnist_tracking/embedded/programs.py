"""A whole process on the embedded SageMaker: every boto session that anything in it makes."""

import atexit
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from mnist_tracking.embedded.engine import EmbeddedSageMaker

if TYPE_CHECKING:
    from botocore.session import Session

__all__ = ["answer", "environment"]

_HOME = "MNIST_TRACKING_HOME"
_STARTUP = Path(__file__).parent / "startup"
_OWN_FILES = ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")  # programs name profiles; nothing is sent with them
_NOWHERE = "http://127.0.0.1:9"  # for what is no Python program: the port of "discard", where nothing listens


def environment(home: Path, region: str, given: Mapping[str, str]) -> dict[str, str]:
    """
    Return the environment of a program whose boto sessions are answered from a folder, those of its children too.

    What makes no use of it (a program in another language, ``python -S``) is left without credentials and without
    AWS's addresses.

    Args:
        home: The folder of the embedded SageMaker.
        region: Its region.
        given: The environment that the program would have otherwise.
    """
    kept = {name: value for name, value in given.items() if not name.startswith("AWS_") or name in _OWN_FILES}
    path = [str(_STARTUP), *filter(None, [given.get("PYTHONPATH")])]
    return {
        **kept,
        _HOME: str(home.absolute()),
        "MNIST_TRACKING_BACKEND": "embedded",
        "PYTHONPATH": os.pathsep.join(path),
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_ACCESS_KEY_ID": "embedded",
        "AWS_SECRET_ACCESS_KEY": "embedded",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": _NOWHERE,
    }


def answer(session: "Session") -> None:
    """Have the engine of this process answer a botocore session that was just made."""
    if session.session_var_map["config_file"][2] == os.devnull:
        return  # made by an engine, which answers it itself
    engine = _engine()
    session.set_credentials("embedded", "embedded")
    session.set_config_variable("region", engine.identity.region)
    session.set_config_variable("ignore_configured_endpoint_urls", True)
    engine.install(session)


@cache
def _engine() -> EmbeddedSageMaker:
    engine = EmbeddedSageMaker(os.environ[_HOME])
    atexit.register(engine.close)
    return engine
