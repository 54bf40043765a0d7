"""The public names of `mnist_tracking`, listed once: `__init__.py` reads them from here."""

from mnist_tracking._values import where as where
from mnist_tracking._values.specs import JobSpec as JobSpec
from mnist_tracking._values.specs import MetricDefinition as MetricDefinition
from mnist_tracking._values.specs import Objective as Objective
from mnist_tracking.errors import AccessDeniedError as AccessDeniedError
from mnist_tracking.errors import AlreadyExistsError as AlreadyExistsError
from mnist_tracking.errors import ConfigError as ConfigError
from mnist_tracking.errors import DatasetError as DatasetError
from mnist_tracking.errors import JobFailedError as JobFailedError
from mnist_tracking.errors import JobTimeoutError as JobTimeoutError
from mnist_tracking.errors import MissingDependencyError as MissingDependencyError
from mnist_tracking.errors import MnistTrackingError as MnistTrackingError
from mnist_tracking.errors import NotFoundError as NotFoundError
from mnist_tracking.errors import ServiceError as ServiceError
from mnist_tracking.errors import StateError as StateError
from mnist_tracking.errors import ThrottledError as ThrottledError
from mnist_tracking.errors import UnsupportedOperationError as UnsupportedOperationError
from mnist_tracking.experiments.runner import ExperimentRunner as ExperimentRunner
from mnist_tracking.experiments.steps import LocalTrial as LocalTrial
from mnist_tracking.experiments.steps import Step as Step
from mnist_tracking.experiments.submission import SubmittedTrial as SubmittedTrial
from mnist_tracking.experiments.sweep import HyperparameterSweep as HyperparameterSweep
from mnist_tracking.experiments.sweep.conditions import when as when
from mnist_tracking.experiments.sweep.dimensions import choice as choice
from mnist_tracking.experiments.sweep.dimensions import fixed as fixed
from mnist_tracking.experiments.sweep.dimensions import integers as integers
from mnist_tracking.experiments.sweep.dimensions import loguniform as loguniform
from mnist_tracking.experiments.sweep.dimensions import uniform as uniform
from mnist_tracking.experiments.sweep.rules import StopRules as StopRules
from mnist_tracking.experiments.sweep.space import Space as Space
from mnist_tracking.mnist.spec import mnist_job as mnist_job
from mnist_tracking.reading import plots as plots
from mnist_tracking.reading.leaderboard import Leaderboard as Leaderboard
from mnist_tracking.reading.lineage import Lineage as Lineage
from mnist_tracking.reading.lineage import LineageTracer as LineageTracer
from mnist_tracking.reading.trial import Trial as Trial
from mnist_tracking.serving.deployer import BestModelDeployer as BestModelDeployer
from mnist_tracking.serving.endpoint import Endpoint as Endpoint
from mnist_tracking.workspace import Workspace as Workspace

__version__: str
__all__: list[str]
_HOMES: dict[str, str]

def __dir__() -> list[str]: ...
