"""
Reserved parameters of trial components: what this library has found out about their metrics, and how they ended.

SageMaker keeps finite values only, so a training that diverged looks like a short one. The job, the
program that trains or the one that waits for the job, writes it down once. Standard library only: this module travels
with training jobs.
"""

from collections.abc import Mapping, Sequence

#: Begins the names of all parameters that this library reserves.
RESERVED = "mnist-tracking:"

#: Begins the names of all hyperparameters that it reserves: SageMaker's toolkits pass none with ``sagemaker_`` on.
JOB_RESERVED = "sagemaker_mnist_tracking_"

#: The hyperparameter of a job of a sweep: its place in the sweep, as JSON.
SWEEP = f"{JOB_RESERVED}sweep"

#: Begins the name of a parameter with the value, not finite, that a metric ends with; the metric's name follows.
NON_FINITE = f"{RESERVED}non-finite."

#: Begins the name of a parameter with what SageMaker does not have of a metric, in words; the metric's name follows.
DROPPED = f"{RESERVED}dropped."

#: Begins the name of a parameter with the last finite values of a metric, the oldest first; the metric's name follows.
TAIL = f"{RESERVED}tail."

#: The parameter of a component whose metrics were read to the end of the training, whether they are finite or not.
CHECKED = f"{RESERVED}checked"

#: The parameter of a component whose job was stopped: why, or SageMaker's name of the time limit that ended it. The tag
#: of a job that was stopped before its component existed has the same name.
STOP_REASON = f"{RESERVED}stop-reason"

#: The parameter of a component with the seconds that SageMaker bills for each instance of its job.
BILLABLE = f"{RESERVED}billable-s"

#: Why a job was stopped by Ctrl-C.
INTERRUPTED = "interrupted"

#: How the reason begins with which a strategy stops a trial.
PRUNED = "pruned"

#: The parameter of a component of a trial of a sweep: the values of the objective, each as ``step:value``.
REPORTED = f"{RESERVED}reported"


def marked(parameters: Mapping[str, object], kind: str) -> dict[str, str]:
    """
    Return what was found out about metrics, by metric.

    Args:
        parameters: The decoded parameters of a component.
        kind: `NON_FINITE` or `DROPPED`.

    Example:
        >>> marked({"mnist-tracking:non-finite.loss": "nan", "mnist-tracking:checked": True, "lr": 0.1}, NON_FINITE)
        {'loss': 'nan'}
    """
    return {
        name.removeprefix(kind): str(value) for name, value in parameters.items() if name.startswith(kind) and value
    }


def tail_parameters(tails: Mapping[str, Sequence[float]], *, longer_than: int = 2) -> dict[str, str]:
    """
    Return the parameters that record the last values of metrics; up to two values follow from SageMaker's statistics.

    Example:
        >>> tail_parameters({"loss": (0.5, 0.25, 0.125), "accuracy": (0.9,)})
        {'mnist-tracking:tail.loss': '0.5 0.25 0.125'}
    """
    return {f"{TAIL}{name}": " ".join(map(repr, tail)) for name, tail in tails.items() if len(tail) > longer_than}
