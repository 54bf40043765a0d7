"""Unmodified programs on the embedded SageMaker: their environment, and the engine that answers their boto sessions."""

import atexit
import contextlib
import io
import os
from collections.abc import Mapping
from configparser import Error as ConfigParserError
from configparser import RawConfigParser
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from mnist_tracking._values.files import write_atomically
from mnist_tracking.embedded.engine import EmbeddedSageMaker

if TYPE_CHECKING:
    from botocore.session import Session

__all__ = ["answer", "environment"]

_HOME = "MNIST_TRACKING_HOME"
_STARTUP = Path(__file__).parent / "startup"
_FILES = {"AWS_CONFIG_FILE": "~/.aws/config", "AWS_SHARED_CREDENTIALS_FILE": "~/.aws/credentials"}
_KEPT = ("region", "output")  # of a profile; everything else may be a secret, or lead to one
_KEYS = {"aws_access_key_id": "embedded", "aws_secret_access_key": "embedded"}
_NOWHERE = "http://127.0.0.1:9"  # for programs not written in Python: the port of "discard", where nothing listens


def environment(home: Path, region: str, given: Mapping[str, str]) -> dict[str, str]:
    """
    Return the environment of a program whose boto sessions, and those of its children, use an embedded SageMaker.

    A program that ignores it (because it is written in another language, or runs with ``python -S``) has no credentials
    and no AWS endpoints: the user's profiles are there, in copies without keys. The fence ends where a program drops
    this environment: a child that gets one of its own, but the user's HOME, finds the user's own files.

    Args:
        home: The folder of the embedded SageMaker.
        region: Its region.
        given: The environment that the program would have otherwise.
    """
    kept = {name: value for name, value in given.items() if not name.startswith("AWS_")}
    path = [str(_STARTUP), *filter(None, [given.get("PYTHONPATH")])]
    return {
        **kept,
        **{name: str(_copy_profiles(name, home, given)) for name in _FILES},
        _HOME: str(home.absolute()),
        "MNIST_TRACKING_BACKEND": "embedded",
        "PYTHONPATH": os.pathsep.join(path),
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        **{name.upper(): value for name, value in _KEYS.items()},
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": _NOWHERE,
    }


def _copy_profiles(variable: str, home: Path, given: Mapping[str, str]) -> Path:
    """Write a copy of a configuration file that has its profiles, but no secrets; return its path."""
    original = Path(os.path.expanduser(given.get(variable) or _FILES[variable]))
    found, copy = RawConfigParser(strict=False, default_section=""), RawConfigParser(default_section="")
    with contextlib.suppress(OSError, UnicodeError, ConfigParserError):  # what cannot be read has no profiles
        found.read_string(original.read_text(encoding="utf-8"))
    for profile in found.sections():
        copy[profile] = {name: value for name, value in found.items(profile) if name in _KEPT}
        if variable == "AWS_SHARED_CREDENTIALS_FILE":
            copy[profile].update(_KEYS)
    text = io.StringIO()
    copy.write(text)
    path = home.absolute() / "exec" / Path(_FILES[variable]).name
    write_atomically(path, text.getvalue())
    return path


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
