"""
Run, track, compare, trace and deploy training experiments with SageMaker Experiments, with or without an AWS account.

Importing this package is light: each name below is imported when it is first used.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mnist_tracking._values.records import (
        Artifact,
        Component,
        ExperimentSummary,
        Metric,
        MetricPoint,
        MetricSeries,
        TrialResult,
    )
    from mnist_tracking._values.specs import JobSpec, MetricDefinition, Objective, mnist_job
    from mnist_tracking._values.where import created, metric, param, parent, status, tag
    from mnist_tracking.embedded import EmbeddedSageMaker
    from mnist_tracking.errors import (
        AccessDeniedError,
        AlreadyExistsError,
        ConfigError,
        DatasetError,
        DivergedError,
        JobFailedError,
        JobTimeoutError,
        MissingDependencyError,
        MnistTrackingError,
        NotFoundError,
        ProcessLostError,
        ServiceError,
        StateError,
        StoppedError,
        ThrottledError,
        UnsupportedOperationError,
    )
    from mnist_tracking.experiments.runner import ExperimentRunner, TrialObserver
    from mnist_tracking.experiments.steps import LocalTrial, Step
    from mnist_tracking.experiments.submission import SubmittedTrial
    from mnist_tracking.experiments.sweep import HyperparameterSweep
    from mnist_tracking.mnist.export import export_model
    from mnist_tracking.reading.comparison import Comparison, Difference
    from mnist_tracking.reading.download import DownloadedFile, ExperimentDownload, TrialDownload
    from mnist_tracking.reading.leaderboard import Leaderboard
    from mnist_tracking.reading.lineage import Lineage, LineageTracer
    from mnist_tracking.reading.results import Results
    from mnist_tracking.reading.trial import Trial
    from mnist_tracking.serving.deployer import BestModelDeployer
    from mnist_tracking.serving.endpoint import Endpoint
    from mnist_tracking.upkeep.cleanup import CleanupPlan, CleanupReport, PlannedDeletion
    from mnist_tracking.workspace import Workspace

__version__ = "0.1.0"

_HOMES = {
    "upkeep.cleanup": ("CleanupPlan", "CleanupReport", "PlannedDeletion"),
    "reading.comparison": ("Comparison", "Difference"),
    "serving.deployer": ("BestModelDeployer",),
    "reading.download": ("DownloadedFile", "ExperimentDownload", "TrialDownload"),
    "embedded": ("EmbeddedSageMaker",),
    "serving.endpoint": ("Endpoint",),
    "errors": (
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
        "StoppedError",
        "ThrottledError",
        "UnsupportedOperationError",
    ),
    "mnist.export": ("export_model",),
    "_values.where": ("created", "metric", "param", "parent", "status", "tag"),
    "_values.specs": ("JobSpec", "MetricDefinition", "Objective", "mnist_job"),
    "reading.leaderboard": ("Leaderboard",),
    "reading.lineage": ("Lineage", "LineageTracer"),
    "_values.records": (
        "Artifact",
        "Component",
        "ExperimentSummary",
        "Metric",
        "MetricPoint",
        "MetricSeries",
        "TrialResult",
    ),
    "reading.results": ("Results",),
    "experiments.runner": ("ExperimentRunner", "TrialObserver"),
    "experiments.steps": ("LocalTrial", "Step"),
    "experiments.submission": ("SubmittedTrial",),
    "experiments.sweep": ("HyperparameterSweep",),
    "reading.trial": ("Trial",),
    "workspace": ("Workspace",),
}
_MODULES = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "AccessDeniedError",
    "AlreadyExistsError",
    "Artifact",
    "BestModelDeployer",
    "CleanupPlan",
    "CleanupReport",
    "Comparison",
    "Component",
    "ConfigError",
    "DatasetError",
    "Difference",
    "DivergedError",
    "DownloadedFile",
    "EmbeddedSageMaker",
    "Endpoint",
    "ExperimentDownload",
    "ExperimentRunner",
    "ExperimentSummary",
    "HyperparameterSweep",
    "JobFailedError",
    "JobSpec",
    "JobTimeoutError",
    "Leaderboard",
    "Lineage",
    "LineageTracer",
    "LocalTrial",
    "Metric",
    "MetricDefinition",
    "MetricPoint",
    "MetricSeries",
    "MissingDependencyError",
    "MnistTrackingError",
    "NotFoundError",
    "Objective",
    "PlannedDeletion",
    "ProcessLostError",
    "Results",
    "ServiceError",
    "StateError",
    "Step",
    "StoppedError",
    "SubmittedTrial",
    "ThrottledError",
    "Trial",
    "TrialDownload",
    "TrialObserver",
    "TrialResult",
    "UnsupportedOperationError",
    "Workspace",
    "created",
    "export_model",
    "metric",
    "mnist_job",
    "param",
    "parent",
    "status",
    "tag",
]


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
