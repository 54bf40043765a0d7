"""
The SageMaker SDKs: imported late, and without their side effects.

Importing them takes two seconds, a fifth of it for smexperiments, which is imported alone where it is enough. Importing
sagemaker configures the root logger (so that a later `logging.basicConfig` does nothing), logs to standard output,
and replaces how Python and IPython show exceptions. This module undoes all of that. Their telemetry sends the account
ID by plain `requests`, without a timeout: its sender is replaced for the whole process. While this library calls the
SDKs, and only in the calling thread, they neither announce the end of their version 2 nor log a link to their
troubleshooting guide, an estimator creates no client of the default session, and a model's archive is unpacked as this
library does it. Three things that they would compute again for each look-up are computed once per process: whether the
schema of their config files is valid, whether a content of those files is, and botocore's endpoints.
"""

import builtins
import gc
import importlib
import logging
import os
import sys
import tarfile
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import BotoCoreError

from mnist_tracking._values.archives import unpack
from mnist_tracking.errors import ConfigError

_EXPERIMENTS = (  # everything this library uses, so that nothing is imported in the middle of a run
    "smexperiments.experiment",
    "smexperiments.tracker",
    "smexperiments.trial",
    "smexperiments.trial_component",
)
_ALL = (
    "sagemaker.analytics",
    "sagemaker.experiments.run",  # imported by fit, and calls logging.basicConfig
    "sagemaker.pytorch",
    *_EXPERIMENTS,
)
_PACKAGES = ("sagemaker", "smexperiments")
_SHELL_HOOKS = ("_showtraceback", "showtraceback", "showsyntaxerror")
_lock = threading.RLock()
_loaded: set[str] = set()
_patched = False
_calling: ContextVar[bool] = ContextVar("calling", default=False)


@contextmanager
def quiet() -> Iterator[None]:
    """Load the SDKs, and suppress their notices inside the block, in this thread."""
    load()
    with _calls():
        yield


@contextmanager
def quiet_experiments() -> Iterator[None]:
    """Do as `quiet`, for calls of smexperiments alone: the other SDK is not loaded."""
    _load(_EXPERIMENTS)
    with _calls():
        yield


@contextmanager
def _calls() -> Iterator[None]:
    token = _calling.set(True)
    try:
        yield
    finally:
        _calling.reset(token)


def load() -> None:
    """
    Import the SDKs, once per process.

    Raises:
        ConfigError: If they cannot be imported with the user's AWS configuration, which they read.
    """
    global _patched  # noqa: PLW0603 - once per process
    with _lock:
        if not _patched:
            _load(_ALL)
            _patch()
            _patched = True


def _load(modules: tuple[str, ...]) -> None:
    with _lock:
        if missing := [name for name in modules if name not in _loaded]:
            _import(missing)
            _loaded.update(missing)


def _import(modules: list[str]) -> None:
    before = set(sys.modules)
    try:
        with (
            _logging_preserved(),
            _tracebacks_preserved(),
            _warnings_ignored(),
            _end_of_version_2_suppressed(),
            _collection_paused(),
        ):
            for name in modules:
                importlib.import_module(name)
    except BaseException as error:  # an interrupt too
        for name in set(sys.modules) - before:
            if name.partition(".")[0] in _PACKAGES:  # the next import must not find half an SDK
                del sys.modules[name]
        if not isinstance(error, BotoCoreError):
            raise
        raise ConfigError(f"The SageMaker SDK cannot be imported with this AWS configuration: {error}.") from error


def _patch() -> None:
    from sagemaker import deprecations, estimator, utils
    from sagemaker.config import config
    from sagemaker.telemetry import telemetry_logging

    for sender in ("_send_telemetry_request", "_requests_helper"):
        setattr(telemetry_logging, sender, lambda *_args, **_kwargs: None)

    logging.getLogger("sagemaker").addFilter(_is_wanted)
    is_suppressed, make_app = deprecations._v2_suppressed, estimator.TensorBoardApp
    deprecations._v2_suppressed = lambda: _calling.get() or is_suppressed()
    estimator.TensorBoardApp = lambda region: None if _calling.get() else make_app(region=region)
    extract = utils.custom_extractall_tarfile
    utils.custom_extractall_tarfile = lambda tar, folder: (
        _unpack(tar, folder) if _calling.get() else extract(tar, folder)
    )
    config.jsonschema = SimpleNamespace(validate=_validating(config.SAGEMAKER_PYTHON_SDK_CONFIG_SCHEMA))
    utils._botocore_resolver = cache(utils._botocore_resolver)


def _validating(schema: dict[str, Any]) -> Callable[[object, object], None]:
    """Return what `jsonschema.validate` does for one schema; the SDK calls it for each of 60 look-ups of a setting."""
    from jsonschema.exceptions import best_match  # type: ignore[import-untyped]
    from jsonschema.validators import validator_for  # type: ignore[import-untyped]

    validator = validator_for(schema)(schema)
    valid: set[str] = set()

    def validate(instance: object, _schema: object) -> None:
        content = repr(instance)
        if content in valid:
            return
        error = best_match(validator.iter_errors(instance))
        if error is not None:
            raise error
        valid.add(content)

    return validate


def _unpack(tar: tarfile.TarFile, folder: str) -> None:
    """Unpack a model, which may be somebody else's, before the SDK packs it again with its code."""
    unpack(Path(str(tar.name)), Path(folder))


def _is_wanted(record: logging.LogRecord) -> bool:
    """Whether a record is more than a link to the troubleshooting guide, which is logged with every raised error."""
    return not (_calling.get() and "troubleshooting guide" in record.msg)


@contextmanager
def _logging_preserved() -> Iterator[None]:
    """Give the root logger a handler during the import, so that the SDKs' `logging.basicConfig` does nothing."""
    config, nothing = logging.getLogger("sagemaker.config"), logging.NullHandler()
    if config.level == logging.NOTSET:
        config.addFilter(_passes_parent)
    config.addHandler(logging.NullHandler())  # without one, the SDK adds one for standard output
    logging.root.addHandler(nothing)
    try:
        yield
    finally:
        logging.root.removeHandler(nothing)


def _passes_parent(record: logging.LogRecord) -> bool:
    """Whether a record passes the level that the logger would inherit if the SDK had not set one."""
    return logging.getLogger("sagemaker").isEnabledFor(record.levelno)


@contextmanager
def _tracebacks_preserved() -> Iterator[None]:
    """Undo what `rich.traceback.install` replaces, in Python and in the IPython shell of a notebook."""
    hook, shell = sys.excepthook, getattr(builtins, "get_ipython", lambda: None)()
    own = {name: vars(shell).get(name) for name in _SHELL_HOOKS} if shell is not None else {}
    try:
        yield
    finally:
        sys.excepthook = hook
        for name, was in own.items():
            vars(shell).pop(name, None)
            if was is not None:
                setattr(shell, name, was)


@contextmanager
def _collection_paused() -> Iterator[None]:
    """Suspend garbage collection, which takes a quarter of the time of the import."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@contextmanager
def _warnings_ignored() -> Iterator[None]:
    """Ignore the warnings of the import by a temporary filter; filters that the packages add are preserved."""
    filters = warnings.filters
    warnings.filterwarnings("ignore", message="(?s).*")
    added = warnings.filters[0]
    try:
        yield
    finally:
        if added in filters:
            filters.remove(added)  # type: ignore[attr-defined]


@contextmanager
def _end_of_version_2_suppressed() -> Iterator[None]:
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
