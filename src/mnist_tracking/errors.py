"""
Every error this library raises, as one tree.

::

    MnistTrackingError
    ├── ConfigError(ValueError)              wrong argument; nothing was sent
    ├── DatasetError(ValueError)             missing, damaged or wrong data
    ├── DivergedError(ArithmeticError)       a loss or a weight is not finite
    ├── StoppedError(RuntimeError)           a signal stopped the training
    ├── ProcessLostError(ConnectionError)    a distributed process is gone
    ├── NotFoundError(LookupError)           no such name
    ├── AlreadyExistsError                   the name is taken
    ├── StateError(RuntimeError)             legal call, wrong moment
    ├── JobFailedError(RuntimeError)         a job or an endpoint failed
    ├── JobTimeoutError(TimeoutError)        waiting took too long
    ├── ServiceError(RuntimeError)           any other AWS error
    │   ├── AccessDeniedError(PermissionError)
    │   └── ThrottledError                   after botocore's retries
    ├── UnsupportedOperationError(NotImplementedError)
    └── MissingDependencyError(ImportError)  shows the pip command

Each class derives from the built-in exception in parentheses, too. Its attributes hold the facts from which its message
is built, and it can be pickled. Standard library only: this module travels with training jobs.
"""

from collections.abc import Sequence
from typing import Literal

__all__ = [
    "AccessDeniedError",
    "AlreadyExistsError",
    "ConfigError",
    "DatasetError",
    "DivergedError",
    "JobFailedError",
    "JobTimeoutError",
    "MissingDependencyError",
    "MnistTrackingError",
    "NotFoundError",
    "ProcessLostError",
    "ServiceError",
    "StateError",
    "StateReason",
    "StoppedError",
    "ThrottledError",
    "UnsupportedOperationError",
]


class MnistTrackingError(Exception):
    """The root of all errors that this library raises on purpose."""


class ConfigError(MnistTrackingError, ValueError):
    """An argument is wrong. Nothing was sent, started or changed."""


class DatasetError(MnistTrackingError, ValueError):
    """Data is missing, truncated, corrupt, or not the expected data."""


class DivergedError(MnistTrackingError, ArithmeticError):
    """
    Training was stopped because a loss or a weight is not finite.

    Attributes:
        loss: Its value.
        moment: When it was found, such as ``"epoch 2, step 31"``.
        subject: What is not finite, such as ``"The loss"``.
    """

    def __init__(self, loss: float, moment: str, subject: str = "The loss") -> None:
        super().__init__(loss, moment, subject)
        self.loss, self.moment, self.subject = loss, moment, subject

    def __str__(self) -> str:
        return f"{self.subject} is {self.loss} in {self.moment}, so training was stopped. A smaller lr may help."


class StoppedError(MnistTrackingError, RuntimeError):
    """
    Training was stopped by a signal, after writing a checkpoint.

    Attributes:
        signal: The signal, such as ``"SIGTERM"``.
        moment: After what the checkpoint was written, such as ``"step 31 of epoch 2"``.
    """

    def __init__(self, signal: str, moment: str) -> None:
        super().__init__(signal, moment)
        self.signal, self.moment = signal, moment

    def __str__(self) -> str:
        return (
            f"Stopped by {self.signal} after {self.moment}; run the same command again to resume from its checkpoint."
        )


class ProcessLostError(MnistTrackingError, ConnectionError):
    """A process of a distributed training has ended, or cannot be reached."""


class NotFoundError(MnistTrackingError, LookupError):
    """
    A named thing does not exist.

    Attributes:
        kind: What was looked for, such as ``"trial"``.
        name: The name that was given.
        existing: Existing names, nearest first; may be empty.
    """

    def __init__(self, kind: str, name: str, existing: Sequence[str] = ()) -> None:
        super().__init__(kind, name, tuple(existing))
        self.kind, self.name, self.existing = kind, name, tuple(existing)

    def __str__(self) -> str:
        there = ", ".join(map(repr, self.existing))
        return f"No {self.kind} named {self.name!r}." + (f" Existing: {there}." if there else "")


class AlreadyExistsError(MnistTrackingError):
    """
    The name is taken.

    Attributes:
        kind: What was to be created, such as ``"experiment"``.
        name: The name that is taken.
        remedy: What to do, as in the message.
    """

    def __init__(self, kind: str, name: str, remedy: str = "Choose another name, or load that one.") -> None:
        super().__init__(kind, name, remedy)
        self.kind, self.name, self.remedy = kind, name, remedy

    def __str__(self) -> str:
        article = "An" if self.kind[:1] in "aeiou" else "A"
        return f"{article} {self.kind} named {self.name!r} already exists. {self.remedy}"


StateReason = Literal[
    "already-entered",  # a step's block is entered a second time
    "damaged",  # an archive cannot be read
    "ended",  # a step takes no more values
    "in-progress",  # an endpoint is being created or updated
    "in-use",  # another process is writing to the folder
    "interrupted",  # a result was not read to its end
    "mismatch",  # an exported model differs from the original
    "no-checkpoints",  # a trial to resume from has none
    "no-difference",  # trials, or their values, cannot be told apart
    "no-job",
    "no-metric",  # no completed trial has a value for the objective
    "no-model",
    "no-script",  # nothing can serve the model
    "no-training",
    "not-begun",  # a step takes no values yet
    "not-completed",
    "not-in-service",
    "outstanding",  # the final value of a metric has not reached its trial yet
    "too-few",  # a statistic needs more trials
    "unwritable",  # a folder cannot be written
    "wrong-model",  # the model is of another kind
]
"""Why a call is not possible at this moment."""


class StateError(MnistTrackingError, RuntimeError):
    """
    A legal call at the wrong moment.

    Attributes:
        kind: What the call was about, such as ``"endpoint"``.
        name: Its name.
        reason: Why the call is not possible, for programs to branch on.
        detail: The same for people: the state it is in, and what that rules out.
    """

    def __init__(self, kind: str, name: str, reason: StateReason, detail: str) -> None:
        super().__init__(kind, name, reason, detail)
        self.kind, self.name, self.reason, self.detail = kind, name, reason, detail

    def __str__(self) -> str:
        return f"The {self.kind} {self.name!r} {self.detail}."


class JobFailedError(MnistTrackingError, RuntimeError):
    """
    A training job or an endpoint ended in failure.

    Attributes:
        job_name: The name of the job.
        reason: SageMaker's ``FailureReason``.
        log_tail: The last lines of its log, oldest first.
        hint: What to do about a mistake that the log shows; empty for any other failure.
    """

    def __init__(self, job_name: str, reason: str, log_tail: Sequence[str] = (), hint: str = "") -> None:
        super().__init__(job_name, reason, tuple(log_tail), hint)
        self.job_name, self.reason, self.log_tail, self.hint = job_name, reason, tuple(log_tail), hint

    def __str__(self) -> str:
        hint = f"\n{self.hint}" if self.hint else ""
        return f"{self.job_name!r} failed: {self.reason}{_end_of_log(self.log_tail)}{hint}"


def _end_of_log(lines: Sequence[str]) -> str:
    return "\n  | ".join(["\nThe end of its log:", *lines]) if lines else ""


class JobTimeoutError(MnistTrackingError, TimeoutError):
    """
    Waiting took longer than allowed.

    Attributes:
        job_name: The name of the job or endpoint.
        waited_s: How long the call waited, in seconds.
        outcome: What happens to it now: a job keeps running, an endpoint is deleted.
        log_tail: The last lines of its log, oldest first; empty if they were not read.
    """

    def __init__(
        self,
        job_name: str,
        waited_s: float,
        outcome: str = "It keeps running; wait again, or stop it.",
        log_tail: Sequence[str] = (),
    ) -> None:
        super().__init__(job_name, waited_s, outcome, tuple(log_tail))
        self.job_name, self.waited_s = job_name, waited_s
        self.outcome, self.log_tail = outcome, tuple(log_tail)

    def __str__(self) -> str:
        return f"{self.job_name!r} took longer than {self.waited_s:g} s. {self.outcome}{_end_of_log(self.log_tail)}"


class ServiceError(MnistTrackingError, RuntimeError):
    """
    An AWS call failed, and no more specific class of this tree fits.

    Attributes:
        code: AWS's error code, such as ``"ValidationException"``.
        operation: The API operation, such as ``"CreateTrial"``.
        detail: AWS's own message.
        request_id: AWS's request id; empty if there was none.
    """

    def __init__(self, code: str, operation: str, detail: str, request_id: str = "") -> None:
        super().__init__(code, operation, detail, request_id)
        self.code, self.operation, self.detail, self.request_id = code, operation, detail, request_id

    def __str__(self) -> str:
        return f"{self.operation} failed ({self.code}): {self.detail}"


NO_CREDENTIALS = "NoCredentials"
HOW_TO_SIGN_IN = "set AWS_PROFILE, or run: aws configure (or: aws sso login)"
_EXPIRED = ("ExpiredToken", "ExpiredTokenException", "RequestExpired")


class AccessDeniedError(ServiceError, PermissionError):
    """The credentials do not allow this, have expired, or are missing."""

    @property
    def is_expired(self) -> bool:
        """Whether the credentials have expired, so that no call succeeds any more."""
        return self.code in _EXPIRED

    def __str__(self) -> str:
        if self.code == NO_CREDENTIALS:
            return f"No AWS credentials found. Pass profile=, {HOW_TO_SIGN_IN}."
        said = super().__str__()
        if not self.is_expired:
            return said
        ended = "" if said.endswith(".") else "."
        return f"{said}{ended} Renew the credentials and call again; running jobs are not affected."


class ThrottledError(ServiceError):
    """Still throttled after botocore's retries."""


class UnsupportedOperationError(MnistTrackingError, NotImplementedError):
    """
    The embedded SageMaker does not implement this operation.

    Attributes:
        service: The service, such as ``"sagemaker"``.
        operation: The API operation, such as ``"CreateAutoMLJob"``.
    """

    def __init__(self, service: str, operation: str) -> None:
        super().__init__(service, operation)
        self.service, self.operation = service, operation

    def __str__(self) -> str:
        return (
            f"The embedded SageMaker does not implement {self.service}:{self.operation}. "
            "Nothing was sent. An AWS workspace supports the call."
        )


_PACKAGES = {  # of each extra of pyproject.toml; a test holds the two equal
    "demo": ("torch", "matplotlib", "scikit-learn"),
    "parquet": ("pyarrow",),
    "plots": ("matplotlib",),
    "serving": ("onnx", "onnxruntime", "pillow"),
    "sweeps": ("optuna", "cmaes", "scipy"),
    "training": ("torch",),
}


class MissingDependencyError(MnistTrackingError, ImportError):
    """
    An optional package is not installed.

    Attributes:
        package: The package that is missing.
        extra: The extra of this library that installs it.
    """

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(package, extra)
        self.package, self.extra = package, extra

    def __str__(self) -> str:
        return f"{self.package} is not installed. Run: pip install {' '.join(_PACKAGES[self.extra])}"
