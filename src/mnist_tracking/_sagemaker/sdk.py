"""
The SageMaker SDKs, imported late and kept quiet.

Their import takes two seconds and warns of its own deprecations; their telemetry sends the account's number over plain
`requests`, with no time-out. The one patch of this library replaces that sender, for every workspace alike.
"""

import logging
import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

_lock = threading.RLock()
_loaded = False


def load() -> None:
    """Import the SDKs once; later calls cost nothing."""
    global _loaded  # noqa: PLW0603 - imported once for the process
    with _lock:
        if not _loaded:
            _import()
            _loaded = True


def _import() -> None:
    was = os.environ.get("SAGEMAKER_SUPPRESS_V2_WARNING")
    os.environ["SAGEMAKER_SUPPRESS_V2_WARNING"] = "1"
    _calm("sagemaker.config", logging.WARNING)  # its INFO lines would go to standard output
    _calm("sagemaker.deprecations", logging.ERROR)  # said in our docs, once, and not at each of its classes
    _calm("sagemaker", logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from sagemaker.telemetry import telemetry_logging
    finally:
        if was is None:
            del os.environ["SAGEMAKER_SUPPRESS_V2_WARNING"]
    _silence(telemetry_logging)


def _calm(name: str, level: int) -> None:
    """Set the level of one of the SDK's loggers, unless the user has."""
    logger = logging.getLogger(name)
    if logger.level == logging.NOTSET:
        logger.setLevel(level)


def _silence(telemetry: ModuleType) -> None:
    for sender in ("_send_telemetry_request", "_requests_helper"):
        setattr(telemetry, sender, lambda *_args, **_kwargs: None)


@contextmanager
def quiet() -> Iterator[None]:
    """Load the SDKs, and ignore the warnings that they raise about themselves inside the block."""
    load()
    with warnings.catch_warnings():
        for category in (DeprecationWarning, FutureWarning, UserWarning, ResourceWarning):
            warnings.filterwarnings("ignore", category=category, module=r"(sagemaker|smexperiments)(\.|$)")
        warnings.filterwarnings("ignore", message=".*[Ss]age[Mm]aker.*v?2.*")
        yield
