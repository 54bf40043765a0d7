"""Trials and experiments as files that the user owns."""

from mnist_tracking.reading.download.components import DownloadedFile as DownloadedFile
from mnist_tracking.reading.download.experiment import ExperimentDownload as ExperimentDownload
from mnist_tracking.reading.download.experiment import download_experiment as download_experiment
from mnist_tracking.reading.download.trial import TrialDownload as TrialDownload
from mnist_tracking.reading.download.trial import download_trial as download_trial

__all__ = ["DownloadedFile", "ExperimentDownload", "TrialDownload", "download_experiment", "download_trial"]
