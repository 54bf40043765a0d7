"""The job that trains the CNN of `mnist_tracking.training`."""

from mnist_tracking._values.records import Scalar
from mnist_tracking._values.specs import DATA, JobSpec, Objective
from mnist_tracking.training import entry
from mnist_tracking.training.hyperparameters import check_overrides

__all__ = ["mnist_job"]


def mnist_job(*, instance_type: str = "ml.m5.xlarge", instance_count: int = 1, **hyperparameters: Scalar) -> JobSpec:
    """
    Describe the training of the CNN of `mnist_tracking.training`.

    Args:
        instance_type: SageMaker's instance type.
        instance_count: How many hosts train together; what is computed is the same.
        **hyperparameters: What differs from the defaults, such as ``epochs=2``.

    Raises:
        ConfigError: If a hyperparameter is unknown or its value is wrong. Needs no torch.

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
        check=check_overrides,
        required_inputs=(DATA,),
        dataset_reader="mnist_tracking.mnist.datasets:read_mnist",
        adapter="mnist_tracking.mnist.endpoint:predict_digits",
    )
