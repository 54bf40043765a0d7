"""
The SageMaker SDKs, imported late and kept quiet.

Their import takes two seconds, and would leave its marks on the whole process: it configures the root logger, so that
the program's own `logging.basicConfig` does nothing, logs to standard output, and replaces `sys.excepthook`. None of
that stays. Their telemetry sends the account's number over plain `requests`, with no time-out: its sender is replaced,
for every workspace alike. While this library calls them, and only in the thread that does, they do not say that their
version 2 will end, nor where to read on about an error that is raised anyway, and an estimator makes no client of the
default session, which is none of the workspace's.
"""

import importlib
import logging
import os
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from botocore.exceptions import BotoCoreError

from mnist_tracking.errors import ConfigError

_MODULES = (  # all that this library uses, so that nothing is imported in the middle of a run
    "sagemaker.analytics",
    "sagemaker.experiments.run",  # imported by fit, and calls logging.basicConfig
    "sagemaker.pytorch",
    "smexperiments.experiment",
    "smexperiments.tracker",
    "smexperiments.trial",
    "smexperiments.trial_component",
)
_PACKAGES = ("sagemaker", "smexperiments")
_lock = threading.RLock()
_loaded = False
_calling: ContextVar[bool] = ContextVar("calling", default=False)


@contextmanager
def quiet() -> Iterator[None]:
    """Load the SDKs, and keep them quiet about themselves inside the block, in this thread."""
    load()
    token = _calling.set(True)
    try:
        yield
    finally:
        _calling.reset(token)


def load() -> None:
    """
    Import the SDKs once; later calls cost nothing.

    Raises:
        ConfigError: If the user's AWS configuration, which they read at import, is wrong.
    """
    global _loaded  # noqa: PLW0603 - imported once for the process
    with _lock:
        if not _loaded:
            _import()
            _patch()
            _loaded = True


def _import() -> None:
    before = set(sys.modules)
    try:
        with _logging_kept(), _excepthook_kept(), _warnings_ignored(), _version_2_untold():
            for name in _MODULES:
                importlib.import_module(name)
    except BaseException as error:  # an interrupt too
        for name in set(sys.modules) - before:
            if name.partition(".")[0] in _PACKAGES:  # half of an SDK would be taken for all of it at the next try
                del sys.modules[name]
        if not isinstance(error, BotoCoreError):
            raise
        raise ConfigError(f"The SageMaker SDK cannot be imported with this AWS configuration: {error}.") from error


def _patch() -> None:
    from sagemaker import deprecations, estimator
    from sagemaker.telemetry import telemetry_logging

    for sender in ("_send_telemetry_request", "_requests_helper"):
        setattr(telemetry_logging, sender, lambda *_args, **_kwargs: None)

    logging.getLogger("sagemaker").addFilter(_is_no_reference)
    is_suppressed, make_app = deprecations._v2_suppressed, estimator.TensorBoardApp
    deprecations._v2_suppressed = lambda: _calling.get() or is_suppressed()
    estimator.TensorBoardApp = lambda region: None if _calling.get() else make_app(region=region)


def _is_no_reference(record: logging.LogRecord) -> bool:
    """Whether a record is more than where to read on, which comes with every error that is raised anyway."""
    return not (_calling.get() and "troubleshooting guide" in record.msg)


@contextmanager
def _logging_kept() -> Iterator[None]:
    """Give the root logger a handler for the time of the import, since `logging.basicConfig` then does nothing."""
    config, nothing = logging.getLogger("sagemaker.config"), logging.NullHandler()
    if config.level == logging.NOTSET:
        config.addFilter(_passes_parent)
    config.addHandler(logging.NullHandler())  # with none, the SDK gives it one on standard output
    logging.root.addHandler(nothing)
    try:
        yield
    finally:
        logging.root.removeHandler(nothing)


def _passes_parent(record: logging.LogRecord) -> bool:
    """Whether the level that the logger would inherit, had the SDK not set one, lets a record through."""
    return logging.getLogger("sagemaker").isEnabledFor(record.levelno)


@contextmanager
def _excepthook_kept() -> Iterator[None]:
    hook = sys.excepthook
    try:
        yield
    finally:
        sys.excepthook = hook


@contextmanager
def _warnings_ignored() -> Iterator[None]:
    """Ignore the import's warnings by one filter that goes again; those that the packages set for themselves stay."""
    filters = warnings.filters
    warnings.filterwarnings("ignore", message="(?s).*")
    added = warnings.filters[0]
    try:
        yield
    finally:
        if added in filters:
            filters.remove(added)  # type: ignore[attr-defined]


@contextmanager
def _version_2_untold() -> Iterator[None]:
    name = "SAGEMAKER_SUPPRESS_V2_WARNING"
    was = os.environ.get(name)
    os.environ[name] = "1"
    try:
        yield
    finally:
        if was is None:
            del os.environ[name]
        else:
            os.environ[name] = was
