"""The types of what this library returns and of what programs implement; nobody needs to construct the former."""

from mnist_tracking._aws.account import Timing as Timing
from mnist_tracking._values.formats import Deserializer as Deserializer
from mnist_tracking._values.formats import Format as Format
from mnist_tracking._values.formats import Serializer as Serializer
from mnist_tracking._values.records import Artifact as Artifact
from mnist_tracking._values.records import Component as Component
from mnist_tracking._values.records import ExperimentSummary as ExperimentSummary
from mnist_tracking._values.records import Metric as Metric
from mnist_tracking._values.records import MetricPoint as MetricPoint
from mnist_tracking._values.records import MetricSeries as MetricSeries
from mnist_tracking._values.settings import Settings as Settings
from mnist_tracking.experiments.data import DatasetFiles as DatasetFiles
from mnist_tracking.experiments.observers import TrialObserver as TrialObserver
from mnist_tracking.reading.comparison import Comparison as Comparison
from mnist_tracking.reading.comparison import Difference as Difference
from mnist_tracking.reading.download.experiment import ExperimentDownload as ExperimentDownload
from mnist_tracking.reading.download.trial import DownloadedFile as DownloadedFile
from mnist_tracking.reading.download.trial import TrialDownload as TrialDownload
from mnist_tracking.reading.lineage import Edge as Edge
from mnist_tracking.reading.lineage import Node as Node
from mnist_tracking.reading.results import Results as Results
from mnist_tracking.reading.trial import DeployedModel as DeployedModel
from mnist_tracking.reading.trial import DeployOptions as DeployOptions
from mnist_tracking.upkeep.cleanup import CleanupPlan as CleanupPlan
from mnist_tracking.upkeep.cleanup import CleanupReport as CleanupReport
from mnist_tracking.upkeep.cleanup import PlannedDeletion as PlannedDeletion
