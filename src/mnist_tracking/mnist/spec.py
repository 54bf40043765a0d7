"""The specification of the job that trains the CNN."""

from mnist_tracking._values.records import ParameterValue
from mnist_tracking._values.specs import DATA, JobSpec, Objective
from mnist_tracking.training import entry
from mnist_tracking.training.hyperparameters import check_overrides

__all__ = ["mnist_job"]


def mnist_job(
    *,
    instance_type: str = "ml.m5.xlarge",
    instance_count: int = 1,
    max_run_s: int = 3600,
    **hyperparameters: ParameterValue,
) -> JobSpec:
    """
    Return the specification of a job that trains the CNN of `mnist_tracking.training`. Does not need torch.

    Args:
        instance_type: The SageMaker instance type.
        instance_count: The number of hosts that train together; it does not change the result.
        max_run_s: The maximum run time of the job, in seconds, after which SageMaker stops it.
        **hyperparameters: The hyperparameters that differ from their defaults, such as ``epochs=2``.

    Raises:
        ConfigError: If a hyperparameter is unknown, or its value is not allowed.

    Example:
        >>> mnist_job(epochs=2, dropout=0.2).objective.metric
        'validation:accuracy'
        >>> mnist_job(epoch=2)
        Traceback (most recent call last):
        ...
        mnist_tracking.errors.ConfigError: ...
    """
    check_overrides(hyperparameters)
    return JobSpec(
        entry_point=entry.ENTRY_POINT,
        source_dir=str(entry.SOURCE_DIR),
        dependencies=(str(entry.PACKAGE_DIR),),
        hyperparameters=hyperparameters,
        metrics=entry.METRIC_REGEXES,
        objective=Objective("validation:accuracy", statistic="max"),
        instance_type=instance_type,
        instance_count=instance_count,
        max_run_s=max_run_s,
        check=check_overrides,
        required_inputs=(DATA,),
        dataset_reader="mnist_tracking.mnist.datasets:read_mnist",
        adapter="mnist_tracking.mnist.endpoint:predict_digits",
    )
