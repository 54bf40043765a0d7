"""Unmodified programs on the embedded SageMaker: their environment, and the engine that answers their boto sessions."""

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
_OWN_FILES = (
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
)  # programs may name profiles in them; no credentials are ever sent
_NOWHERE = "http://127.0.0.1:9"  # for programs not written in Python: the port of "discard", where nothing listens


def environment(home: Path, region: str, given: Mapping[str, str]) -> dict[str, str]:
    """
    Return the environment of a program whose boto sessions, and those of its children, use an embedded SageMaker.

    A program that ignores it (because it is written in another language, or runs with ``python -S``) has no credentials
    and no AWS endpoints.

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
    """Connect a new botocore session to the engine of this process."""
    if session.session_var_map["config_file"][2] == os.devnull:
        return  # created by an engine, which answers it itself
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
